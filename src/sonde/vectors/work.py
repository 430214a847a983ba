"""What vectors are made from: rows with their labels and folds, and how a direction is wrapped."""

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
from sonde.vectors.cleaning import Cleaning, cleanings
from sonde.vectors.settings import VectorSettings
from sonde.vectors.vector import Vector


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What vectors are made from; ``fold`` and the targets are of the same rows."""

    acts: Activations
    targets: Targets
    fold: np.ndarray
    settings: VectorSettings
    massive: MassiveDimensions | None
    trait: str
    cleanings: tuple[Cleaning, ...]
    notes: tuple[str, ...]
    training_data: str

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
    found, notes = cleanings(settings.cleanings, massive)
    merging = MeanDifferenceSettings(folds=max(3, settings.folds))
    targets = without_duplicates(acts, targets, merging)
    fold = grouped_folds(
        targets.unit, settings.folds, classes=targets.values[:, 0], seed=settings.seed
    )
    said = (*targets.notes, *notes)
    return Work(acts, targets, fold, settings, massive, trait, found, said, targets.fingerprint)
