"""What a claim asks of the numbers: a weighted sum of scores, and where it must lie."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sonde.experiments.claims.along import Changes, factor_values, series_along
from sonde.experiments.claims.references import ResultReference, parse_reference
from sonde.experiments.claims.specification import (
    AllOf,
    AnyClaim,
    Comparison,
    Equivalence,
    NonInferiority,
    Trend,
)


@dataclass(frozen=True, slots=True)
class Question:
    """Whether an effect lies between ``lower`` and ``upper``.

    The effect is ``sum of weight × score of reference + constant``. ``baseline`` must leave room
    for a difference of ``needed`` upwards, downwards or both ways (``room``: +1, −1).
    """

    words: str  # what the effect is, for sentences
    references: tuple[ResultReference, ...]
    weights: tuple[float, ...]
    constant: float
    lower: float
    upper: float
    baseline: ResultReference | float
    needed: float
    room: tuple[int, ...]

    @property
    def boundary(self) -> float:
        """The bound that decides; of two, the upper."""
        return self.upper if math.isfinite(self.upper) else self.lower


def questions_of(claim: AnyClaim, variants: Mapping[str, Changes]) -> dict[str, Question]:
    """Return what a claim asks, by the label of what it is judged on.

    A claim that names no variant asks once a variant; one that names them, or takes them along a
    swept path, asks across variants. An ``all_of`` asks nothing itself.
    """
    if isinstance(claim, AllOf):
        return {}
    if isinstance(claim, Trend) and claim.along is not None:
        return {
            rest: _trend(claim, [parse_reference(str(claim.of)).within(one) for one in labels], at)
            for rest, labels in series_along(claim.along, variants)
            for at in [claim.at or factor_values([variants[one][claim.along] for one in labels])]
        }
    references = claim.references()
    across = any(reference.variant for reference in references)
    found: dict[str, Question] = {}
    for label in [""] if across else variants:
        inside = [reference.within(label) for reference in references]
        if isinstance(claim, Trend):
            found[label] = _trend(claim, inside, claim.at or factor_values([None] * len(inside)))
        else:
            found[label] = _comparison(claim, inside)
    return found


def _comparison(claim: Comparison, references: Sequence[ResultReference]) -> Question:
    lower, upper = _region(claim)
    over = references[1] if len(references) > 1 else float(claim.over)
    if isinstance(claim, Equivalence):
        room = (1, -1)
    else:
        room = (-1,) if isinstance(claim, NonInferiority) else (1,)
    return Question(
        words=f"{claim.of} − {claim.over}",
        references=tuple(references),
        weights=(1.0, -1.0)[: len(references)],
        constant=-over if isinstance(over, float) else 0.0,
        lower=lower,
        upper=upper,
        baseline=over,
        needed=claim.by,
        room=room,
    )


def _region(claim: Comparison) -> tuple[float, float]:
    if isinstance(claim, Equivalence):
        return -claim.by, claim.by
    return (-claim.by if isinstance(claim, NonInferiority) else claim.by), math.inf


def _trend(claim: Trend, references: Sequence[ResultReference], at: Sequence[float]) -> Question:
    sign = 1.0 if claim.direction == "rising" else -1.0
    factor = f" along {claim.along}" if claim.along else ""
    what = claim.of if isinstance(claim.of, str) else f"{claim.of[0]} … {claim.of[-1]}"
    name = "rise" if claim.direction == "rising" else "fall"
    return Question(
        words=f"The {name} of {what}{factor} from first to last",
        references=tuple(references),
        weights=tuple(sign * weight for weight in trend_weights(at)),
        constant=0.0,
        lower=claim.by,
        upper=math.inf,
        baseline=references[0],
        needed=claim.by,
        room=(int(sign),),
    )


def trend_weights(at: Sequence[float]) -> tuple[float, ...]:
    """Return the weights of scores whose sum is their line's change from first to last.

    The line is fitted by least squares: with values x of the factor,
    ``w_i = (x_i − mean x) (x_last − x_first) / sum (x − mean x)²``. They sum to 0.
    """
    mean = math.fsum(at) / len(at)
    squares = math.fsum((x - mean) ** 2 for x in at)
    return tuple((x - mean) * (at[-1] - at[0]) / squares for x in at)
