"""What vectors are made from: rows with their labels and folds, and how a direction is wrapped."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from sonde.activations.activations import Activations
from sonde.activations.massive_report import MassiveDimensions
from sonde.core.hooks import HookPoint
from sonde.probes.duplicates import without_duplicates
from sonde.probes.settings import MeanDifferenceSettings
from sonde.probes.targets import Labels, Targets, class_targets
from sonde.stats.folds import grouped_folds
from sonde.vectors.checks import check_massive, check_sides, typical_norm_at
from sonde.vectors.cleaning import Cleaning, Cleanings, cleanings
from sonde.vectors.methods import METHODS
from sonde.vectors.settings import VectorSettings
from sonde.vectors.vector import Vector, kind_of


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What vectors are made from; ``fold`` and the targets are of the same rows."""

    acts: Activations
    targets: Targets
    fold: np.ndarray
    settings: VectorSettings
    massive: MassiveDimensions | None
    trait: str
    cleaning: Cleanings
    training_data: str

    @property
    def cleanings(self) -> tuple[Cleaning, ...]:
        """The cleanings that are made."""
        return self.cleaning.made

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the rows and the cleanings."""
        return (*self.targets.notes, *self.cleaning.notes)

    @property
    def same(self) -> Mapping[str, str]:
        """The kinds that were asked for and are not made, with the kind that each equals."""
        return {
            kind_of(method, name): kind_of(method, twin)
            for method in self.settings.methods
            for name, twin in self.cleaning.same.items()
            if METHODS[method].needs != "nothing"  # a random direction is never cleaned
        }

    def place(self, position: str) -> np.ndarray:
        """Return which targets are of a position."""
        return np.flatnonzero(self.targets.position == position)

    def vector(
        self, method: str, cleaning: Cleaning, at: tuple[HookPoint, str], raw: Tensor, note: str
    ) -> Vector | None:
        """Wrap a raw direction; None where nothing of it is left."""
        length = float(raw.norm())
        if not length > 0:
            return None
        hook, position = at
        return Vector(
            method=method,
            hook=hook,
            position=position,
            direction=(raw / length).float().cpu(),
            origin=self.acts.origin,
            cleaning=cleaning.name,
            length=length,
            trait=self.trait,
            labels=(self.targets.labels[0], self.targets.labels[1]),
            typical_norm=typical_norm_at(self.massive, hook),
            massive=self.massive.indices if self.massive is not None else (),
            training_data=self.training_data,
            n_rows=len(self.place(position)),
            note=note,
        )


def work_of(
    acts: Activations,
    y: Labels,
    settings: VectorSettings,
    massive: MassiveDimensions | None,
    trait: str,
) -> Work:
    """Join labels with rows, check them, and deal the folds.

    Raises:
        SondeError: as ``vectors_from``.
    """
    targets = class_targets(acts, y, settings.positive)
    check_sides(acts, targets)
    if massive is not None:
        check_massive(acts, massive)
    found = cleanings(settings.cleanings, massive)
    merging = MeanDifferenceSettings(folds=max(3, settings.folds))
    targets = without_duplicates(acts, targets, merging)
    fold = grouped_folds(
        targets.unit, settings.folds, classes=targets.values[:, 0], seed=settings.seed
    )
    return Work(acts, targets, fold, settings, massive, trait, found, targets.fingerprint)
