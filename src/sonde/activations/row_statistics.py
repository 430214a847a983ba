"""What the first batches say of rows: means, norms and variance at each hook point."""

from dataclasses import dataclass
from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.activations.row_batches import RowSource
from sonde.activations.shuffled_rows import row_norms
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint


@dataclass(frozen=True, slots=True, eq=False)
class RowStatistics:
    """Statistics of the rows x at one hook point, in the units of the activations.

    ``mean_norm`` is mean |x|, ``median_norm`` its median, ``mean_squared_norm`` mean |x|², and
    ``total_variance`` mean |x - mean(x)|², the sum of the coordinates' variances: what an FVU
    divides by.
    """

    n_rows: int
    mean: Float[Tensor, " d_model"]
    mean_norm: float
    median_norm: float
    mean_squared_norm: float
    total_variance: float

    def sink_norm(self, ratio: float = 10.0) -> float:
        """Return the norm from which a row is a sink: ratio × the median norm."""
        return ratio * self.median_norm


def statistics_of(source: RowSource, batches: int = 8) -> dict[HookPoint, RowStatistics]:
    """Measure the first batches of a source, at each of its hook points.

    Sums are taken in float64, about the first row so that no digits are lost where the mean is
    large beside the variance. Those of equal batches are equal, bit for bit.

    Raises:
        SondeError: no batch is to be read, or the source has none.
    """
    sums: dict[HookPoint, _Sums] = {}
    for batch in islice(source.batches(), max(0, batches)):
        for hook, x in batch.tensors.items():
            sums.setdefault(hook, _Sums(x[0].double())).add(x)
    if not sums:
        raise SondeError(
            f"{batches} batches were to be measured, of a source with {source.n_batches}.",
            fix="Measure at least one.",
        )
    return {hook: one.statistics() for hook, one in sums.items()}


def statistics_of_rows(x: Float[Tensor, "row d_model"]) -> RowStatistics:
    """Measure rows that are at hand, one at least, as ``statistics_of`` does those of batches."""
    sums = _Sums(x[0].double())
    sums.add(x)
    return sums.statistics()


class _Sums:
    def __init__(self, about: Float[Tensor, " d_model"]) -> None:
        self._about = about
        self._sum = torch.zeros_like(about)
        self._squares = torch.zeros((), dtype=torch.float64, device=about.device)
        self._norms: list[Tensor] = []

    def add(self, x: Float[Tensor, "row d_model"]) -> None:
        away = x.double() - self._about
        self._sum += away.sum(0)
        self._squares += away.square().sum()
        self._norms.append(row_norms(x))

    def statistics(self) -> RowStatistics:
        norms = torch.cat(self._norms).double()
        away = self._sum / len(norms)
        return RowStatistics(
            n_rows=len(norms),
            mean=(self._about + away).float(),
            mean_norm=float(norms.mean()),
            median_norm=_median(norms),
            mean_squared_norm=float(norms.square().mean()),
            total_variance=float(self._squares / len(norms) - away.square().sum()),
        )


def _median(values: Float[Tensor, " row"]) -> float:
    """Return the median; of an even number it is the mean of the two in the middle."""
    ordered = values.sort().values
    return float((ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2)
