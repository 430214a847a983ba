"""Ridge at every layer and penalty, cross-validated once: R^2 and the final probes, no more.

``sonde.probes.ridge`` chooses the penalty inside the training folds, fits controls and baselines
and gives intervals, which takes three times as many fits and more. This is the plain curve over
penalties, as scikit-learn's ``GridSearchCV`` draws it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from sonde.activations.activations import Activations, Origin
from sonde.core.base import validated
from sonde.core.errors import SondeError
from sonde.data.accounting import JoinReport
from sonde.probes.duplicates import without_duplicates
from sonde.probes.job import Job
from sonde.probes.nested import strongest_best
from sonde.probes.probe import Probe
from sonde.probes.problem import Problem
from sonde.probes.reader import Reader
from sonde.probes.ridge_solver import ridge_solver
from sonde.probes.settings import RidgeSettings
from sonde.probes.sweep import make_folds
from sonde.probes.swept import NOT_FINITE, FailedLayer, Place, why_all_failed
from sonde.probes.targets import Labels, Targets, number_targets
from sonde.probes.threads import threads_for


@dataclass(frozen=True, slots=True, eq=False)
class PenaltyScores:
    """R^2 of ridge by place, penalty and fold, and the probe of each place's best penalty.

    ``r2`` pools the residuals of all folds, 1 - sum (y - p)^2 / sum (y - mean(y))^2; ``by_fold``
    takes each fold about its own mean, as scikit-learn scores it (NaN where a fold's labels are all
    the same). Several targets are averaged. The best of ``r2`` is the best of what was tried, not
    what to expect of new data: for that, fit ``sonde.probes.ridge``.
    """

    places: tuple[Place, ...]
    penalties: tuple[float, ...]
    r2: Float[np.ndarray, "place penalty"]
    by_fold: Float[np.ndarray, "place penalty fold"]
    probes: tuple[Probe, ...]
    failed: tuple[FailedLayer, ...]
    join: JoinReport
    warnings: tuple[str, ...]

    @property
    def best(self) -> Int[np.ndarray, " place"]:
        """The index of each place's best penalty; of equal ones the strongest."""
        return strongest_best(self.r2, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class FoldSums:
    """Sums of squares of one place: of residuals, and of targets about the mean.

    ``apart`` are the squares about the mean over all folds.
    """

    residual: Float[np.ndarray, "penalty fold target"]
    total: Float[np.ndarray, "fold target"]
    apart: Float[np.ndarray, " target"]

    @classmethod
    def of(
        cls,
        residual: Float[np.ndarray, "penalty fold target"],
        y: Float[np.ndarray, "row target"],
        folds: Int[np.ndarray, " row"],
    ) -> "FoldSums":
        """Put the squares of the targets beside those of the residuals."""
        inside = [y[folds == fold] for fold in range(residual.shape[1])]
        total = [np.square(part - part.mean(axis=0)).sum(axis=0) for part in inside]
        return cls(residual, np.stack(total), np.square(y - y.mean(axis=0)).sum(axis=0))

    @property
    def r2(self) -> Float[np.ndarray, " penalty"]:
        """R^2 of all folds' residuals together, averaged over targets."""
        return (1 - self.residual.sum(axis=1) / self.apart).mean(axis=-1)

    @property
    def best(self) -> int:
        """The index of the penalty with the best R^2; of equal ones the strongest."""
        return int(strongest_best(self.r2[None], axis=1)[0])

    @property
    def by_fold(self) -> Float[np.ndarray, "penalty fold"]:
        """R^2 of each fold about its own mean, averaged over targets."""
        total = np.where(self.total > 0, self.total, np.nan)
        return (1 - self.residual / total).mean(axis=-1)


def ridge_scores(
    acts: Activations, y: Labels, settings: RidgeSettings | None = None, **given: Any
) -> PenaltyScores:
    """Fit ridge at every hook point, position and penalty, and score each out of fold.

    Takes what ``sonde.probes.ridge`` takes and deals the same folds; settings of intervals,
    controls and baselines are not used.

    Raises:
        SondeError: the labels do not join or do not vary, there are too few groups, or no layer
            could be fitted.
    """
    chosen = plain_settings(settings, given)
    targets = without_duplicates(acts, number_targets(acts, y), chosen)
    found: dict[Place, tuple[FoldSums, Reader]] = {}
    failed: list[FailedLayer] = []
    with threads_for(len(targets.index)):
        folds = make_folds(targets, chosen)
        for job in jobs(targets, folds, chosen):
            index = torch.from_numpy(targets.index[job.rows])
            for hook in acts.hooks:
                x = acts.tensor(hook)[index].flatten(1)
                bad = int((~x.isfinite().all(dim=1)).sum())
                fault = (
                    f"{bad} of {len(x)} rows hold NaN or Inf; {NOT_FINITE}" if bad else job.fault
                )
                if fault:
                    failed.append(FailedLayer(hook, job.position, fault))
                else:
                    found[Place(hook, job.position)] = _fitted(x.double(), job)
    return put_together(found, failed, targets, chosen, acts.origin)


def plain_settings(settings: RidgeSettings | None, given: Mapping[str, Any]) -> RidgeSettings:
    """Return the settings without what the plain curve leaves out."""
    base = settings.model_dump() if settings else {}
    without = {"shuffles": 0, "directions": 0, "baseline": False}
    return validated(RidgeSettings, {**base, **given, **without}, where="The probe's settings")


def jobs(
    targets: Targets, folds: Int[np.ndarray, " row"], settings: RidgeSettings
) -> Iterator[Job]:
    """Yield each position's rows, labels and folds."""
    for position in dict.fromkeys(targets.position.tolist()):
        yield Job.of(targets, np.flatnonzero(targets.position == position), folds, settings)


def ordered(places: Iterable[Place], targets: Targets) -> tuple[Place, ...]:
    """Put places in the order of the rows' positions and of the forward pass."""
    positions = list(dict.fromkeys(targets.position.tolist()))
    key = {position: number for number, position in enumerate(positions)}
    return tuple(sorted(places, key=lambda place: (key[place.position], place.hook.depth)))


def _fitted(x: Float64[Tensor, "row d_model"], job: Job) -> tuple[FoldSums, Reader]:
    y = torch.from_numpy(job.y)
    problem = Problem(x[None], y, torch.from_numpy(job.folds), torch.from_numpy(job.example))
    solver, penalties = ridge_solver(problem), job.settings.penalties
    residual: list[np.ndarray] = []
    for fold in range(problem.n_folds):
        said = solver.held_out((fold,), penalties)[0, :, :, 0]
        apart = said - y[problem.folds == fold, 0]
        residual.append(apart.square().sum(dim=1).numpy())
    sums = FoldSums.of(np.stack(residual, axis=1), job.y[:, 0], job.folds)
    (reader,) = solver.final(torch.tensor([penalties[sums.best]], dtype=torch.float64))
    return sums, reader


def put_together(
    found: Mapping[Place, tuple[FoldSums, Reader]],
    failed: Sequence[FailedLayer],
    targets: Targets,
    settings: RidgeSettings,
    origin: Origin,
) -> PenaltyScores:
    """Make the result of what was found at each place.

    Raises:
        SondeError: nothing was found.
    """
    if not found:
        raise SondeError(f"No layer could be probed. {why_all_failed(failed)}")
    places = ordered(found, targets)
    r2 = np.stack([found[place][0].r2 for place in places])
    data = targets.fingerprint
    probes = [
        Probe(
            kind=settings.kind,
            says=settings.says,
            hook=place.hook,
            position=place.position,
            reader=found[place][1],
            labels=targets.labels,
            penalty=settings.penalties[found[place][0].best],
            origin=origin,
            training_data=data,
            n_rows=int((targets.position == place.position).sum()),
        )
        for place in places
    ]
    return PenaltyScores(
        places=places,
        penalties=settings.penalties,
        r2=r2,
        by_fold=np.stack([found[place][0].by_fold for place in places]),
        probes=tuple(probes),
        failed=tuple(failed),
        join=targets.report,
        warnings=targets.notes,
    )
