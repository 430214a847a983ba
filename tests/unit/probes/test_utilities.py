import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.data.comparison_settings import DrawSettings
from sonde.data.comparisons import Comparison, Comparisons
from sonde.data.ratings import draw_comparisons
from sonde.probes.ranking import pair_accuracy, rank_correlation
from sonde.probes.utilities import UtilitySettings, fit_utilities

MODELS = ("bradley_terry", "thurstone", "ordinal")


def drawn(n_items=8, n=400, seed=0, levels=(0.0, 1.0)):
    rng = np.random.default_rng(seed)
    utility = rng.normal(size=n_items)
    first = rng.integers(0, n_items, n)
    second = (first + rng.integers(1, n_items, n)) % n_items
    noisy = utility[first] - utility[second] + rng.logistic(size=n)
    edges = np.linspace(-1.5, 1.5, len(levels) - 1) if len(levels) > 2 else np.zeros(1)
    outcome = np.array(levels)[np.searchsorted(edges, noisy)]
    names = np.array([f"item{number}" for number in range(n_items)])
    return Comparisons(names[first], names[second], outcome, np.ones(n))


def design(found):
    """One column an item but the last, which is the origin."""
    first, second = found.numbered(found.items)
    x = np.zeros((len(found), len(found.items)))
    x[np.arange(len(found)), first] += 1
    x[np.arange(len(found)), second] -= 1
    return x[:, :-1]


@pytest.mark.parametrize("model", ["bradley_terry", "thurstone"])
def test_utilities_and_errors_are_those_of_statsmodels(model):
    api = pytest.importorskip("statsmodels.api", reason="statsmodels is in the dev extra")
    given = drawn()
    link = api.families.links.Logit() if model == "bradley_terry" else api.families.links.Probit()
    peer = api.GLM(given.outcome, design(given), api.families.Binomial(link)).fit(tol=1e-12)
    ours = fit_utilities(given, UtilitySettings(model=model, ridge=1e-9))
    assert np.allclose(ours.value[:-1] - ours.value[-1], peer.params, atol=1e-6)
    last = np.full(7, 7)
    errors = ours.difference_error(np.arange(7), last)
    # statsmodels takes the expected curvature, which for the probit is not the observed one.
    assert np.allclose(errors, peer.bse, rtol=1e-5 if model == "bradley_terry" else 0.05)
    assert abs(ours.loss + peer.llf) < 1e-6


def test_graded_answers_are_an_ordered_logit():
    ordinal = pytest.importorskip(
        "statsmodels.miscmodels.ordinal_model", reason="statsmodels is in the dev extra"
    )
    half = drawn(n_items=4, n=300, levels=(0.0, 0.5, 1.0))
    # Both directions of each comparison make the peer's free thresholds mirror each other too.
    given = Comparisons(
        np.concatenate([half.first, half.second]),
        np.concatenate([half.second, half.first]),
        np.concatenate([half.outcome, 1 - half.outcome]),
        np.ones(600),
    )
    peer = ordinal.OrderedModel(given.outcome, design(given), distr="logit")
    fitted = peer.fit(method="bfgs", disp=False, gtol=1e-8)
    ours = fit_utilities(given, UtilitySettings(model="ordinal", ridge=1e-9))
    assert np.allclose(ours.value[:-1] - ours.value[-1], fitted.params[:3], atol=1e-3)
    assert abs(ours.loss + fitted.llf) < 1e-3
    assert abs(ours.thresholds[1] - peer.transform_threshold_params(fitted.params)[2]) < 1e-3


def test_two_items_have_the_log_odds_of_their_wins():
    given = [Comparison("x", "y", 1.0, 30.0), Comparison("y", "x", 1.0, 10.0)]
    found = fit_utilities(given, UtilitySettings(ridge=1e-9))
    assert abs(found.by_item()["x"] - math.log(3) / 2) < 1e-6
    # Of a difference the variance is 1 / 30 + 1 / 10.
    error = found.difference_error(np.array([0]), np.array([1]))[0]
    assert abs(error - math.sqrt(1 / 30 + 1 / 10)) < 1e-6


def test_two_levels_of_an_ordinal_model_are_bradley_terry():
    given = drawn(seed=3)
    one = fit_utilities(given, UtilitySettings(model="ordinal"))
    other = fit_utilities(given, UtilitySettings(model="bradley_terry"))
    assert np.allclose(one.value, other.value, atol=1e-7)
    assert one.thresholds == (0.0,)


@settings(deadline=None, max_examples=15)
@given(
    model=st.sampled_from(MODELS),
    turned=st.lists(st.booleans(), min_size=80, max_size=80),
    seed=st.integers(0, 5),
)
def test_naming_the_items_the_other_way_round_changes_nothing(model, turned, seed):
    one = drawn(n_items=5, n=80, seed=seed, levels=(0.0, 0.25, 0.5, 0.75, 1.0))
    flip = np.array(turned)
    other = Comparisons(
        np.where(flip, one.second, one.first),
        np.where(flip, one.first, one.second),
        np.where(flip, 1 - one.outcome, one.outcome),
        one.weight,
    )
    chosen = UtilitySettings(model=model, ridge=0.1, disconnected="largest")
    first, second = fit_utilities(one, chosen), fit_utilities(other, chosen)
    assert np.allclose(first.value, second.value, atol=1e-4)


@pytest.mark.parametrize("model", MODELS)
def test_an_item_that_always_won_stays_finite(model):
    found = fit_utilities([Comparison("x", "y", 1.0)] * 20, UtilitySettings(model=model))
    assert np.isfinite(found.value).all()
    assert found.by_item()["x"] > found.by_item()["y"]


def test_parts_that_were_never_compared_are_named():
    given = [Comparison("a", "b", 1.0), Comparison("b", "c", 0.0), Comparison("x", "y", 1.0)]
    with pytest.raises(SondeError, match="2 parts, of 3 items and fewer"):
        fit_utilities(given)
    found = fit_utilities(given, UtilitySettings(disconnected="largest"))
    assert found.left_out == ("x", "y")
    assert found.items.tolist() == ["a", "b", "c"]


def test_outcomes_of_any_size_are_no_levels():
    given = [Comparison("a", "b", share) for share in np.linspace(0, 0.45, 10)]
    with pytest.raises(SondeError, match="20 levels"):
        fit_utilities(given, UtilitySettings(model="ordinal"))


def test_comparisons_drawn_from_real_ratings_give_back_their_order(shared_data):
    """300 review sentences with some 20 ratings each; noisy choices recover the mean ratings."""
    path = shared_data / "movie_reviews" / "movieReviewSnippets_anonDataRatings.txt"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[:300]
    rows = [line.split("\t") for line in lines]
    ratings = {row[0]: [float(each) for each in row[3].strip("[] ").split(",")] for row in rows}
    means = {name: float(np.mean(given)) for name, given in ratings.items()}
    drawn = draw_comparisons(ratings, DrawSettings(n=9000))
    fresh = draw_comparisons(ratings, DrawSettings(n=2000, seed=1))
    found = fit_utilities(drawn)
    tau = rank_correlation(found.by_item(), means)
    assert tau.low > 0.75
    told = pair_accuracy(found.by_item(), fresh).accuracy.value
    # Nobody foresees noisy choices better than the mean ratings do, but for chance.
    assert 0.75 < told < pair_accuracy(means, fresh).accuracy.value + 0.02


def test_the_ends_are_printed():
    names = "abcdefgh"
    given = [Comparison(one, two, 1.0) for one, two in pairwise(names)]
    found = fit_utilities(given)
    lines = str(found).splitlines()
    assert lines[0] == "Utilities of 8 items from 7 comparisons:"
    assert [line.split()[-1] for line in lines[1:]] == ["a", "b", "c", "between", "f", "g", "h"]
    assert lines[4] == "  … and 2 between"
    assert lines[-1].startswith(f"  −{-found.value[-1]:.3f} ±")
    assert len(str(fit_utilities(given[:2])).splitlines()) == 4
