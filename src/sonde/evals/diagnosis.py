"""Is a dictionary fed the right thing? Its weights, and on a few texts what it reconstructs.

Where variance explained or L0 are off, it is fed otherwise, one convention at a time: neighbouring
layers, other sites, scales, rows normalised, the decoder's bias taken off or not. What reconstructs
much better is named as the likely cause.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.findings import Finding, weight_findings
from sonde.dictionaries.sparsity import BatchTopK, TopK
from sonde.evals.diagnosis_feeding import ROWS, Feeding, Tried
from sonde.evals.diagnosis_variants import BIAS, PLACE, named_variant
from sonde.evals.reconstruction import SINK_RATIO
from sonde.evals.texts import EvalTexts, given_texts
from sonde.models.model import Model

LOW = 0.5  # variance explained below which a dictionary needs a look
ENOUGH = 0.9  # and from which on no other way is tried
MUCH_BETTER = 0.8  # times the unexplained variance: what a likely cause brings it to, at most
TIMES = 2.0  # that L0 may differ from what is known of it
DENSER = 1.25  # times L0, by which more variance is explained whatever the units
SAME = 0.05  # of variance explained that may be lost for an L0 that is right


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found; without a model of the weights alone.

    ``named`` is what the dictionary itself says, ``tried`` the other ways, best first (none where
    all is well), ``cause`` the likely cause in words, empty if none was found or looked for.
    Variance explained is the mean over targets.
    """

    findings: tuple[Finding, ...]
    named: Tried | None = None
    tried: tuple[Tried, ...] = ()
    cause: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing needs a look."""
        return all(one.good for one in self.findings)


def diagnose(
    dictionary: Dictionary,
    model: Model | None = None,
    texts: Sequence[str] | EvalTexts = (),
    *,
    l0: float | None = None,
    sink_ratio: float = SINK_RATIO,
) -> Diagnosis:
    """Look whether a dictionary can work, and with a model whether it is fed the right thing.

    Args:
        dictionary: the dictionary, on the model's device.
        model: the model that it is thought to be of.
        texts: a few, of the kind that it was trained on; a thousand tokens will do.
        l0: its mean number of active latents, where that is known; k of TopK and BatchTopK.
        sink_ratio: times the median norm from which a row is a sink, and left out.

    Raises:
        SondeError: the model lacks its hook points or is of another width, or no text gives rows.
    """
    findings = weight_findings(dictionary)
    if model is None or not all(one.good for one in findings if one.name.startswith("Weights")):
        return Diagnosis(findings)
    read = texts if isinstance(texts, EvalTexts) else given_texts(model, texts)
    fed = Feeding(dictionary.eval(), model, read.spread(2 * ROWS), sink_ratio)
    named = named_variant(dictionary.architecture)
    rows = fed.capture([*named.sources, *named.targets])
    found = fed.tried(named, rows)
    known = l0 if l0 is not None else _k(dictionary)
    off, tried, cause = _l0_is_off(found, known), (), ""
    if off or not found.variance_explained >= ENOUGH:
        tried = fed.others(rows)
        cause = _cause(found, tried, known)
    good = found.variance_explained >= LOW and not off and not cause
    named_finding = Finding("Reconstruction", good, _numbers(found, known))
    findings += (named_finding, fed.sinks(named, rows, found), fed.out_of_reach(named, rows))
    return Diagnosis(findings, found, tried, cause)


def _k(dictionary: Dictionary) -> float | None:
    sparsity = dictionary.architecture.sparsity
    if isinstance(sparsity, TopK | BatchTopK):
        return float(sparsity.k * len(dictionary.parts))
    return None


def _l0_is_off(found: Tried, known: float | None) -> bool:
    return known is not None and not known / TIMES <= found.l0 <= known * TIMES


def _numbers(found: Tried, known: float | None) -> str:
    said = f"variance explained {found.variance_explained:.2f}, L0 {found.l0:.1f}, at {found.words}"
    return said if known is None else f"{said} (L0 should be about {known:g})"


def _cause(named: Tried, tried: Sequence[Tried], known: float | None) -> str:
    """Name the way that does much better than what the dictionary says; L0 counts where known."""
    unexplained = 1 - named.variance_explained
    better = [one for one in tried if 1 - one.variance_explained <= MUCH_BETTER * unexplained]
    if named.variance_explained >= LOW:  # then more active latents may be all that helps
        better = [one for one in better if one.kind == PLACE or one.l0 <= DENSER * named.l0]
    if not better and _l0_is_off(named, known):
        least = named.variance_explained - SAME
        better = [one for one in tried if one.variance_explained >= least]
        better = [one for one in better if not _l0_is_off(one, known)]
    if not better:
        return ""
    best = better[0]
    if known is not None:  # of ways that are as good, that with the L0 that is known
        level = [one for one in better if one.variance_explained >= best.variance_explained - SAME]
        best = min(level, key=lambda one: abs(math.log(max(one.l0, 1e-9) / known)))
    numbers = (
        f"variance explained is {best.variance_explained:.2f} and L0 {best.l0:.1f}, "
        f"against {named.variance_explained:.2f} and {named.l0:.1f} as it is fed now"
    )
    if known is not None:
        numbers += f" (L0 should be about {known:g})"
    return _HINTS.get(best.kind, _of_rows)(best, numbers)


def _of_place(best: Tried, numbers: str) -> str:
    said = f"It was probably trained at {best.words}: there {numbers}."
    if "resid_" in best.words:
        said += " Hugging Face's hidden_states[i] is resid_post of block i - 1."
    if "mlp_normed" in best.words:
        said += " A norm's output is with its gain or without it (mlp_normed_ungained)."
    return said


def _of_bias(best: Tried, numbers: str) -> str:
    return f"It probably wants {best.words}: so {numbers}. Change `centred`."


def _of_rows(best: Tried, numbers: str) -> str:
    return f"It was probably trained on rows in other units, {best.words}: so {numbers}."


_HINTS: dict[str, Callable[[Tried, str], str]] = {PLACE: _of_place, BIAS: _of_bias}
