"""A probe as a judge: what it says of the model's activations while it reads an answer."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from sonde.activations.extraction import extract
from sonde.core.errors import SondeError
from sonde.core.positions import parse_position
from sonde.data.examples import Example
from sonde.judges.function import FunctionJudge
from sonde.judges.judge import Asked, Aspect
from sonde.models.model import Model
from sonde.models.render import RenderSettings
from sonde.probes.probe import Probe

SCALE = 100.0


def probe_judge(
    probe: Probe, model: Model, *, aspect: Aspect = "trait", allow_other_model: bool = False
) -> FunctionJudge:
    """Judge answers by 100 times a probe's probability of its positive class, ``labels[1]``.

    The question and the answer are read by ``model``, unsteered, as far as the probe's layer. An
    answer that lacks the probe's position, such as ``response[9]``, gets no score.

    A probe that was fitted on the same responses as a vector finds what the vector puts in: it says
    that the steering reached the activations, and not that a reader would see the trait.

    Raises:
        SondeError: the probe is not of two classes with a probability, or is of another model.
    """
    if probe.says != "logit":
        raise SondeError(
            f"A {probe.kind} probe says no probability, so it cannot score from 0 to 100.",
            fix="Fit a logistic probe of two classes, or write a function of your own for "
            "FunctionJudge.",
        )
    probe.check(model.info, allow_other_model=allow_other_model)

    def score(asked: Sequence[Asked]) -> list[float]:
        return _probabilities(probe, model, asked, allow_other_model)

    return FunctionJudge(score, f"{probe.kind} probe of {probe.hook}", aspect, _identity(probe))


def _probabilities(
    probe: Probe, model: Model, asked: Sequence[Asked], allow_other_model: bool
) -> list[float]:
    """Return 100 times the probability of each answer, NaN where it lacks the position."""
    template: Any = probe.origin.template if probe.origin.template in ("chat", "none") else "auto"
    examples = [
        Example(id=str(number), prompt=one.question, response=one.answer)
        for number, one in enumerate(asked)
    ]
    found = np.full(len(asked), np.nan)
    whole = [one for one in examples if _has_position(probe, model, one, template)]
    if not whole:
        return found.tolist()
    acts = extract(
        model,
        whole,
        hooks=str(probe.hook),
        positions=probe.position,
        template=template,
        progress=False,
    )
    said = probe.apply(acts, allow_other_model=allow_other_model).double().numpy()
    names = acts.rows.example
    for name in np.unique(names):
        found[int(name)] = SCALE * said[names == name].mean()
    return found.tolist()


def _has_position(probe: Probe, model: Model, example: Example, template: Any) -> bool:
    """Whether an answer is long enough for the probe's position."""
    spans = model.render(example, RenderSettings(template=template)).spans
    try:
        return len(parse_position(probe.position).tokens(spans)) > 0
    except SondeError:
        return False


def _identity(probe: Probe) -> dict[str, Any]:
    """Say which probe it is, by everything that its probabilities hang on."""
    digest = hashlib.sha256()
    for name, tensor in sorted(probe.reader.tensors().items()):
        digest.update(name.encode() + tensor.detach().double().cpu().numpy().tobytes())
    return {
        "probe": digest.hexdigest()[:16],
        "hook": str(probe.hook),
        "position": probe.position,
        "model": probe.origin.model_fingerprint or probe.origin.model,
    }
