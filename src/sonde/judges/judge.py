"""What a judge is asked, what it answers, and the protocol that every judge follows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from sonde.core.errors import SondeError

Aspect: TypeAlias = Literal["trait", "coherence"]
LOWEST, HIGHEST = 0.0, 100.0


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer to judge, the question that it answers, and the trait that is looked for."""

    question: str
    answer: str
    trait: str = ""
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Opinion:
    """A judge's score of one answer, from 0 to 100; None where there is none, with the reason.

    ``mass`` is the share of the judge's probability that lay on the scale, where it has one.
    ``cost`` is what this opinion cost, in the currency of the price given, and ``tokens`` how many
    it took; both are 0 for one that was read from the cache.
    """

    score: float | None
    mass: float | None = None
    reason: str = ""
    cost: float = 0.0
    tokens: int = 0

    def __post_init__(self) -> None:
        if self.score is None and not self.reason:
            raise SondeError("An opinion without a score says why.", fix="Give reason=.")
        if self.score is not None and not LOWEST <= self.score <= HIGHEST:
            raise SondeError(
                f"A judge's score is {self.score}, outside 0 to 100.", fix="Scale it to 0 to 100."
            )


@runtime_checkable
class Judge(Protocol):
    """Scores answers from 0 to 100 in one aspect: how far they show a trait, or are coherent."""

    @property
    def name(self) -> str:
        """The judge's name in tables."""
        ...

    @property
    def aspect(self) -> Aspect:
        """What it scores."""
        ...

    def key(self) -> Mapping[str, Any]:
        """Return, as JSON-like values, all that decides its opinions, for the cache."""
        ...

    def score(self, asked: Sequence[Asked]) -> list[Opinion]:
        """Return one opinion for each answer, in order."""
        ...


@runtime_checkable
class StreamingJudge(Judge, Protocol):
    """A slow judge, whose opinions come one by one, so that what is finished can be kept."""

    def each(self, asked: Sequence[Asked]) -> Iterator[tuple[int, Opinion]]:
        """Yield opinions with the numbers of their answers, in any order."""
        ...


def nothing_to_judge(asked: Asked) -> Opinion | None:
    """Return the opinion of an empty answer, which shows no trait and is not coherent: 0."""
    return None if asked.answer.strip() else Opinion(LOWEST, reason="the answer is empty")


def is_judged(opinion: Opinion) -> bool:
    """Whether a judge gave a score; that of an empty answer, which has a reason, is nobody's."""
    return opinion.score is not None and not opinion.reason
