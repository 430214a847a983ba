"""When a judge's probability lies beside its scale: one answer without a score, or no judge."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sonde.core.errors import SondeError
from sonde.judges.judge import Opinion, is_judged
from sonde.judges.scales import Expected

FIRST = 10  # answers without any score, after which a judge is none
SHOWN = 40  # characters of what it said instead


def opinion_of(
    expected: Expected, least_mass: float, *, said: str = "", cost: float = 0.0, tokens: int = 0
) -> Opinion:
    """Return an opinion, without a score where less than ``least_mass`` lies on the scale."""
    if expected.score is not None and expected.mass >= least_mass:
        return Opinion(expected.score, expected.mass, cost=cost, tokens=tokens)
    instead = f"; it said {said.strip()[:SHOWN]!r}" if said.strip() else ""
    reason = (
        f"{expected.mass:.1%} of the judge's probability is on the scale, less than "
        f"{least_mass:.0%}{instead}"
    )
    return Opinion(None, expected.mass, reason, cost, tokens)


@dataclass(slots=True)
class OffScale:
    """Watches all that a judge says: a model that gives none of its first a score cannot judge."""

    seen: int = 0
    scored: bool = False

    def after(self, opinion: Opinion, judge: str) -> SondeError | None:
        """Take note of an opinion of a judge; return the error to raise once it is clear."""
        self.seen += 1
        self.scored = self.scored or opinion.score is not None
        if self.scored or self.seen < FIRST:
            return None
        return SondeError(
            f"The judge {judge} scored none of its first {self.seen} answers: {opinion.reason}.",
            fix="Choose a stronger judge (a larger instruct model that does not think aloud first) "
            "or kind: rules; or lower least_mass if you know why it is low.",
        )


@runtime_checkable
class Watched(Protocol):
    """A judge that is watched so, and may be told of scores that it gave before this run."""

    def has_scored(self) -> None:
        """Take note that it can judge."""
        ...


def tell_scored(judge: object, known: Iterable[Opinion]) -> None:
    """Tell a judge that is watched of its scores of an earlier run, if there is one."""
    if isinstance(judge, Watched) and any(is_judged(one) for one in known):
        judge.has_scored()
