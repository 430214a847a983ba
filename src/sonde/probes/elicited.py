"""What a model answered, asked which of two tasks it would rather do."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sonde.core.errors import SondeError
from sonde.core.words import true_minus
from sonde.data.comparisons import TIE, Comparisons
from sonde.probes.elicit_settings import ElicitSettings

FEW = 0.1  # a share of p(A) + p(B), below which the model hardly answers the question
LETTERS = 0.5  # a share of pairs answered by the letter, above which place decides most


@dataclass(frozen=True, slots=True, eq=False)
class Elicited:
    """Answers about pairs of items: ``first`` and ``second`` are ids, arrays of equal length.

    ``log_odds`` ``[pair, order]`` are those of the first answer, asked as (first, second) and as
    (second, first). ``share`` is the chance that either answer is given at all, the two orders'
    mean.
    """

    first: np.ndarray  # str
    second: np.ndarray  # str
    log_odds: Float[np.ndarray, "pair 2"]
    share: Float[np.ndarray, " pair"]
    settings: ElicitSettings

    def __len__(self) -> int:
        return len(self.first)

    @property
    def preference(self) -> Float[np.ndarray, " pair"]:
        """The log-odds that the first item is preferred, place cancelled: half the difference."""
        return (self.log_odds[:, 0] - self.log_odds[:, 1]) / 2

    @property
    def bias(self) -> Float[np.ndarray, " pair"]:
        """The log-odds of the first answer whatever stands there: the mean of both orders."""
        return self.log_odds.mean(axis=1)

    @property
    def by_letter(self) -> float:
        """The share of pairs in which both orders got the same letter, so that place decided."""
        return float((np.sign(self.log_odds[:, 0]) == np.sign(self.log_odds[:, 1])).mean())

    @property
    def comparisons(self) -> Comparisons:
        """The pairs as comparisons, ties where the preference is too small to tell.

        Raises:
            SondeError: all are ties.
        """
        preference = self.preference
        tied = np.abs(preference) < self.settings.tie
        clear = (preference > 0).astype(np.float64)
        if self.settings.outcome == "probability":
            clear = 1 / (1 + np.exp(-preference))
        tied |= preference == 0
        outcome = np.where(tied, TIE, clear)
        found = Comparisons(self.first, self.second, outcome, np.ones(len(self)))
        if bool(tied.all()):
            raise SondeError(
                f"The model told none of {len(self)} pairs apart: every preference is within "
                f"{self.settings.tie:g} of 0, log-odds of {np.abs(preference).mean():.3f} on "
                "average.",
                fix="Ask another question, lower tie, or take a larger model.",
            )
        return found

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes these preferences doubtful, in sentences."""
        found: list[str] = []
        share, spread = float(self.share.mean()), float(self.preference.std())
        first, second = self.settings.answers
        if share < FEW:
            found.append(
                f"The model gives {first!r} or {second!r} with a chance of {share:.3f} only: it "
                "hardly answers the question."
            )
        if self.by_letter > LETTERS:
            found.append(
                f"In {self.by_letter:.0%} of the pairs the model names the same letter in both "
                f"orders: its answers are mostly position bias ({self.bias.mean():+.2f} log-odds "
                f"for {first!r}, beside preferences of {spread:.2f})."
            )
        if spread < self.settings.tie:
            found.append(
                f"Preferences spread by {spread:.3f} log-odds only: the model hardly tells the "
                "tasks apart."
            )
        return tuple(found)

    def __str__(self) -> str:
        items = len(np.unique(np.concatenate([self.first, self.second])))
        size, bias = np.abs(self.preference), true_minus(f"{self.bias.mean():+.3f}")
        tied = int(((size < self.settings.tie) | (size == 0)).sum())
        lines = [
            f"{len(self):,} pairs of {items:,} items, asked in both orders:",
            f"  preference     {size.mean():.3f} log-odds on average; ties: {tied:,}",
            f"  position bias  {bias} log-odds for the first answer",
            f"  same letter    in {self.by_letter:.0%} of the pairs, both orders",
            f"  either answer  given with a chance of {self.share.mean():.3f}",
        ]
        return "\n".join([*lines, *(f"  note           {text}" for text in self.warnings)])
