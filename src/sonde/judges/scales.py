"""Scales whose answers are single tokens, and the expected score over their probabilities."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from sonde.judges.judge import HIGHEST

ScaleName: TypeAlias = Literal["percent", "digits", "letters"]


@dataclass(frozen=True, slots=True)
class Scale:
    """Labels a judge may answer with, the score of each, and how it is asked for one.

    ``lowest`` and ``highest`` are the labels of scores 0 and 100.
    """

    name: ScaleName
    scores: Mapping[str, float]
    lowest: str
    highest: str
    ask: str


def _even(labels: Iterable[str]) -> Mapping[str, float]:
    listed = list(labels)
    step = HIGHEST / (len(listed) - 1)
    return MappingProxyType({label: number * step for number, label in enumerate(listed)})


# The finest scale first. Letters count down from A, as marks do.
SCALES: Mapping[ScaleName, Scale] = MappingProxyType(
    {
        "percent": Scale(
            "percent",
            _even(map(str, range(101))),
            "0",
            "100",
            "Reply with one whole number from 0 to 100 and nothing else.",
        ),
        "digits": Scale(
            "digits",
            _even("0123456789"),
            "0",
            "9",
            "Reply with one digit from 0 to 9 and nothing else.",
        ),
        "letters": Scale(
            "letters",
            _even("EDCBA"),
            "E",
            "A",
            "Reply with one of the letters A, B, C, D and E and nothing else.",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Expected:
    """An expected score, None where no label was likely enough to be listed, and its mass."""

    score: float | None
    mass: float


def expected_score(scale: Scale, log_probabilities: Iterable[tuple[str, float]]) -> Expected:
    """Return sum p(label) score(label) / sum p(label), in 0 to 100, and mass = sum p(label).

    Tokens are labels but for space around them, so that ``" 7"`` and ``"7"`` add up; tokens that
    are no label take no part. Logarithms are natural. Where only the likeliest tokens are listed,
    the mass is that of the listed labels.
    """
    likely = [
        (scale.scores[token.strip()], math.exp(min(0.0, logarithm)))
        for token, logarithm in log_probabilities
        if token.strip() in scale.scores
    ]
    mass = math.fsum(probability for _, probability in likely)
    if mass <= 0:
        return Expected(None, 0.0)
    score = math.fsum(value * probability for value, probability in likely) / mass
    return Expected(min(HIGHEST, max(0.0, score)), min(1.0, mass))
