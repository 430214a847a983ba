"""The passes that find massive dimensions: medians are not moments, so they take two.

The first pass takes each layer's median norm, which tells sinks from ordinary tokens, and the range
of every coordinate. The second takes the medians of ordinary tokens within those ranges. Norms
without the massive dimensions need to know them beforehand: the first pass predicts them, and in
the rare case that the second finds others it is repeated with those.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sonde.activations.massive_report import MassiveSettings
from sonde.activations.medians import LogHistogram
from sonde.activations.passes import ActivationBatch
from sonde.activations.streaming import ActivationStream
from sonde.core.errors import SondeError

COARSE_BINS = 192  # a quarter octave each
FINE_BINS = 160  # over about five octaves: 2 % each
NORM_BINS = 3072  # 1 % each
RANGE = 0.1  # the median of ordinary tokens lies between these quantiles of all tokens
EARLY = 10  # tokens 1 to 9 are early
LARGEST = 32


class Kept:
    """The batches of a stream, kept after the first time."""

    def __init__(self, batches: ActivationStream) -> None:
        self._batches = batches
        self._kept: list[ActivationBatch] | None = None

    def __iter__(self) -> Iterator[ActivationBatch]:
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[ActivationBatch] = []
        for batch in self._batches:
            kept.append(batch)
            yield batch
        self._kept = kept


@dataclass(frozen=True, slots=True, eq=False)
class First:
    """What the first pass takes: ranges of all coordinates, and each layer's median norm."""

    coarse: LogHistogram
    median_norm: Float[Tensor, "layer"]


def _stacked(batch: ActivationBatch) -> Iterator[tuple[int, Float[Tensor, "token d_model"]]]:
    for layer, tensor in enumerate(batch.tensors.values()):
        yield layer, tensor.float()


def first_pass(
    batches: Iterable[ActivationBatch], n_layers: int, width: int, device: torch.device
) -> First:
    """Run the first pass over all tokens, sinks included."""
    coarse = LogHistogram.whole(n_layers, width, COARSE_BINS, device)
    norms = LogHistogram.whole(n_layers, 1, NORM_BINS, device)
    for batch in batches:
        for layer, x in _stacked(batch):
            coarse.add(layer, x.abs())
            norms.add(layer, x.norm(dim=1, keepdim=True))
    return First(coarse, norms.medians()[0][:, 0])


class Second:
    """What the second pass takes, for a given guess of the massive dimensions."""

    def __init__(self, first: First, dims: Sequence[int], n_layers: int) -> None:
        device = first.median_norm.device
        self.dims = list(dims)
        self.fine = first.coarse.narrowed(RANGE, FINE_BINS)
        self.full = LogHistogram.whole(n_layers, 1, NORM_BINS, device)
        self.typical = LogHistogram.whole(n_layers, 1, NORM_BINS, device)
        self.sinks: Counter[tuple[int, int]] = Counter()
        self.sink_ratios: dict[tuple[int, int], np.ndarray] = {}
        self.sink_norm = np.zeros(n_layers)
        # Sums of magnitudes at the first token, early and later ones, and their counts.
        self.by_place = torch.zeros(3, n_layers, len(dims), dtype=torch.float64, device=device)
        self.place_counts = np.zeros(3, np.int64)
        self.largest = torch.zeros(n_layers, 0, len(dims), device=device)
        self.largest_row = torch.zeros(n_layers, 0, len(dims), dtype=torch.int64, device=device)
        self.n_tokens = 0

    def medians(self) -> Float[Tensor, "layer d_model"]:
        """Return the median magnitudes over ordinary tokens.

        Raises:
            SondeError: a median lies outside the range that the first pass found.
        """
        ordinary = self.n_tokens - self.sinks.total()
        values, inside = self.fine.medians()
        if not ordinary or not bool((inside | (values == 0)).all()):
            raise SondeError(
                f"Only {ordinary:,} of {self.n_tokens:,} tokens are ordinary: the others are "
                "attention sinks by their norm.",
                fix="Give longer texts, or raise sink_ratio.",
            )
        return values


def second_pass(
    batches: Iterable[ActivationBatch],
    first: First,
    dims: Sequence[int],
    settings: MassiveSettings,
) -> Second:
    """Run the second pass; ``dims`` are the dimensions left out of the typical norm."""
    found = Second(first, dims, len(first.median_norm))
    for batch in batches:
        norms = torch.stack([x.norm(dim=1) for _, x in _stacked(batch)])
        ratios = norms / first.median_norm[:, None].float()
        is_sink = (ratios >= settings.sink_ratio).sum(0) >= settings.min_layers
        _count_sinks(found, batch, is_sink, norms, ratios)
        _take_medians(found, batch, ~is_sink, norms)
        _follow(found, batch)
        found.n_tokens += len(is_sink)
    return found


def _take_medians(
    found: Second,
    batch: ActivationBatch,
    ordinary: Bool[Tensor, "token"],
    norms: Float[Tensor, "layer token"],
) -> None:
    for layer, x in _stacked(batch):
        usual = x[ordinary]
        found.fine.add(layer, usual.abs())
        full = norms[layer][ordinary].square()
        massive = usual[:, found.dims].square().sum(1)
        found.full.add(layer, full.sqrt()[:, None])
        found.typical.add(layer, (full - massive).clamp_min(0).sqrt()[:, None])


def _count_sinks(
    found: Second,
    batch: ActivationBatch,
    is_sink: Bool[Tensor, "token"],
    norms: Float[Tensor, "layer token"],
    ratios: Float[Tensor, "layer token"],
) -> None:
    if not bool(is_sink.any()):
        return
    rows = batch.numbers[is_sink.cpu().numpy()]
    found.sink_norm += norms[:, is_sink].sum(1).double().cpu().numpy()
    columns = batch.prepared.row_columns
    keys = zip(columns["token"][rows].tolist(), columns["token_id"][rows].tolist(), strict=True)
    for key, ratio in zip(keys, ratios[:, is_sink].T.double().cpu().numpy(), strict=True):
        found.sinks[key] += 1
        found.sink_ratios[key] = found.sink_ratios.get(key, 0) + ratio


def _follow(found: Second, batch: ActivationBatch) -> None:
    """Note where the massive dimensions are large: by place in the text, and the largest tokens."""
    if not found.dims:
        return
    token = batch.prepared.row_columns["token"][batch.numbers]
    place = np.digitize(token, [1, EARLY])
    x = torch.stack([x[:, found.dims].abs() for _, x in _stacked(batch)])
    for index in range(3):
        chosen = torch.from_numpy(place == index).to(x.device)
        found.by_place[index] += x[:, chosen].double().sum(1)
        found.place_counts[index] += int(chosen.sum())
    rows = torch.from_numpy(batch.numbers).to(x.device)
    values = torch.cat([found.largest, x], 1)
    numbers = torch.cat([found.largest_row, rows[None, :, None].expand(x.shape)], 1)
    found.largest, at = values.topk(min(LARGEST, values.shape[1]), 1)
    found.largest_row = numbers.gather(1, at)
