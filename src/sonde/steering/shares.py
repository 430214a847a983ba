"""Judges' scores as shares of their scale, the form in which they are quoted and compared."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from sonde.judges.judge import HIGHEST
from sonde.stats.scores import Scores


def share_scores(
    judged: Float[np.ndarray, " question"], units: Sequence[str], *, cross_validated: bool = False
) -> Scores:
    """Return scores of 0 to 100 as shares of 0 to 1, by question; those without a score left out.

    As shares, because the ends then mean what they are: twenty answers that all score 0 do not show
    that the next one does, and a mean of shares that are all 0 or 1 has an interval that says so.
    Their intervals stay on the scale.

    Args:
        judged: one score a question, NaN where there is none.
        units: the independent unit of each question.
        cross_validated: whether what was scored was chosen on other questions of these data.
    """
    known = ~np.isnan(judged)
    shares = judged[known] / HIGHEST
    return Scores("share", np.array(units)[known], shares, None, cross_validated=cross_validated)
