"""The token view from fitted probes and the activations of every token."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from sonde.core.errors import SondeError
from sonde.core.positions import parse_position
from sonde.data.examples import Example
from sonde.report.from_results import METRIC_NAMES
from sonde.report.sections.token_view import TokenText, TokenView

if TYPE_CHECKING:  # a report is read and written without torch
    from sonde.activations.activations import Activations
    from sonde.models.render import Rendered
    from sonde.probes.probe import Probe
    from sonde.probes.results import LayerResult, ProbeResults

NOTE = (
    "Each token has the score that the block's probe gives it. The colours come from the probe "
    "fitted on all rows; how a text is read comes from the fold that left it out."
)
CENTRED = (
    " The probe was fitted at one place, and elsewhere all tokens may lie on one side of it, so "
    "colours compare a token with the block’s median token; tooltips have the score itself."
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
    one_place = parse_position(best.position).index is not None
    if one_place:
        raw = [_raw(layer.probe, acts) for layer in layers]
        texts = centred(
            texts, [_by_token(acts, text.name, len(text.tokens), raw) for text in texts]
        )
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
        note=NOTE + CENTRED * one_place,
        shade="middle: the block’s median token" if one_place else "",
    )


def centred(
    texts: Sequence[TokenText], raw: Sequence[Float[np.ndarray, "layer token"]]
) -> list[TokenText]:
    """Shade each token by its distance from its layer's median token, in units of the spread.

    A probe reads other tokens than those it was fitted on with an offset that says nothing of the
    text. The median and the spread (the 95th percentile of distances) are those of the texts' own
    words, without the template's tokens. ``raw`` has what each text's tokens are compared by:
    log-odds rather than probabilities, which may all be 1.
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
        replace(text, shades=_plain(np.clip((scores - middle) / unit, -1.0, 1.0)))
        for text, scores in zip(texts, raw, strict=True)
    ]


def _raw(probe: "Probe", acts: "Activations") -> Float[np.ndarray, " row"]:
    if probe.kind == "logistic":
        return probe.logit(acts.tensor(probe.hook)).numpy()
    return probe.score(acts.tensor(probe.hook)).numpy()


def _by_token(
    acts: "Activations",
    example: str,
    tokens: int,
    values: Sequence[Float[np.ndarray, " row"]],
) -> Float[np.ndarray, "layer token"]:
    """Bring the rows of one example into the order of its tokens; NaN where there is none."""
    row_of = _row_of(acts, example)
    found = np.full((len(values), tokens), np.nan)
    for token, row in row_of.items():
        found[:, token] = [layer[row] for layer in values]
    return found


def _row_of(acts: "Activations", example: str) -> dict[int, int]:
    """Return the row of each token of an example."""
    rows = acts.rows
    here = np.flatnonzero(rows.example == example)
    return {int(rows.token[row]): int(row) for row in here if rows.n_tokens[row] == 1}


def _shade_unit(row: Float[np.ndarray, " token"]) -> tuple[float, float]:
    finite = row[np.isfinite(row)]
    if not len(finite):
        return 0.0, 1.0
    middle = float(np.median(finite))
    return middle, float(np.quantile(np.abs(finite - middle), 0.95)) or 1.0


def _plain(rows: Float[np.ndarray, "layer token"]) -> tuple[tuple[float | None, ...], ...]:
    return tuple(
        tuple(float(value) if math.isfinite(value) else None for value in row) for row in rows
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
    if not _row_of(acts, example.id):
        raise SondeError(
            f"There are no token activations of example {example.id!r}.",
            fix="Extract these examples with positions='all.each'.",
        )
    labels = layers[0].probe.labels
    known = len(labels) == 2 and str(example.label) in labels
    text = rendered.text
    return TokenText(
        tokens=tuple(text[start:end] for start, end in rendered.offsets.tolist()),
        ids=tuple(int(token) for token in rendered.ids),
        scores=_plain(_by_token(acts, example.id, len(rendered.ids), scores)),
        label="" if example.label is None else str(example.label),
        positive=str(example.label) == labels[1] if known else None,
        read_at=_read_at(layers[0].position, rendered),
        outcome=tuple(_outcome(layer, example.id) for layer in layers),
        template=_template(rendered),
        name=example.id,
    )


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
