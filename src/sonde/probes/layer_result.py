"""What a sweep found at one place, and the score of choosing a place."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sonde.core.hooks import HookPoint
from sonde.probes.control import Control
from sonde.probes.names import SHUFFLED
from sonde.probes.probe import Probe
from sonde.probes.scored import Scored
from sonde.probes.settings import Says
from sonde.stats.confusion import Confusion, confusion
from sonde.stats.interval import Interval


@dataclass(frozen=True, slots=True, eq=False)
class LayerResult:
    """One hook point and position.

    ``score`` is out of fold, its penalty chosen inside the training folds; ``controls`` are the
    same procedure on the same folds where there is nothing to find, by name. ``metrics`` has every
    metric of the kind, ``by_penalty`` the cross-validated score of each penalty, ``penalty`` the
    best of them, with which ``probe`` was fitted on all rows.
    """

    hook: HookPoint
    position: str
    score: Interval
    controls: Mapping[str, Control]
    metrics: Mapping[str, Interval]
    penalty: float
    by_penalty: tuple[tuple[float, float], ...]
    probe: Probe
    scored: Scored
    warnings: tuple[str, ...] = ()

    @property
    def control(self) -> Interval | None:
        """The shuffled-label control's score, or None where there is none."""
        return self.controls[SHUFFLED].score if SHUFFLED in self.controls else None

    @property
    def confusion(self) -> Confusion | None:
        """The rows by true and predicted class; None where numbers were fitted."""
        return confusion_of(self.scored, self.probe.says, self.probe.labels)

    @property
    def out_of_fold(self) -> np.ndarray:
        """What fits said that did not see the row, ``[row]``, in the order of ``scored``."""
        return self.scored.said


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The score of choosing: hook point, position and penalty chosen in the training folds.

    ``hooks``, ``positions`` and ``penalties`` have one entry for each outer fold. ``controls`` make
    the same choice where there is nothing to find.
    """

    score: Interval
    controls: Mapping[str, Control]
    hooks: tuple[HookPoint, ...]
    positions: tuple[str, ...]
    penalties: tuple[float, ...]
    scored: Scored

    @property
    def control(self) -> Interval | None:
        """The shuffled-label control's score, or None where there is none."""
        return self.controls[SHUFFLED].score if SHUFFLED in self.controls else None


def confusion_of(scored: Scored, says: Says, labels: tuple[str, ...]) -> Confusion | None:
    """Count rows by class; of two, a prediction above 0 is one of the second class."""
    if says == "logits":
        names = np.array(labels)
        return confusion(names[_whole(scored.truth)], names[_whole(scored.predicted)], labels)
    if says not in ("logit", "score") or len(labels) != 2:
        return None
    names = np.array(labels)
    return confusion(
        names[(scored.truth > 0.5).astype(int)], names[(scored.predicted > 0).astype(int)], labels
    )


def _whole(numbers: np.ndarray) -> np.ndarray:
    return numbers.round().astype(int)
