"""All answers of a search with what was measured and judged of them, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from sonde.judges.judge import Opinion


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and how surprising it is to the unedited model that was asked plainly.

    ``log_likelihood`` is the sum over its ``n_tokens`` tokens, in nats. ``margin`` is the smallest
    gap between the two best logits along the way (infinite where it was sampled): below 1e-3 the
    same row in another batch may go another way.
    """

    text: str
    tokens: tuple[int, ...]
    finished: bool
    margin: float
    log_likelihood: float

    @property
    def n_tokens(self) -> int:
        """How many tokens it has."""
        return len(self.tokens)


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Answers by arm and question.

    ``trait`` and ``coherence`` are judges' scores of 0 to 100: NaN where there is none, with the
    ``reasons``; all of ``coherence`` where nobody judged it. ``mass`` is the share of the trait
    judge's probability on its scale, NaN for judges without one. ``log_likelihood`` is each text's
    under the unedited model, in nats, after the plain question; ``margin`` its smallest gap between
    the two best logits.
    """

    text: tuple[tuple[str, ...], ...]
    n_tokens: Int[np.ndarray, "arm question"]
    finished: np.ndarray
    margin: Float[np.ndarray, "arm question"]
    log_likelihood: Float[np.ndarray, "arm question"]
    trait: Float[np.ndarray, "arm question"]
    mass: Float[np.ndarray, "arm question"]
    coherence: Float[np.ndarray, "arm question"]
    reasons: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.text)

    @staticmethod
    def of(
        answers: Sequence[Answer],
        trait: Sequence[Opinion],
        coherence: Sequence[Opinion] | None,
        n_questions: int,
    ) -> "Answers":
        """Lay out answers, listed arm by arm, as arrays."""

        def laid(values: Sequence[float | int | bool | None], dtype: type = np.float64) -> Any:
            given = [np.nan if one is None else one for one in values]
            return np.array(given, dtype).reshape(-1, n_questions)

        def rows(values: Sequence[str]) -> tuple[tuple[str, ...], ...]:
            starts = range(0, len(values), n_questions)
            return tuple(tuple(values[start : start + n_questions]) for start in starts)

        coherent = [None] * len(answers) if coherence is None else [it.score for it in coherence]
        both = zip(trait, coherence or [None] * len(trait), strict=True)
        return Answers(
            text=rows([one.text for one in answers]),
            n_tokens=laid([one.n_tokens for one in answers], np.int64),
            finished=laid([one.finished for one in answers], np.bool_),
            margin=laid([one.margin for one in answers]),
            log_likelihood=laid([one.log_likelihood for one in answers]),
            trait=laid([one.score for one in trait]),
            mass=laid([one.mass for one in trait]),
            coherence=laid(coherent),
            reasons=rows([_reason(one, other) for one, other in both]),
        )


def _reason(trait: Opinion, coherence: Opinion | None) -> str:
    said = [one.reason for one in (trait, coherence) if one is not None and one.score is None]
    return "; ".join(said)
