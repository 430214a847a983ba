"""Cleaning: vectors without the massive dimensions of their model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.activations.massive_report import MassiveDimensions
from sonde.core.errors import SondeError, nearest
from sonde.vectors.settings import CLEANING_NAMES
from sonde.vectors.twins import ALL, BEFORE
from sonde.vectors.vector import UNCLEANED


@dataclass(frozen=True, slots=True)
class Cleaning:
    """Which coordinates are set to zero, and whether before the fit or after it."""

    name: str
    dimensions: tuple[int, ...]

    @property
    def before(self) -> bool:
        """Whether the rows are cleaned, not the vector."""
        return self.name == BEFORE


@dataclass(frozen=True, slots=True)
class Cleanings:
    """The cleanings that differ, and for each other name that was asked for the one it equals."""

    made: tuple[Cleaning, ...]
    same: Mapping[str, str]
    notes: tuple[str, ...]


def cleanings(names: Sequence[str], massive: MassiveDimensions | None) -> Cleanings:
    """Resolve names of cleanings for a model.

    Of names that come to the same coordinates one is made: ``all``, else the first; without massive
    dimensions every cleaning is ``none``. The others stand for it.

    Raises:
        SondeError: a name is unknown, or massive dimensions are needed and were not measured.
    """
    wanted = [name for name in names if name != UNCLEANED]
    if wanted and massive is None:
        raise SondeError(
            f"Cleaning ({', '.join(wanted)}) needs the massive dimensions of the model.",
            fix="Measure them (massive_dimensions) and give them as massive=.",
        )
    indices = massive.indices if massive is not None else ()
    found: list[Cleaning] = []
    same: dict[str, str] = {}
    notes: list[str] = []
    for name in names:
        dimensions = dimensions_of(name, indices)
        twin = ALL if ALL in wanted and name != ALL and dimensions == indices else ""
        alike = (one.name for one in found if one.dimensions == dimensions and not one.before)
        twin = twin or next(alike, "")
        if name not in (UNCLEANED, BEFORE, ALL) and dimensions and twin:
            same[name] = twin
            notes.append(
                f"{name} stands for {twin}: of {len(indices)} massive dimensions it is the same."
            )
        elif name != UNCLEANED and not dimensions:
            same[name] = UNCLEANED
            notes.append(f"{name} stands for {UNCLEANED}: the model has no massive dimensions.")
        else:
            found.append(Cleaning(name, dimensions))
    made = tuple(found) or (Cleaning(UNCLEANED, ()),)
    return Cleanings(made, same, tuple(notes))


def dimensions_of(name: str, massive: tuple[int, ...]) -> tuple[int, ...]:
    """Return the coordinates that a cleaning sets to zero, of massive ones with the largest first.

    Raises:
        SondeError: the name is unknown.
    """
    if name == UNCLEANED:
        return ()
    if name in (ALL, BEFORE):
        return massive
    front, _, count = name.partition("-")
    if front != "top" or not count.isdecimal() or int(count) < 1:
        raise SondeError(
            f"{name!r} is not a cleaning.{nearest(name, CLEANING_NAMES)}",
            fix=f"There are {', '.join(CLEANING_NAMES)}.",
        )
    return massive[: int(count)]


def cleaned(
    direction: Float[Tensor, "*batch d_model"], dimensions: Sequence[int]
) -> Float[Tensor, "*batch d_model"]:
    """Return a direction with some coordinates set to zero; its length is left as it comes out."""
    kept = torch.ones(direction.shape[-1], dtype=direction.dtype, device=direction.device)
    kept[list(dimensions)] = 0
    return direction * kept


def energy_share(
    direction: Float[Tensor, "*batch d_model"], dimensions: Sequence[int]
) -> Float[Tensor, "*batch"]:
    """Return the share of squared length in some coordinates: sum over them of v_i^2 / |v|^2.

    In [0, 1]; blind to the length. NaN for a direction of zero length.
    """
    squares = direction.double().square()
    return squares[..., list(dimensions)].sum(dim=-1) / squares.sum(dim=-1)
