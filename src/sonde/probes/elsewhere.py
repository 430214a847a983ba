"""Probes that are to read other data than they were fitted on, units that they saw included.

A unit (group or example) that the training data holds too is never scored by a fit that saw it:
training units are dealt into folds, and such a unit is read by the fit without its fold, with the
layer and penalty that the other folds chose. The other units are read by the fit on all rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.activations.activations import Activations
from sonde.activations.subset import Subset
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint
from sonde.probes.duplicates import without_duplicates
from sonde.probes.job import Job
from sonde.probes.kinds import KINDS
from sonde.probes.known_again import keys_of
from sonde.probes.lines import Predicted
from sonde.probes.problem import Problem
from sonde.probes.reader import Reader, read_rows
from sonde.probes.scored import Scored
from sonde.probes.settings import AnyProbeSettings
from sonde.probes.sweep import make_folds, sweep
from sonde.probes.swept import Place, Swept, why_all_failed
from sonde.probes.targets import Labels, Targets
from sonde.probes.threads import threads_for
from sonde.stats.metrics import METRICS

SEEN = -2  # the fold of a row that no fit has not seen


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Activations with their labels, to train on or to test on.

    ``hook`` is the hook point to read; None takes the one that the training rows choose.
    """

    acts: Activations
    labels: Labels
    hook: HookPoint | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What was learnt from a source: where to read and by what, without each fold and from all.

    The last of ``places`` and ``readers`` are those of all rows; before it, those without fold 0,
    1 and so on. ``seen`` has the fold of each unit, example and text that was trained on.
    """

    settings: AnyProbeSettings
    labels: tuple[str, ...]
    places: tuple[Place, ...]
    readers: tuple[Reader, ...]
    seen: Mapping[tuple[str, str], int]

    @classmethod
    def of(cls, source: Source, settings: AnyProbeSettings) -> "Fitted":
        """Sweep, choose without each fold, and fit again without it."""
        acts = _read_at(source, source.hook)
        targets = KINDS[settings.kind].targets(acts, source.labels, settings, None)
        with threads_for(len(targets.index)):
            targets = without_duplicates(acts, targets, settings)
            folds = make_folds(targets, settings)
            swept, failed = sweep(acts, targets, folds, settings)
            if not swept:
                raise SondeError(f"No layer could be probed. {why_all_failed(failed)}")
            best = [_best_without(swept, fold) for fold in range(settings.folds)]
            readers = [
                _fit_without(acts, targets, folds, (one, fold), settings)
                for fold, one in enumerate(best)
            ]
        whole = max(swept, key=lambda one: _known(one.by_penalty[one.final]))
        seen = {key: int(fold) for keys, fold in zip(keys_of(targets, acts), folds, strict=True)
                for key in keys}  # fmt: skip
        return cls(
            settings,
            targets.labels,
            (*(one.place for one in best), whole.place),
            (*readers, whole.reader),
            seen,
        )

    def score(self, source: Source) -> tuple[Scored, int]:
        """Return what is said of a source's rows, and how many of its units were trained on too.

        A row whose example, text and unit lie in different folds was seen by every fit; such rows
        are left out.

        Raises:
            SondeError: the labels do not join or are other classes, or the source was not read
                where the probes are, or has another width.
        """
        acts = source.acts
        targets = self._targets(acts, source)
        every = len(self.readers) - 1
        reader_of = np.array([self._fold_of(keys, every) for keys in keys_of(targets, acts)])
        rows = self._rows(targets, reader_of)
        rows = rows[reader_of[rows] != SEEN]
        if not len(rows):
            raise SondeError("Every fit saw all of its rows.")
        said = [self._said(number, source, targets, rows[reader_of[rows] == number])
                for number in range(every + 1)]  # fmt: skip
        predicted = np.empty((len(rows), 1, max(one.shape[1] for one in said if len(one))))
        scale = np.ones(len(rows))
        for number, one in enumerate(said):
            here = reader_of[rows] == number
            if here.any():
                predicted[here, 0] = one
                scale[here] = self._size(one)
        units = targets.unit[rows]
        shared = len(np.unique(units[reader_of[rows] < every]))
        return self._scored(targets, rows, predicted, (reader_of[rows], scale, every)), shared

    def _targets(self, acts: Activations, source: Source) -> Targets:
        """Join a source's labels, of the same classes and with the same one as positive."""
        join, two = KINDS[self.settings.kind].targets, hasattr(self.settings, "positive")
        settings = self.settings.model_copy(update={"positive": None}) if two else self.settings
        found = join(acts, source.labels, settings, None)
        if set(found.labels) != set(self.labels):
            raise SondeError(
                f"Its labels are {_listed(found.labels)}, the probe's {_listed(self.labels)}."
            )
        if found.labels == self.labels:
            return found
        right = settings.model_copy(update={"positive": self.labels[1]})
        return join(acts, source.labels, right, None)

    def _fold_of(self, keys: Sequence[tuple[str, str]], every: int) -> int:
        folds = {self.seen[key] for key in keys if key in self.seen}
        if len(folds) > 1:
            return SEEN
        return folds.pop() if folds else every

    def _rows(
        self, targets: Targets, reader_of: Int[np.ndarray, " row"]
    ) -> Int[np.ndarray, " here"]:
        """Return the rows at the positions that were chosen, those of an example together."""
        if len(set(targets.position.tolist())) > 1:
            wanted = np.array([place.position for place in self.places])[reader_of]
            rows = np.flatnonzero(targets.position == wanted)
        else:
            rows = np.arange(len(targets.position))
        if KINDS[self.settings.kind].pools:
            rows = rows[np.lexsort((targets.token[rows], targets.example[rows]))]
        return rows

    def _said(
        self, number: int, source: Source, targets: Targets, rows: Int[np.ndarray, " here"]
    ) -> Float[np.ndarray, "here output"]:
        """Read some rows by one of the readers."""
        if not len(rows):
            return np.empty((0, 1))
        hook, reader = source.hook or self.places[number].hook, self.readers[number]
        x = _tensor(source.acts, hook)[torch.from_numpy(targets.index[rows])]
        width = len(reader.tensors()["mean"])
        if x.shape[1] != width:
            raise SondeError(f"Its width is {x.shape[1]}, and the probe's {width}.")
        bad = targets.example[rows][~x.isfinite().all(dim=1).cpu().numpy()]
        if len(bad):
            raise SondeError(
                f"{len(bad):,} of its rows hold NaN or Inf at {hook}, such as {str(bad[0])!r}."
            )
        example = np.unique(targets.example[rows], return_inverse=True)[1].reshape(-1)
        return read_rows(reader, x.to(torch.float64), torch.from_numpy(example)).numpy()

    def _size(self, said: Float[np.ndarray, "here output"]) -> float:
        """Return the root mean square, by which logits of different fits are ranked together."""
        size = float(np.sqrt(np.square(said).mean()))
        return size if METRICS[self.settings.metric].two_classes and size > 0 else 1.0

    def _scored(
        self,
        targets: Targets,
        rows: Int[np.ndarray, " here"],
        predicted: Predicted,
        by: tuple[Int[np.ndarray, " here"], Float[np.ndarray, " here"], int],
    ) -> Scored:
        reader_of, scale, every = by
        kind, folds = KINDS[self.settings.kind], np.zeros(len(targets.unit), int)
        lines = kind.lines(self.settings, targets, rows, folds)
        truth = lines.truth(targets.values[rows][:, None])[:, 0]
        at = rows[lines.rows]
        return Scored(
            example=targets.example[at],
            token=targets.token[at],
            unit=targets.unit[at],
            fold=np.where(reader_of == every, -1, reader_of)[lines.rows],
            truth=truth,
            predicted=lines.said(predicted)[:, 0] / scale[lines.rows],
            scale=scale[lines.rows],
        )


def _best_without(swept: Sequence[Swept], fold: int) -> Swept:
    """Return the place that the training folds of a fold score best; of equal ones the first."""
    return max(swept, key=lambda one: _known(one.columns.inner_best[fold, 0]))


def _known(score: float) -> float:
    return float("-inf") if np.isnan(score) else float(score)


def _fit_without(
    acts: Activations,
    targets: Targets,
    folds: Int[np.ndarray, " row"],
    chosen: tuple[Swept, int],
    settings: AnyProbeSettings,
) -> Reader:
    """Fit at the place and penalty that the other folds chose, on their rows."""
    one, fold = chosen
    rows = np.flatnonzero((targets.position == one.place.position) & (folds != fold))
    job = Job.of(targets, rows, folds, settings)
    x = _tensor(acts, one.place.hook)[torch.from_numpy(targets.index[job.rows])]
    problem = Problem(
        x.to(torch.float64)[None],
        torch.from_numpy(job.y),
        torch.from_numpy(np.unique(job.folds, return_inverse=True)[1].reshape(-1)),
        torch.from_numpy(job.example),
    )
    penalty = torch.tensor([settings.penalties[one.chosen[fold]]], dtype=torch.float64)
    return job.prepare(problem).final(penalty)[0]


def _tensor(acts: Activations, hook: HookPoint) -> Float[Tensor, "row d_model"]:
    rows = acts.tensor(hook)
    return rows.flatten(1) if rows.ndim > 2 else rows


def _read_at(source: Source, hook: HookPoint | None) -> Activations:
    if hook is None:
        return source.acts
    return Subset(source.acts, np.arange(len(source.acts)), source.acts.skipped, (hook,))


def _listed(labels: Sequence[str]) -> str:
    return " and ".join(map(repr, labels)) or "numbers"
