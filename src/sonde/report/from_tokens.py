"""The token view from fitted probes and the activations of every token."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from sonde.core.errors import SondeError
from sonde.core.positions import parse_position
from sonde.data.examples import Example
from sonde.report.from_results import METRIC_NAMES
from sonde.report.sections import TokenText, TokenView

if TYPE_CHECKING:  # a report is read and written without torch
    from sonde.activations.activations import Activations
    from sonde.models.render import Rendered
    from sonde.probes.probe import Probe
    from sonde.probes.results import LayerResult, ProbeResults

NOTE = (
    "Each token has the score that the block's probe gives it. The colours come from the probe "
    "fitted on all rows; how a text is read comes from the fold that left it out."
)
# A mean difference's scores have no bounds; this share of them stays inside the scale.
INSIDE = 0.98


def token_view_from(
    results: "ProbeResults",
    acts: "Activations",
    rendered: Mapping[str, "Rendered"],
    examples: Sequence[Example],
) -> TokenView:
    """Colour some examples by every layer's probe.

    ``acts`` holds each token of the examples (position ``all.each``) at the probes' hook points,
    ``rendered`` the tokens of each example by id.

    Raises:
        SondeError: the activations lack tokens of an example, or are another model's.
    """
    best = results.best_layer
    layers = [
        layer
        for layer in results.layers
        if layer.hook.site == best.hook.site and layer.position == best.position
    ]
    scores = {
        layer.hook.layer: _numbers(layer.probe, layer.probe.apply(acts).numpy()) for layer in layers
    }
    low, threshold, high = _range(best.probe, [scores[layer.hook.layer] for layer in layers])
    texts = [
        _text(example, rendered[example.id], acts, layers, [scores[it.hook.layer] for it in layers])
        for example in examples
    ]
    negative, positive = results.labels or ("below", "above")
    return TokenView(
        layers=tuple(layer.hook.layer for layer in layers),
        texts=tuple(texts),
        classes=(negative, positive),
        start=best.hook.layer,
        threshold=threshold,
        low=low,
        high=high,
        score=f"probability of {positive}" if best.probe.kind == "logistic" else "score",
        quality=tuple(layer.score.value for layer in layers),
        metric=METRIC_NAMES.get(results.metric, results.metric),
        note=NOTE,
    )


def _numbers(probe: "Probe", scores: Float[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
    """Bring mean differences, whose size grows with the norm by layer, to one scale."""
    if probe.kind != "mean_difference":
        return scores
    size = np.quantile(np.abs(scores[np.isfinite(scores)]), INSIDE) if len(scores) else 1.0
    return scores / (size or 1.0)


def _range(
    probe: "Probe", scores: Sequence[Float[np.ndarray, " row"]]
) -> tuple[float, float, float]:
    if probe.kind == "logistic" or probe.labels:
        return (-1.0, 0.0, 1.0) if probe.kind == "mean_difference" else (0.0, 0.5, 1.0)
    every = np.concatenate(list(scores))
    low, middle, high = np.quantile(every[np.isfinite(every)], (0.01, 0.5, 0.99)).tolist()
    return (low, middle, high) if low < middle < high else (middle - 1.0, middle, middle + 1.0)


def _text(
    example: Example,
    rendered: "Rendered",
    acts: "Activations",
    layers: Sequence["LayerResult"],
    scores: Sequence[Float[np.ndarray, " row"]],
) -> TokenText:
    rows = acts.rows
    here = np.flatnonzero(rows.example == example.id)
    row_of = {int(rows.token[row]): int(row) for row in here if rows.n_tokens[row] == 1}
    wanted = len(rendered.ids)
    if not row_of:
        raise SondeError(
            f"There are no token activations of example {example.id!r}.",
            fix="Extract these examples with positions='all.each'.",
        )
    found = tuple(
        tuple(_at(layer_scores, row_of.get(token)) for token in range(wanted))
        for layer_scores in scores
    )
    labels = layers[0].probe.labels
    known = len(labels) == 2 and str(example.label) in labels
    text = rendered.text
    return TokenText(
        tokens=tuple(text[start:end] for start, end in rendered.offsets.tolist()),
        ids=tuple(int(token) for token in rendered.ids),
        scores=found,
        label="" if example.label is None else str(example.label),
        positive=str(example.label) == labels[1] if known else None,
        read_at=_read_at(layers[0].position, rendered),
        outcome=tuple(_outcome(layer, example.id) for layer in layers),
        template=_template(rendered),
        name=example.id,
    )


def _at(scores: Float[np.ndarray, " row"], row: int | None) -> float | None:
    return float(scores[row]) if row is not None and math.isfinite(scores[row]) else None


def _outcome(layer: "LayerResult", example: str) -> float | None:
    """Return the out-of-fold score of an example; the mean where it has several rows."""
    found = layer.scored.predicted[layer.scored.example == example]
    if not len(found) or not np.isfinite(found).all():
        return None
    mean = float(found.mean())
    return 1 / (1 + math.exp(-max(-700.0, mean))) if layer.probe.kind == "logistic" else mean


def _read_at(position: str, rendered: "Rendered") -> int | None:
    """Return the token that the probe was fitted on, None where it was several."""
    try:
        tokens = parse_position(position).tokens(rendered.spans)
    except SondeError:
        return None
    return int(tokens[0]) if len(tokens) == 1 else None


def _template(rendered: "Rendered") -> tuple[int, ...]:
    """Return the tokens outside every message and response; none where there is no template."""
    spans = rendered.spans
    own: set[int] = set()
    for stretch in (*spans.turns, spans.user, spans.response):
        own.update(range(*stretch) if stretch else ())
    return tuple(token for token in range(spans.n_tokens) if token not in own) if own else ()
