"""What probes say of every token: numbers to show, and what their colours compare."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from sonde.core.errors import SondeError, nearest
from sonde.report.sections.token_view import TokenText

if TYPE_CHECKING:  # a report is read and written without torch
    from sonde.activations.activations import Activations
    from sonde.models.render import Rendered
    from sonde.probes.probe import Probe

# Distances and numbers have no bounds; this share of them stays inside the scale.
INSIDE = 0.98


@dataclass(frozen=True, slots=True, eq=False)
class TokenScores:
    """One probe's numbers for each row: ``shown`` in tooltips, ``raw`` where colours compare.

    A probability is compared by its log-odds, because probabilities may all be 1.
    """

    shown: Float[np.ndarray, " row"]
    raw: Float[np.ndarray, " row"]


def output_of(probe: "Probe", wanted: str | None) -> int:
    """Return which of a probe's outputs is shown: the named class or target, else the first.

    Raises:
        SondeError: the probe has no such output.
    """
    if wanted is None:
        return 0
    if wanted in probe.labels and _several(probe):
        return probe.labels.index(wanted)
    raise SondeError(
        f"The probe has no output {wanted!r}.{nearest(wanted, list(probe.labels))}",
        fix=f"Its outputs are {', '.join(probe.labels)}."
        if _several(probe)
        else "It has a single output; leave the name out.",
    )


def _several(probe: "Probe") -> bool:
    return probe.says == "logits" or (probe.says == "number" and len(probe.labels) > 1)


def is_bounded(probe: "Probe") -> bool:
    """Say whether tokens have probabilities; those of an attention probe have shares of a logit."""
    return probe.says in ("logit", "logits") and not is_shared(probe)


def is_shared(probe: "Probe") -> bool:
    """Say whether tokens have a share of what is said of their text."""
    from sonde.probes.token_shares import has_shares

    return has_shares(probe)


def token_scores(
    probe: "Probe", acts: "Activations", output: int, rendered: Mapping[str, "Rendered"]
) -> TokenScores:
    """Read every row by itself, or as its share of what is said of its text.

    Raises:
        SondeError: the activations are of another model, or of another width.
    """
    import torch

    from sonde.probes.token_shares import token_shares

    whole = probe.apply(acts).numpy()  # refuses another model's activations
    if is_shared(probe):
        shares = token_shares(probe, acts, rendered)[:, output]
        return TokenScores(shares, shares)
    x = acts.tensor(probe.hook)
    alone = torch.arange(len(x)) if probe.reader.pools else None
    if not is_bounded(probe):
        said = _column(whole if alone is None else probe.score(x, alone).numpy(), output)
        shown = _scaled(said) if probe.says == "score" else said
        return TokenScores(shown, shown)
    said = probe.logit(x, alone).numpy()
    raw = said if said.ndim == 1 else _log_odds(said, output)
    return TokenScores(_probability(raw), raw)


def _column(said: np.ndarray, output: int) -> Float[np.ndarray, " row"]:
    return said if said.ndim == 1 else said[:, output]


def _log_odds(logits: Float[np.ndarray, "row output"], output: int) -> Float[np.ndarray, " row"]:
    """Return log p / (1 - p) of one class: its logit minus logsumexp of the others'."""
    others = np.delete(logits, output, axis=1)
    return logits[:, output] - np.logaddexp.reduce(others, axis=1)


def _probability(logit: Float[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
    return np.exp(-np.logaddexp(0.0, -logit))


def _scaled(scores: Float[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
    """Bring distances, whose size grows with the norm by layer, to one scale."""
    finite = scores[np.isfinite(scores)]
    size = np.quantile(np.abs(finite), INSIDE) if len(finite) else 1.0
    return scores / (size or 1.0)


def scale_of(
    probe: "Probe", scores: Sequence[Float[np.ndarray, " row"]]
) -> tuple[float, float, float]:
    """Return the ends and the threshold of the colours."""
    if is_bounded(probe):
        return 0.0, 0.5, 1.0
    if probe.says == "score":
        return -1.0, 0.0, 1.0
    every = np.concatenate(list(scores))
    finite = every[np.isfinite(every)]
    if not len(finite):
        return -1.0, 0.0, 1.0
    if is_shared(probe):
        size = float(np.quantile(np.abs(finite), INSIDE)) or 1.0
        return -size, 0.0, size
    low, middle, high = np.quantile(finite, (0.01, 0.5, 0.99)).tolist()
    return (low, middle, high) if low < middle < high else (middle - 1.0, middle, middle + 1.0)


def by_token(
    acts: "Activations", example: str, tokens: int, values: Sequence[Float[np.ndarray, " row"]]
) -> Float[np.ndarray, "layer token"]:
    """Bring the rows of one example into the order of its tokens; NaN where there is none."""
    found = np.full((len(values), tokens), np.nan)
    for token, row in row_of(acts, example).items():
        found[:, token] = [layer[row] for layer in values]
    return found


def row_of(acts: "Activations", example: str) -> dict[int, int]:
    """Return the row of each token of an example."""
    rows = acts.rows
    here = np.flatnonzero(rows.example == example)
    return {int(rows.token[row]): int(row) for row in here if rows.n_tokens[row] == 1}


def plain(rows: Float[np.ndarray, "layer token"]) -> tuple[tuple[float | None, ...], ...]:
    """Return numbers as a page keeps them, None for those that are none."""
    return tuple(
        tuple(float(value) if math.isfinite(value) else None for value in row) for row in rows
    )


def centred(
    texts: Sequence[TokenText], raw: Sequence[Float[np.ndarray, "layer token"]]
) -> list[TokenText]:
    """Shade each token by its distance from its layer's median token, in units of the spread.

    A probe reads other tokens than those it was fitted on with an offset that says nothing of the
    text. The median and the spread (the 95th percentile of distances) are those of the texts' own
    words, without the template's tokens. ``raw`` has what each text's tokens are compared by.
    """
    own = [
        np.array([token not in set(text.template) for token in range(len(text.tokens))])
        for text in texts
    ]
    words = np.concatenate([one[:, mine] for one, mine in zip(raw, own, strict=True)], axis=1)
    found = [_shade_unit(row) for row in words]
    middle = np.array([one for one, _ in found])[:, None]
    unit = np.array([one for _, one in found])[:, None]
    return [
        replace(text, shades=plain(np.clip((scores - middle) / unit, -1.0, 1.0)))
        for text, scores in zip(texts, raw, strict=True)
    ]


def _shade_unit(row: Float[np.ndarray, " token"]) -> tuple[float, float]:
    finite = row[np.isfinite(row)]
    if not len(finite):
        return 0.0, 1.0
    middle = float(np.median(finite))
    return middle, float(np.quantile(np.abs(finite - middle), 0.95)) or 1.0
