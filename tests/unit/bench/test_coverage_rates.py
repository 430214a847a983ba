"""The simulation of docs/trust.md, few of each: intervals of data whose truth is known."""

import numpy as np
import pytest
from bench.trust.coverage import covered
from bench.trust.coverage_cases import CASES
from scipy.stats import binom

COUNT = 150
CHOSEN = (
    ("Mean", "log-normal, sigma 1", 100),
    ("Mean", "exponential in groups of 1 to 9", 100),
    ("Paired difference of means", "normal", 100),
    ("AUROC", "normal, .96", 30),
    ("AUROC", "normal, .8, in groups of 5 of one class", 100),
    ("R2", "residuals that spread with the prediction", 100),
    ("Balanced accuracy", "recalls .8 and .9", 100),
    ("Accuracy", "pairs of items, .73", 100),
)


def case(section, what):
    (found,) = (one for one in CASES if (one.section, one.what) == (section, what))
    return found


@pytest.mark.parametrize(("section", "what", "n"), CHOSEN)
def test_intervals_hold_the_truth(section, what, n):
    found = covered(case(section, what), n, range(COUNT))
    held = round(found.rate * COUNT)
    assert binom.cdf(held, COUNT, 0.925) > 0.001
    assert binom.sf(held - 1, COUNT, 0.975) > 0.001


def test_other_intervals_fail_where_these_hold():
    """The simulation can tell: DeLong's interval covers .96 of 30 rows in some 80 %."""
    found = covered(case("AUROC", "normal, .96"), 30, range(COUNT), "DeLong")
    assert binom.cdf(round(found.rate * COUNT), COUNT, 0.925) < 0.001


def test_the_closed_forms_are_true():
    """Each truth against the score of a large sample."""
    for one in CASES:
        rng = np.random.default_rng(0)
        parts = one.draw(rng, 20_000)
        values = [part.value for part in parts]
        found = values[0] - (values[1] if len(values) == 2 else 0)
        # About five standard errors; means and R2 vary more than scores between 0 and 1.
        wide = "ean" in one.section or one.section == "R2"
        assert found == pytest.approx(one.truth, abs=0.06 if wide else 0.02)
