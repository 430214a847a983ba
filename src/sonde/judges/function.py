"""Any scoring function as a judge: a classifier, a probe on activations, a metric."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from sonde.core.errors import SondeError
from sonde.judges.judge import HIGHEST, LOWEST, Asked, Aspect, Opinion, nothing_to_judge


@dataclass(frozen=True, slots=True)
class FunctionJudge:
    """Judges by a function from answers to scores of 0 to 100, all at once.

    ``identity`` says, as JSON-like values, which function it is: two of one identity are taken for
    the same by the cache. A score that is NaN or infinite becomes none, with that reason; empty
    answers score 0 and are not handed to the function.
    """

    function: Callable[[Sequence[Asked]], Sequence[float]]
    name: str
    aspect: Aspect
    identity: Mapping[str, Any]

    def key(self) -> Mapping[str, Any]:
        """Return the identity given."""
        return {"kind": "function", "name": self.name, "identity": dict(self.identity)}

    def score(self, asked: Sequence[Asked]) -> list[Opinion]:
        """Score each answer.

        Raises:
            SondeError: the function gives another number of scores, or one outside 0 to 100.
        """
        found = [nothing_to_judge(one) for one in asked]
        full = [one for one, empty in zip(asked, found, strict=True) if empty is None]
        scores = [float(value) for value in self.function(full)] if full else []
        if len(scores) != len(full):
            raise SondeError(
                f"The judge {self.name} gave {len(scores)} scores for {len(full)} answers.",
                fix="Return one score for each answer, in order.",
            )
        opinions = iter(scores)
        return [one or self._opinion(next(opinions)) for one in found]

    def _opinion(self, score: float) -> Opinion:
        if not isfinite(score):
            return Opinion(None, reason=f"the judge {self.name} gave {score}")
        if not LOWEST <= score <= HIGHEST:
            raise SondeError(
                f"The judge {self.name} gave a score of {score:g}, outside 0 to 100.",
                fix="Scale its scores to 0 to 100.",
            )
        return Opinion(score)
