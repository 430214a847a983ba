"""Sums over rows, unit by unit, from which every metric of a dictionary is computed.

A unit is what is independent: a document. Sums are kept in float64 about the mean of the first
rows, so that activations far from the origin lose nothing, and take ``units x d_out`` numbers a
target: FVU needs each unit's spread about the mean of all rows, which only the end knows.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.dictionaries.dictionary import Reconstruction
from sonde.dictionaries.latents import Latents

# What is summed of a target beside its prefixes' errors, in this order.
SQUARES, MADE, BOTH, LENGTH, MADE_LENGTH, COSINE, SPREAD = range(7)


class UnitSums:
    """Rows of sums, ``[unit, width]``; a unit that has not been seen yet has zeros."""

    def __init__(self, width: int) -> None:
        self._sums = np.zeros((0, width))

    def add(self, unit: Int[np.ndarray, " row"], rows: Float64[Tensor, "row width"]) -> None:
        """Add each row to its unit's."""
        found, number = np.unique(unit, return_inverse=True)
        where = torch.from_numpy(number).to(rows.device)
        added = rows.new_zeros(len(found), rows.shape[1]).index_add_(0, where, rows)
        self._sums = grown(self._sums, int(found[-1]) + 1)
        self._sums[found] += added.cpu().numpy()

    def of(self, n_units: int) -> Float[np.ndarray, "unit width"]:
        """Return the sums of the first units."""
        self._sums = grown(self._sums, n_units)
        return self._sums[:n_units]


def grown(sums: np.ndarray, n: int) -> np.ndarray:
    """Return sums with room for n units at least; room doubles, so that all copies cost one."""
    if n <= len(sums):
        return sums
    more = np.zeros((max(n, 2 * len(sums)) - len(sums), sums.shape[1]))
    return np.concatenate([sums, more])


class TargetSums:
    """Of one target: sums of rows and of products of rows with their reconstructions."""

    def __init__(self, d_out: int, n_prefixes: int) -> None:
        self.n_prefixes = n_prefixes
        self.reference: Float64[Tensor, " d_out"] | None = None
        self._total = UnitSums(d_out)
        self._others = UnitSums(SPREAD + 1)
        self._errors = UnitSums(n_prefixes)

    def add(
        self,
        unit: Int[np.ndarray, " row"],
        y: Float[Tensor, "row d_out"],
        prefixes: Float[Tensor, "prefix row d_out"],
    ) -> None:
        """Add rows with what each prefix makes of them, the whole last."""
        y = y.double()
        if self.reference is None:
            self.reference = y.mean(dim=0)
        self._errors.add(
            unit, torch.stack([(y - one.double()).square().sum(dim=1) for one in prefixes], dim=1)
        )
        made, apart = prefixes[-1].double(), y - self.reference
        self._total.add(unit, apart)
        parts = {
            SQUARES: y.square().sum(dim=1),
            MADE: made.square().sum(dim=1),
            BOTH: (y * made).sum(dim=1),
            LENGTH: y.norm(dim=1),
            MADE_LENGTH: made.norm(dim=1),
            COSINE: torch.cosine_similarity(y, made, dim=1),
            SPREAD: apart.square().sum(dim=1),
        }
        self._others.add(unit, torch.stack([parts[one] for one in sorted(parts)], dim=1))

    def errors(self, n_units: int) -> Float[np.ndarray, "prefix unit"]:
        """Return each unit's sum of |y - ŷ|^2, prefix by prefix."""
        return self._errors.of(n_units).T

    def others(self, n_units: int) -> Float[np.ndarray, "kind unit"]:
        """Return each unit's other sums, in the order of the constants."""
        return self._others.of(n_units).T

    def mean(self, rows: Float[np.ndarray, " unit"]) -> Float64[Tensor, " d_out"]:
        """Return the mean over the rows of all units."""
        assert self.reference is not None
        total = torch.from_numpy(self._total.of(len(rows)).sum(axis=0) / rows.sum())
        return self.reference + total.to(self.reference.device)

    def variance(self, rows: Float[np.ndarray, " unit"]) -> Float[np.ndarray, " unit"]:
        """Return each unit's sum of |y - mean|^2, the mean over the rows of all units."""
        total = self._total.of(len(rows))
        mean = total.sum(axis=0) / max(rows.sum(), 1.0)
        about = self._others.of(len(rows))[:, SPREAD] - 2 * total @ mean + rows * (mean @ mean)
        return np.maximum(about, 0.0)


class LatentSums:
    """Of the latents of all blocks: rows, L0 and L1 by unit, and in how many rows each fires."""

    def __init__(self, n_latents: int) -> None:
        self.fired: Int[np.ndarray, " latent"] = np.zeros(n_latents, np.int64)
        self._by_unit = UnitSums(3)

    def add(self, unit: Int[np.ndarray, " row"], latents: Sequence[Latents]) -> None:
        """Add the latents of rows; there may be none at all."""
        if not latents:
            self._by_unit.add(unit, torch.tensor([[1.0, 0.0, 0.0]]).double().expand(len(unit), 3))
            return
        self.fired += torch.cat([one.fired() for one in latents]).cpu().numpy()
        l0 = torch.stack([one.l0().double() for one in latents]).sum(dim=0)
        l1 = torch.stack([_magnitude(one) for one in latents]).sum(dim=0)
        self._by_unit.add(unit, torch.stack([torch.ones_like(l0), l0, l1], dim=1))

    def of(self, n_units: int) -> Float[np.ndarray, "three unit"]:
        """Return each unit's number of rows, and sums of L0 and L1."""
        return self._by_unit.of(n_units).T


class ReconstructionSums:
    """All sums of a dictionary's reconstructions; rows are added batch by batch."""

    def __init__(self, widths: Sequence[int], n_prefixes: int, n_latents: int) -> None:
        self.targets = [TargetSums(width, n_prefixes) for width in widths]
        self.latents = LatentSums(n_latents)
        self.n_units = 0

    def add(
        self,
        reconstruction: Reconstruction,
        targets: Sequence[Float[Tensor, "row _"]],
        unit: Int[np.ndarray, " row"],
    ) -> None:
        """Add rows, each of the unit with that number.

        Raises:
            SondeError: a reconstruction or a target has NaN or Inf.
        """
        if not len(unit):
            return
        for one, y, prefixes in zip(self.targets, targets, reconstruction.prefixes, strict=True):
            _check(y, prefixes)
            one.add(unit, y, prefixes)
        self.latents.add(unit, reconstruction.latents)
        self.n_units = max(self.n_units, int(unit.max()) + 1)

    def means(self) -> tuple[Float64[Tensor, " _"], ...]:
        """Return the mean of each target over all rows."""
        rows = self.latents.of(self.n_units)[0]
        return tuple(one.mean(rows) for one in self.targets)


def _magnitude(latents: Latents) -> Float64[Tensor, " row"]:
    size, places = latents.value.double().abs(), latents.places
    if places is None:
        return size.sum(dim=1)
    return size.new_zeros(places.n_rows).index_add_(0, places.row, size)


def _check(y: Tensor, prefixes: Tensor) -> None:
    if bool(y.isfinite().all()) and bool(prefixes.isfinite().all()):
        return
    which = "reconstructions" if bool(y.isfinite().all()) else "activations"
    raise SondeError(
        f"The {which} that a dictionary is measured on have NaN or Inf.",
        fix="Drop those rows, or look at the weights with `sonde doctor --dictionary`.",
    )
