"""Medians of magnitudes in bounded memory: histograms with bins of equal width on a log scale."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

# Magnitudes from 2^-24 to 2^24 cover what activations in any dtype hold that matters.
LOWEST, HIGHEST = -24.0, 24.0


class LogHistogram:
    """Counts of magnitudes for each layer and coordinate, bins of equal width in log2.

    An order statistic is known to within the width of a bin: its relative error is below
    ``2^((high - low) / bins) - 1``, and interpolation inside the bin makes it much smaller. What
    lies below the lowest bin counts as 0 where the range is the whole one.
    """

    def __init__(
        self, low: Float[Tensor, "layer width"], high: Float[Tensor, "layer width"], bins: int
    ) -> None:
        self._low = low.double()
        self._step = (high.double() - low.double()) / bins
        self._bins = bins
        self.counts: Int[Tensor, "layer width bin"] = torch.zeros(
            (*low.shape, bins + 2), dtype=torch.int32, device=low.device
        )

    @classmethod
    def whole(cls, layers: int, width: int, bins: int, device: torch.device) -> "LogHistogram":
        """Return a histogram over the whole range."""
        low = torch.full((layers, width), LOWEST, device=device)
        return cls(low, torch.full_like(low, HIGHEST), bins)

    def add(self, layer: int, magnitudes: Float[Tensor, "token width"]) -> None:
        """Count magnitudes at one layer."""
        width = magnitudes.shape[1]
        low, step = self._low[layer].float(), self._step[layer].float()
        place = ((magnitudes.log2() - low) / step).floor_().clamp_(-1, self._bins)
        index = place.long() + 1
        index += torch.arange(width, device=index.device) * (self._bins + 2)
        found = torch.bincount(index.flatten(), minlength=width * (self._bins + 2))
        self.counts[layer] += found.view(width, -1).int()

    def order_statistic(
        self, rank: Int[Tensor, "layer width"]
    ) -> tuple[Float[Tensor, "layer width"], Bool[Tensor, "layer width"]]:
        """Return log2 of the magnitudes of 0-based ``rank``, and whether each lies in a bin."""
        cumulative = self.counts.cumsum(-1)
        at = (cumulative <= rank[..., None]).sum(-1).clamp_max(self._bins + 1)
        inside = self.counts.gather(-1, at[..., None])[..., 0].clamp_min(1)
        before = cumulative.gather(-1, at[..., None])[..., 0] - inside
        share = (rank - before + 0.5) / inside
        value = self._low + (at - 1 + share) * self._step
        return value, (at > 0) & (at <= self._bins)

    def total(self) -> Int[Tensor, "layer width"]:
        """Return how many magnitudes were counted."""
        return self.counts.sum(-1)

    def medians(self) -> tuple[Float[Tensor, "layer width"], Bool[Tensor, "layer width"]]:
        """Return the medians, as numpy defines them, and whether each lies within the range.

        Of an even number it is the mean of the two in the middle. A median below the range is 0.
        """
        total = self.total()
        low, low_in = self.order_statistic((total - 1).clamp_min(0) // 2)
        high, high_in = self.order_statistic(total // 2)
        value = (torch.exp2(low) + torch.exp2(high)) / 2
        return torch.where(low_in | high_in, value, 0.0), low_in & high_in

    def narrowed(self, share: float, bins: int) -> "LogHistogram":
        """Return an empty histogram over what lies between the quantiles share and 1 − share."""
        total = self.total()
        low, _ = self.order_statistic((total * share).long())
        high, _ = self.order_statistic((total * (1 - share)).long())
        # Interpolation may be off by a bin on either side.
        low = (low - self._step).clamp(LOWEST, HIGHEST - 1)
        high = torch.maximum((high + self._step).clamp(LOWEST, HIGHEST), low + self._step)
        return LogHistogram(low, high, bins)
