"""Texts coloured token by token: a probe of each layer, applied to every token's activations."""

from typing import TYPE_CHECKING, Any

import numpy as np

from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint
from sonde.core.positions import TokenSpans, parse_position
from sonde.experiments.stage import Finished
from sonde.experiments.stages.texts import RenderedText, read_texts
from sonde.report import TokenText, TokenView

if TYPE_CHECKING:
    from sonde.probes.results import LayerResult, ProbeResults

TEXTS = 24  # more would make the page heavy


def token_view(tokens: Finished, results: "ProbeResults") -> TokenView:
    """Colour the texts of an extraction of every token by the probes of a result.

    Raises:
        SondeError: the extraction did not keep each token, or shares no hook point with the probes.
    """
    store = tokens.open()
    texts = read_texts(tokens.folder)
    if not texts:
        raise SondeError(
            f"The stage {tokens.name!r} did not keep each token, so no text can be coloured.",
            fix="Write `positions: all` in that stage.",
        )
    best = results.best_layer
    layers = [
        layer
        for layer in results.layers
        if layer.hook in store.hooks
        and (layer.hook.site, layer.position) == (best.hook.site, best.position)
    ]
    if not layers:
        raise SondeError(
            f"The stages {tokens.name!r} and that of the probe share no hook point.",
            fix="Extract both with the same `hooks` and `layers`.",
        )
    scores = {layer.hook: layer.probe.score(store.tensor(layer.hook)).numpy() for layer in layers}
    shown = [_text(text, store.rows, layers, scores) for text in texts[:TEXTS]]
    low, middle, high = _range(results, scores)
    return TokenView(
        layers=tuple(layer.hook.layer for layer in layers),
        texts=tuple(shown),
        classes=_classes(results),
        start=best.hook.layer if best in layers else None,
        threshold=middle,
        low=low,
        high=high,
        score="probability" if results.kind == "logistic" else "score",
        quality=tuple(layer.score.value for layer in layers),
        metric=results.metric,
        note=f"The probe was fitted at {best.position} only; other tokens show what it says there.",
    )


def _classes(results: "ProbeResults") -> tuple[str, str]:
    return (
        (results.labels[0], results.labels[1]) if len(results.labels) == 2 else ("below", "above")
    )


def _range(
    results: "ProbeResults", scores: dict[HookPoint, np.ndarray]
) -> tuple[float, float, float]:
    """Return the lowest, middle and highest value of the colours."""
    if results.kind == "logistic":
        return 0.0, 0.5, 1.0
    every = np.concatenate(list(scores.values()))
    middle = 0.0 if results.kind == "mean_difference" else float(np.median(every))
    # The sinks' scores are far out; they would leave one colour for all other tokens.
    reach = max(float(np.quantile(np.abs(every - middle), 0.95)), 1e-9)
    return middle - reach, middle, middle + reach


def _text(
    text: RenderedText,
    rows: Any,
    layers: "list[LayerResult]",
    scores: dict[HookPoint, np.ndarray],
) -> TokenText:
    mine = np.flatnonzero(rows.example == text.id)
    mine = mine[np.argsort(rows.token[mine], kind="stable")]
    tokens = tuple(
        text.text[start:end] for start, end in zip(rows.start[mine], rows.end[mine], strict=True)
    )
    best = layers[0]
    where = np.flatnonzero(best.scored.example == text.id)
    known = len(where) > 0
    truth = float(best.scored.truth[where[0]]) if known else None
    return TokenText(
        tokens=tokens,
        ids=tuple(int(number) for number in rows.token_id[mine]),
        scores=tuple(tuple(float(x) for x in scores[layer.hook][mine]) for layer in layers),
        label="" if text.label is None else str(text.label),
        positive=None if truth not in (0.0, 1.0) else truth == 1.0,
        read_at=_read_at(text.spans, best.position),
        outcome=tuple(_outcome(layer, text.id) for layer in layers) if known else (),
        template=text.template_tokens,
        name=text.id,
    )


def _outcome(layer: "LayerResult", example: str) -> float | None:
    """Return what the fold that left the text out says of it, on the scale of the probe's score."""
    where = np.flatnonzero(layer.scored.example == example)
    if not len(where):
        return None
    said = float(layer.scored.predicted[where].mean())
    return float(1 / (1 + np.exp(-said))) if layer.probe.kind == "logistic" else said


def _read_at(spans: TokenSpans, position: str) -> int | None:
    try:
        return parse_position(position).tokens(spans)[-1]
    except SondeError:
        return None
