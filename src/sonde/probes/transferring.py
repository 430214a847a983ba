"""Transfer: probes fitted on one data set, model, variant or layer, scored on another."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sonde.core.errors import SondeError
from sonde.probes.elsewhere import Fitted, Source
from sonde.probes.scored import Scored
from sonde.probes.settings import AnyProbeSettings
from sonde.stats.effects import interval_of
from sonde.stats.interval import Interval


@dataclass(frozen=True, slots=True, eq=False)
class TransferCell:
    """The score on ``test`` of probes fitted on ``train``; None where ``note`` says why.

    ``shared`` counts the units that both hold, which were read by fits without them.
    """

    train: str
    test: str
    score: Interval | None
    scored: Scored | None = None
    shared: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Transfer:
    """Every training source against every test source; by name, ``train`` first."""

    kind: str
    metric: str
    cells: tuple[TransferCell, ...]

    def at(self, train: str, test: str) -> TransferCell:
        """Return one cell.

        Raises:
            SondeError: there is no such pair.
        """
        for cell in self.cells:
            if (cell.train, cell.test) == (train, test):
                return cell
        raise SondeError(
            f"There is no transfer from {train!r} to {test!r}.",
            fix=f"There are {', '.join(f'{it.train} to {it.test}' for it in self.cells)}.",
        )

    def __str__(self) -> str:
        names = [f"{cell.train} to {cell.test}" for cell in self.cells]
        width = max(map(len, names), default=0)
        lines = [f"{self.kind}, {self.metric}, fitted on the first and scored on the second:"]
        for name, cell in zip(names, self.cells, strict=True):
            told = cell.note if cell.score is None else str(cell.score)
            aside = f"  ({cell.note})" if cell.score is not None and cell.note else ""
            lines.append(f"  {name:<{width}}  {told}{aside}")
        return "\n".join(lines)


def transfer(
    train: Mapping[str, Source], test: Mapping[str, Source], settings: AnyProbeSettings
) -> Transfer:
    """Fit on each source of ``train`` and score on each of ``test``.

    A source in both is scored out of fold. Folds, choices and metric are those of the settings;
    controls and baselines belong to sweeps (``sonde.probes.fit``) and are not made here.

    Raises:
        SondeError: there is nothing to train on or to test on, the kind reads comparisons, or no
            training source can be fitted.
    """
    if not train or not test:
        raise SondeError("Transfer needs sources to train on and to test on.")
    cells, faults = cells_of(train, test, bare(settings))
    if len(faults) == len(train):
        raise faults[0]
    return Transfer(settings.kind, settings.metric, tuple(cells))


def cells_of(
    train: Mapping[str, Source], test: Mapping[str, Source], settings: AnyProbeSettings
) -> tuple[list[TransferCell], list[SondeError]]:
    """Return the cells; those of a source that cannot be fitted say why, beside the errors."""
    cells: list[TransferCell] = []
    faults: list[SondeError] = []
    for name, source in train.items():
        try:
            fitted = Fitted.of(source, settings)
        except SondeError as error:
            faults.append(error)
            cells += [TransferCell(name, other, None, note=error.what) for other in test]
        else:
            cells += [_cell((name, other), fitted, tested) for other, tested in test.items()]
    return cells, faults


def bare(settings: AnyProbeSettings) -> AnyProbeSettings:
    """Return the settings without controls and baselines, which belong to sweeps.

    Raises:
        SondeError: the kind reads comparisons.
    """
    if settings.says == "utility":
        raise SondeError(
            "Probes of comparisons are not transferred: a comparison has two items.",
            fix="Fit utilities first, and transfer a ridge probe of them.",
        )
    return settings.model_copy(update={"shuffles": 0, "directions": 0, "baseline": False})


def _cell(names: tuple[str, str], fitted: Fitted, tested: Source) -> TransferCell:
    try:
        scored, shared = fitted.score(tested)
    except SondeError as error:
        return TransferCell(*names, None, note=error.what)
    settings = fitted.settings
    score = interval_of(scored.scores(settings.metric), settings.bootstrap)
    note = "out of fold" if shared == len(np.unique(scored.unit)) else ""
    if shared and not note:
        note = (
            f"{shared:,} of {len(np.unique(scored.unit)):,} units trained on too, read out of fold"
        )
    return TransferCell(*names, score, scored, shared, note)
