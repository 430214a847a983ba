"""Find massive dimensions, attention sinks and typical norms of a model on some data."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sonde.activations import massive_report as m
from sonde.activations.massive_report import MassiveDimensions, MassiveSettings
from sonde.activations.settings import ExtractSettings, extract_settings
from sonde.activations.streaming import ActivationStream, stream
from sonde.activations.survey import Kept, Second, first_pass, second_pass
from sonde.core.base import validated
from sonde.data.examples import Example
from sonde.models.model import Model

__all__ = ["MassiveDimensions", "MassiveSettings", "massive_dimensions"]

SHOWN = 8


def massive_dimensions(
    model: Model,
    data: Sequence[Example] | Sequence[str],
    settings: MassiveSettings | None = None,
    *,
    progress: bool = True,
    **keywords: Any,
) -> MassiveDimensions:
    """Find massive dimensions, attention sinks and typical norms over all tokens of some data.

    Medians come from histograms and are within 1 % or so. Memory holds the histograms (width ×
    layers × 192 counts) and at most ``keep_bytes`` of activations.

    Raises:
        SondeError: a setting or the data does not fit, or too few tokens are ordinary.
    """
    base = settings.model_dump() if settings is not None else {}
    chosen = validated(MassiveSettings, base | keywords, where="massive dimensions' settings")
    batches = stream(model, data, _extraction(chosen), progress=progress)
    layers = tuple(hook.layer for hook in batches.hooks)
    size = batches.n_rows * len(layers) * model.info.d_model * model.dtype.itemsize
    source = Kept(batches) if size <= chosen.keep_bytes else batches
    first = first_pass(source, len(layers), model.info.d_model, model.device)
    predicted = _massive(_ratios(first.coarse.medians()[0]), chosen)
    while True:
        second = second_pass(source, first, predicted, chosen)
        ratios = _ratios(second.medians())
        found = _massive(ratios, chosen)
        if found == predicted:
            break
        predicted = found
    return _report(batches, chosen, second, ratios, model)


def _extraction(settings: MassiveSettings) -> ExtractSettings:
    return extract_settings(
        None,
        {
            "hooks": settings.site,
            "layers": settings.layers,
            "positions": "all",
            "template": settings.template,
            "too_long": settings.too_long,
            "token_budget": settings.token_budget,
        },
    )


def _ratios(medians: Float[Tensor, "layer d_model"]) -> np.ndarray:
    """Return each coordinate's median over that of the median coordinate, ``[layer, d_model]``."""
    values = medians.double().cpu().numpy()
    unit = np.median(values, axis=1, keepdims=True)
    return values / np.maximum(unit, np.finfo(np.float64).tiny)


def _massive(ratios: np.ndarray, settings: MassiveSettings) -> tuple[int, ...]:
    enough = (ratios >= settings.ratio).sum(0) >= settings.min_layers
    found = np.flatnonzero(enough)
    return tuple(int(dim) for dim in found[np.argsort(-ratios[:, found].max(0), kind="stable")])


def _report(
    batches: ActivationStream,
    settings: MassiveSettings,
    found: Second,
    ratios: np.ndarray,
    model: Model,
) -> MassiveDimensions:
    layers = tuple(hook.layer for hook in batches.hooks)
    return MassiveDimensions(
        origin=batches.origin,
        settings=settings,
        layers=layers,
        n_tokens=found.n_tokens,
        n_sinks=found.sinks.total(),
        dimensions=tuple(
            _dimension(index, layers, found, ratios, batches, settings)
            for index in range(len(found.dims))
        ),
        norms=_norms(layers, found),
        sinks=_sinks(found, model),
    )


def _norms(layers: tuple[int, ...], found: Second) -> tuple[m.LayerNorms, ...]:
    full = found.full.medians()[0][:, 0].tolist()
    typical = found.typical.medians()[0][:, 0].tolist()
    unit = np.median(found.medians().double().cpu().numpy(), axis=1)
    sinks = found.sinks.total()
    return tuple(
        m.LayerNorms(
            layer=layer,
            full_norm=full[index],
            typical_norm=typical[index],
            median_magnitude=float(unit[index]),
            sink_ratio=float(found.sink_norm[index] / sinks / full[index]) if sinks else None,
        )
        for index, layer in enumerate(layers)
    )


def _sinks(found: Second, model: Model) -> tuple[m.Sinks, ...]:
    return tuple(
        m.Sinks(
            position=position,
            token_id=token,
            text=model.tokenizer.decode([token]),
            count=count,
            ratio=float(np.max(found.sink_ratios[position, token]) / count),
        )
        for (position, token), count in found.sinks.most_common(SHOWN)
    )


def _dimension(
    index: int,
    layers: tuple[int, ...],
    found: Second,
    ratios: np.ndarray,
    batches: ActivationStream,
    settings: MassiveSettings,
) -> m.MassiveDimension:
    dim = found.dims[index]
    own = ratios[:, dim]
    peak = int(own.argmax())
    sums = found.by_place[:, peak, index].tolist()
    means = [
        total / count if count else None
        for total, count in zip(sums, found.place_counts.tolist(), strict=True)
    ]
    return m.MassiveDimension(
        dimension=dim,
        ratios=tuple(own.tolist()),
        layers=tuple(layers[layer] for layer in np.flatnonzero(own >= settings.ratio)),
        severe=int((own >= settings.severe).sum()) >= settings.min_layers,
        peak_layer=layers[peak],
        at_first=means[0],
        at_early=means[1],
        at_later=means[2],
        largest=_largest(found, peak, index, batches),
    )


def _largest(
    found: Second, peak: int, index: int, batches: ActivationStream
) -> tuple[m.TokenMagnitude, ...]:
    """List the tokens with the largest magnitudes, each token at each place once."""
    prepared = batches.job.prepared
    columns = prepared.row_columns
    listed: dict[tuple[int, int], m.TokenMagnitude] = {}
    magnitudes = found.largest[peak, :, index].tolist()
    for row, magnitude in zip(found.largest_row[peak, :, index].tolist(), magnitudes, strict=True):
        position, token = int(columns["token"][row]), int(columns["token_id"][row])
        if (position, token) not in listed:
            listed[position, token] = m.TokenMagnitude(
                example=prepared.examples[int(columns["example"][row])].id,
                position=position,
                token_id=token,
                text=batches.job.model.tokenizer.decode([token]),
                magnitude=magnitude,
            )
    return tuple(listed.values())[:SHOWN]
