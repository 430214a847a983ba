"""From finished stages to the numbers and per-unit scores that claims are judged on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sonde.core.errors import SondeError, nearest
from sonde.experiments.claims.references import ResultReference
from sonde.experiments.folder import Done, ResultFolder
from sonde.experiments.stage import Finished
from sonde.ledger.intervals import interval_read
from sonde.ledger.lineage import Content, numbering_of
from sonde.ledger.records import Against, Measured
from sonde.stats.interval import Interval

if TYPE_CHECKING:
    from sonde.stats.scores import Scores

SKIPPED = "skipped"
Found = TypeVar("Found")


class NoEvidence(Exception):
    """That a claim cannot be judged: why, and what would help."""

    def __init__(self, why: str, advice: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.advice = advice


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """One number: its metric, its interval, and the rows that it is computed from.

    Several series (several shuffles of the labels) stand for the mean of their scores.
    """

    reference: ResultReference
    metric: str
    score: Interval
    series: "tuple[Scores, ...]"


@dataclass(frozen=True, slots=True)
class Findings:
    """What the stages of all variants found, by the variant's label and the stage's name."""

    variants: Mapping[str, Mapping[str, Finished]]
    _measured: dict[Path, dict[str, Measured]] = field(
        default_factory=dict[Path, dict[str, Measured]]
    )
    _markers: dict[Path, Done | None] = field(default_factory=dict[Path, Done | None])

    def state(self, reference: ResultReference) -> str:
        """Return the key of the result that a reference reads, or ``skipped``."""
        finished = self.variants[reference.variant].get(reference.stage)
        return SKIPPED if finished is None or finished.skipped else finished.key

    def evidence(self, reference: ResultReference) -> Evidence:
        """Return what a reference reads.

        Raises:
            NoEvidence: the stage was skipped, has no such result, or kept no per-unit scores.
        """
        finished = self.variants[reference.variant].get(reference.stage)
        if finished is None:
            raise NoEvidence(
                f"{reference} is missing: {reference.stage} waits for the verdicts on claims.",
                "Let it not depend on a report.",
            )
        if finished.skipped:
            raise NoEvidence(
                f"{reference} is missing: {reference.stage} was skipped {finished.skipped}.",
                "Open its gate, or claim something about what did run.",
            )
        measured = self._result(reference, finished)
        score, series = measured.score, (measured.series,)
        if score is None:
            raise NoEvidence(f"{reference} is not applicable: {measured.not_applicable}.")
        if reference.against:
            against = _against(reference, measured)
            score, series = against.score, against.series
        if not math.isfinite(score.value):
            raise NoEvidence(f"{reference} is not a number.")
        if not measured.units or not all(series) or not series:
            raise NoEvidence(
                f"{reference} has no per-unit scores.",
                "Only results that keep the score of each unit can be compared.",
            )
        from sonde.ledger.units import read_scores, told_apart

        path = finished.folder / measured.units
        numbering = numbering_of(finished.key, self._contents(reference.variant))
        rows = (read_scores(path, name, measured.metric) for name in series)
        apart = tuple(told_apart(one, numbering) for one in rows)
        return Evidence(reference, measured.metric, score, apart)

    def results(self, variant: str) -> Mapping[str, Mapping[str, Measured]]:
        """Return all results of a variant, by stage and name."""
        return {
            name: self._of(finished)
            for name, finished in self.variants[variant].items()
            if not finished.skipped
        }

    def _result(self, reference: ResultReference, finished: Finished) -> Measured:
        known = self._of(finished)
        return _known(known, reference.result, f"{reference.stage} has no result")

    def _contents(self, variant: str) -> dict[str, Content]:
        """Return what the finished stages of a variant were made of, by key."""
        found = [one for one in self.variants[variant].values() if not one.skipped]
        markers = [(one.key, self._done(one)) for one in found]
        return {key: done.made_of for key, done in markers if done is not None}

    def _of(self, finished: Finished) -> dict[str, Measured]:
        if finished.folder not in self._measured:
            done = self._done(finished)
            found = [measured_from(stored) for stored in done.results] if done else []
            self._measured[finished.folder] = {one.name: one for one in found}
        return self._measured[finished.folder]

    def _done(self, finished: Finished) -> Done | None:
        if finished.folder not in self._markers:
            self._markers[finished.folder] = ResultFolder(finished.folder).done
        return self._markers[finished.folder]


def _against(reference: ResultReference, measured: Measured) -> Against:
    known = {**measured.controls, **measured.baselines}
    lacks = f"{reference.stage}.{reference.result} has no control or baseline"
    return _known(known, reference.against, lacks)


def _known(known: Mapping[str, Found], name: str, lacks: str) -> Found:
    if name not in known:
        raise NoEvidence(
            f"{lacks} {name!r}.{nearest(name, known)}", f"It has {_few(list(known)) or 'none'}."
        )
    return known[name]


def measured_from(stored: Mapping[str, Any]) -> Measured:
    """Return a result as it was measured, from a marker's JSON values.

    Raises:
        SondeError: another sonde wrote it, in another form.
    """
    read: dict[str, Any] = {
        "score": interval_read(stored["score"]),
        "controls": _several(stored.get("controls", {})),
        "baselines": _several(stored.get("baselines", {})),
    }
    try:
        return Measured(**{**stored, **read})
    except TypeError as error:
        raise SondeError(
            f"A stored result cannot be read: {error}.",
            fix="Another version of sonde wrote it; run the stage again with --force.",
        ) from None


def _several(stored: Mapping[str, Any]) -> dict[str, Against]:
    found: dict[str, Against] = {}
    for name, one in stored.items():
        score = interval_read(one["score"])
        assert score is not None, name
        found[name] = Against(score, tuple(one["series"]))
    return found


def _few(names: list[str]) -> str:
    return ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
