"""A trait judged by rules: weighted regular expressions and the number of words.

Rules are exact, free and the same everywhere, and see words only: a rule for refusal finds the
usual phrases of refusals. They judge what the embedded model writes, which is itself too weak to.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from sonde.core.base import Config, validated
from sonde.core.files import read_json
from sonde.judges.judge import HIGHEST, LOWEST, Asked, Opinion, nothing_to_judge

START = 160  # characters of an answer that are its start
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")


class Pattern(Config):
    """A regular expression and what it adds to the score; case is ignored unless told.

    ``per: answer`` adds the weight for each match, up to ``at_most`` of them; ``per: sentence``
    adds the weight times the share of sentences with a match, so that length alone adds nothing.
    """

    pattern: str
    weight: float
    per: Literal["answer", "sentence"] = "answer"
    at_most: Annotated[int, Field(ge=1)] = 1
    where: Literal["anywhere", "start"] = "anywhere"
    case: bool = False

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"it is no regular expression: {error}") from None
        return pattern

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.pattern, 0 if self.case else re.IGNORECASE)

    def points(self, answer: str) -> float:
        """Return what the pattern adds to the score of an answer."""
        text = answer[:START] if self.where == "start" else answer
        if self.per == "sentence":
            sentences = sentences_of(text)
            matching = sum(1 for one in sentences if self._compiled.search(one))
            return self.weight * matching / max(1, len(sentences))
        matches = 0
        for _ in self._compiled.finditer(text):
            matches += 1
            if matches == self.at_most:
                break
        return self.weight * matches


class Words(Config):
    """Points for length: none at ``none`` words, ``weight`` at ``full`` words, linear between.

    ``full`` below ``none`` rewards short answers.
    """

    none: Annotated[int, Field(ge=0)]
    full: Annotated[int, Field(ge=0)]
    weight: float = HIGHEST

    @model_validator(mode="after")
    def _differ(self) -> "Words":
        if self.none == self.full:
            raise ValueError("none and full are the same number of words: write two that differ")
        return self

    def points(self, answer: str) -> float:
        """Return what the length adds to the score of an answer."""
        share = (len(answer.split()) - self.none) / (self.full - self.none)
        return self.weight * min(1.0, max(0.0, share))


class Rule(Config):
    """A trait's rule: ``base`` plus the points of patterns and length, kept within 0 and 100.

    An answer with ``threshold`` or more shows the trait, where a yes or no is wanted.
    """

    base: float = 0.0
    patterns: tuple[Pattern, ...] = ()
    words: Words | None = None
    threshold: Annotated[float, Field(ge=0, le=100)] = 50.0

    @model_validator(mode="after")
    def _says_something(self) -> "Rule":
        if not self.patterns and self.words is None:
            raise ValueError("it has neither patterns nor words, so every answer scores the same")
        return self

    def score(self, answer: str) -> float:
        """Return the score of an answer, from 0 to 100."""
        points = self.base + sum(one.points(answer) for one in self.patterns)
        points += self.words.points(answer) if self.words else 0.0
        return min(HIGHEST, max(LOWEST, points))

    def shows(self, answer: str) -> bool:
        """Say whether an answer shows the trait; an empty one shows none."""
        return bool(answer.strip()) and self.score(answer) >= self.threshold


def sentences_of(text: str) -> list[str]:
    """Cut a text at the ends of its sentences and lines."""
    return [part for part in _SENTENCE.split(text.strip()) if part.strip()]


def read_rule(path: str | Path) -> Rule:
    """Read a trait's ``rule.json``.

    Raises:
        SondeError: the file is missing, no JSON, or no rule.
    """
    file = Path(path).expanduser()
    return rule_of(read_json(file), where=str(file))


def rule_of(given: Any, *, where: str = "the rule") -> Rule:
    """Make a rule of what stands in ``rule.json``; ``where`` names it in the error message.

    Raises:
        SondeError: it is no rule.
    """
    return validated(Rule, given, where=where)


@dataclass(frozen=True, slots=True)
class RuleJudge:
    """Judges a trait by a rule; see ``Rule`` for the score."""

    rule: Rule
    name: str = "rule"

    @property
    def aspect(self) -> Literal["trait"]:
        """A rule scores a trait; ``CoherenceRules`` scores coherence."""
        return "trait"

    def key(self) -> Mapping[str, Any]:
        """Return the rule."""
        return {"kind": "rules", "rule": self.rule.model_dump(mode="json")}

    def score(self, asked: Sequence[Asked]) -> list[Opinion]:
        """Score each answer; an empty one gets 0."""
        return [nothing_to_judge(one) or Opinion(self.rule.score(one.answer)) for one in asked]
