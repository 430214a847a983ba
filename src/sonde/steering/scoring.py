"""What judges say of answers, kept as it comes: a run goes on where a judge was lost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sonde.core.errors import SondeError
from sonde.core.files import fingerprint
from sonde.judges.judge import Asked, Judge, Opinion, StreamingJudge
from sonde.judges.off_scale import tell_scored
from sonde.steering.journal import Journal
from sonde.steering.settings import JudgedCoherence, Limit
from sonde.steering.task import SteeringTask

AT_ONCE = 64  # answers that are judged between two writes


@dataclass(frozen=True, slots=True)
class Judges:
    """Who judges the trait, and who coherence; None where perplexity limits it."""

    trait: Judge
    coherence: Judge | None = None

    def check(self, limit: Limit) -> None:
        """Refuse judges of a wrong aspect, and a limit that nobody judges.

        Raises:
            SondeError: see above.
        """
        for judge, aspect in ((self.trait, "trait"), (self.coherence, "coherence")):
            if judge is not None and judge.aspect != aspect:
                raise SondeError(
                    f"The judge {judge.name} scores {judge.aspect}, and was given for {aspect}.",
                    fix="Trait and coherence are judged apart: give one judge for each.",
                )
        if isinstance(limit, JudgedCoherence) and self.coherence is None:
            raise SondeError(
                f"The limit is a judged coherence of {limit.at_least:g}, and no judge scores "
                "coherence.",
                fix="Give a judge of coherence, or choose the limit perplexity.",
            )

    @property
    def all(self) -> tuple[Judge, ...]:
        """The judges that there are."""
        return (self.trait,) if self.coherence is None else (self.trait, self.coherence)

    def keys(self) -> dict[str, Any]:
        """Return what decides the judges' opinions."""
        return {
            "trait": dict(self.trait.key()),
            "coherence": None if self.coherence is None else dict(self.coherence.key()),
        }


@dataclass(frozen=True, slots=True)
class Said:
    """A text to judge: the number of the question, and the answer."""

    question: int
    answer: str


def opinions(
    judge: Judge, task: SteeringTask, said: Sequence[Said], journal: Journal
) -> list[Opinion]:
    """Return the judge's opinion of each answer, in order; what is known is not asked again.

    The same answer to the same question is asked about once. What got no score is known until the
    end of this process, and asked about again by a later run.

    Raises:
        SondeError: as the judge, whose scores until then are kept; or it gave too few.
    """
    kind = _kind(judge)
    keys = [fingerprint([task.key, one.question, one.answer]) for one in said]
    absent = {
        key: one for key, one in zip(keys, said, strict=True) if journal.get(kind, key) is None
    }
    tell_scored(judge, map(_opinion, journal.values(kind)))
    names = list(absent)
    for start in range(0, len(names), AT_ONCE):
        part = names[start : start + AT_ONCE]
        _ask(judge, {name: _asked(task, absent[name]) for name in part}, journal)
    return [_opinion(journal.get(kind, key)) for key in keys]


def _ask(judge: Judge, asked: Mapping[str, Asked], journal: Journal) -> None:
    """Ask about some answers; keep the scores that come, also where the judge is lost on the way.

    Raises:
        SondeError: as the judge, or it gave another number of opinions.
    """
    kind, names, found = _kind(judge), list(asked), dict[str, Opinion]()
    try:
        for number, opinion in _as_they_come(judge, list(asked.values())):
            found[names[number]] = opinion
    finally:
        entries = {name: _entry(found[name]) for name in names if name in found}
        scored = {name: one for name, one in entries.items() if one["score"] is not None}
        journal.hold(kind, entries)
        journal.keep(kind, scored)
    if len(found) < len(names):
        raise _number_of_opinions(judge, len(found), len(names))


def _as_they_come(judge: Judge, asked: Sequence[Asked]) -> Iterator[tuple[int, Opinion]]:
    if isinstance(judge, StreamingJudge):
        return judge.each(asked)
    found = judge.score(asked)
    if len(found) != len(asked):
        raise _number_of_opinions(judge, len(found), len(asked))
    return enumerate(found)


def _number_of_opinions(judge: Judge, found: int, wanted: int) -> SondeError:
    return SondeError(
        f"The judge {judge.name} gave {found} opinions of {wanted} answers.",
        fix="Return one opinion for each answer, in order.",
    )


def cost_of(judge: Judge, journal: Journal) -> float:
    """Return what a judge's opinions in a journal cost."""
    return float(sum(entry["cost"] for entry in journal.values(_kind(judge))))


def _kind(judge: Judge) -> str:
    return f"{judge.aspect} by {fingerprint(dict(judge.key()))}"


def _asked(task: SteeringTask, said: Said) -> Asked:
    return Asked(task.questions[said.question], said.answer, task.trait, task.definition)


def _entry(opinion: Opinion) -> dict[str, Any]:
    return {name: getattr(opinion, name) for name in Opinion.__slots__}


def _opinion(entry: Mapping[str, Any]) -> Opinion:
    return Opinion(**entry)
