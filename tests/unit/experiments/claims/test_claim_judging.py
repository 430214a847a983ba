"""Every kind of claim on scores made by hand, whose verdict follows from the numbers."""

import math
from itertools import count

import numpy as np
import pytest
from hand_made import Made, around, judged, means
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sonde.experiments.claims.judging import verdict_of
from sonde.ledger.records import Measured
from sonde.stats.interval import Interval
from sonde.stats.scores import Scores

N = 100
# Paired differences with mean 0.10 and standard deviation 0.10, so a standard error of 0.01: the
# 95 % interval is 0.10 ± 0.0198.
BASE = around(0.5, 0.3, N)
GAIN = np.roll(around(0.1, 0.1, N), 7)


def two(gain=GAIN, units=None):
    return {"news": Made({"selected": means(BASE + gain, units), "before": means(BASE, units)})}


def claim(kind: str, by: float, over="news.before") -> str:
    return f"{{statement: It is so., kind: {kind}, of: news.selected, over: {over}, by: {by}}}"


@pytest.fixture
def probe(monkeypatch):
    """Let the probe stage have any result, so that names here can say what they stand for."""
    from sonde.experiments.result_names import ResultNames

    monkeypatch.setattr(ResultNames, "has", lambda self, name: True)


pytestmark = pytest.mark.usefixtures("probe")


@pytest.mark.parametrize(
    ("kind", "by", "verdict"),
    [
        ("superiority", 0.05, "confirmed"),
        ("superiority", 0.10, "inconclusive"),
        ("superiority", 0.15, "refuted"),
        ("non_inferiority", 0.05, "confirmed"),
        ("equivalence", 0.05, "refuted"),
        ("equivalence", 0.11, "inconclusive"),
        ("equivalence", 0.15, "confirmed"),
    ],
)
def test_a_gain_of_a_tenth_give_or_take_a_fiftieth(tmp_path, kind, by, verdict):
    found = judged(tmp_path, two(), claim(kind, by))
    assert found.verdict == verdict
    assert found.design == "paired"
    assert found.n == N
    low, high = stats.t.interval(0.95, N - 1, GAIN.mean(), stats.sem(GAIN))
    assert (found.effect.low, found.effect.high) == pytest.approx((low, high), abs=0.002)


@pytest.mark.parametrize(
    ("by", "verdict"), [(0.15, "confirmed"), (0.10, "inconclusive"), (0.05, "refuted")]
)
def test_a_loss_of_a_tenth_is_held_against_the_margin(tmp_path, by, verdict):
    found = judged(tmp_path, two(-GAIN), claim("non_inferiority", by))
    assert found.verdict == verdict
    assert found.boundary == -by


def test_the_reason_has_the_numbers(tmp_path):
    found = judged(tmp_path, two(), claim("superiority", 0.05))
    assert found.why.startswith("news.selected − news.before = +0.100 [+0.0")
    assert "(95 %, paired, 100 units): the whole interval lies above 0.05." in found.why
    assert found.advice == ""
    assert found.p < 0.001


@pytest.mark.parametrize(
    ("kind", "by", "place"),
    [
        ("superiority", 0.15, "the whole interval lies below 0.15."),
        ("superiority", 0.1, "the interval reaches across 0.1."),
        ("equivalence", 0.15, "the whole interval lies between −0.15 and 0.15."),
        ("equivalence", 0.05, "the whole interval lies outside of −0.05 to 0.05."),
        ("equivalence", 0.1, "the interval reaches across 0.1."),
    ],
)
def test_the_reason_says_where_the_interval_lies(tmp_path, kind, by, place):
    assert judged(tmp_path, two(), claim(kind, by)).why.endswith(place)


def test_an_undecided_claim_says_how_much_more_would_decide(tmp_path):
    found = judged(tmp_path, two(), claim("superiority", 0.09))
    # (1.96 + 0.8416)² × (0.1 / 0.01)² = 785 units show a distance of 0.01 in 4 of 5 cases.
    assert found.advice.startswith("About 790 units in place of 100 would decide")


def test_no_amount_of_data_is_advised_for_an_estimate_on_the_boundary(tmp_path):
    found = judged(tmp_path, two(), claim("superiority", 0.1))
    assert found.verdict == "inconclusive"
    assert "on the boundary" in found.advice


def test_a_number_is_compared_on_one_set_of_units(tmp_path):
    found = judged(tmp_path, two(), claim("superiority", 0.01, over=0.5))
    assert found.design == "single"
    assert found.effect.value == pytest.approx(0.1)
    assert "single" not in found.why


def test_units_that_do_not_match_are_compared_without_pairs(tmp_path):
    paired = two()
    apart = {
        "news": Made({"selected": means(BASE + GAIN)}),
        "old": Made({"before": means(BASE, [f"other {number}" for number in range(N)])}),
    }
    assert judged(tmp_path, paired, claim("superiority", 0.0)).verdict == "confirmed"
    (tmp_path / "apart").mkdir()
    found = judged(tmp_path / "apart", apart, claim("superiority", 0.0, over="old.before"))
    assert found.design == "unpaired"
    assert found.n == 2 * N
    # Two means with a standard error of about 0.03 each: ± 0.087.
    assert found.effect.high - found.effect.low == pytest.approx(0.17, abs=0.01)


def test_rows_of_a_group_count_once(tmp_path):
    each = np.repeat(around(0.1, 0.3, 10), 10)  # ten groups of ten equal rows
    values = {"news": Made({"selected": means(0.5 + each), "before": means(np.full(N, 0.5))})}
    groups = [f"g{number // 10}" for number in range(N)]
    grouped = {
        "news": Made(
            {"selected": means(0.5 + each, groups), "before": means(np.full(N, 0.5), groups)}
        )
    }
    assert judged(tmp_path, values, claim("superiority", 0.0)).verdict == "confirmed"
    (tmp_path / "grouped").mkdir()
    found = judged(tmp_path / "grouped", grouped, claim("superiority", 0.0))
    assert (found.verdict, found.n) == ("inconclusive", 10)


def test_pairs_are_judged_by_items(tmp_path):
    rng = np.random.default_rng(1)
    first, second = np.triu_indices(30, 1)
    quality = rng.normal(size=30)  # of an item: what its many comparisons share
    values = 0.1 + 0.3 * (quality[first] + quality[second])
    made = {
        "news": Made({"selected": means(values, first, second)}),
    }
    found = judged(tmp_path, made, claim("superiority", 0.0, over=0.0))
    assert found.n == 30
    half = (found.effect.high - found.effect.low) / 2
    naive = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
    assert half > 3 * naive


def test_several_shuffles_are_averaged(tmp_path):
    shuffles = [means(BASE + shift) for shift in (-0.06, 0.0, 0.06)]
    made = Made({"selected": means(BASE + GAIN)}, {"selected": {"shuffled labels": shuffles}})
    found = judged(
        tmp_path, {"news": made}, claim("superiority", 0.05, over="news.selected/shuffled labels")
    )
    assert found.verdict == "confirmed"
    assert found.effect.value == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("direction", "by", "verdict"),
    [
        ("rising", 0.2, "confirmed"),
        ("rising", 0.4, "refuted"),
        ("falling", 0.0, "refuted"),
        ("rising", 0.3, "inconclusive"),
    ],
)
def test_a_trend_is_the_change_of_the_fitted_line(tmp_path, direction, by, verdict):
    rises = [0.0, 0.12, 0.18, 0.3]  # a line from 0 to 0.3 but for 0.02 up and down
    made = Made(
        {f"dose{number}": means(BASE + rise * GAIN / 0.1) for number, rise in enumerate(rises)}
    )
    names = ", ".join(f"news.dose{number}" for number in range(4))
    text = f"{{statement: It rises., kind: trend, of: [{names}], direction: {direction}, by: {by}}}"
    found = judged(tmp_path, {"news": made}, text)
    assert found.verdict == verdict
    slope = np.polyfit([1, 2, 3, 4], rises, 1)[0] * 3
    sign = 1 if direction == "rising" else -1
    assert found.effect.value == pytest.approx(sign * slope)


def test_a_baseline_at_the_ceiling_is_refused_with_advice(tmp_path):
    right = np.ones(50)
    made = {"news": Made({"selected": means(right), "before": means(right)})}
    found = judged(tmp_path, made, claim("superiority", 0.05))
    assert found.verdict == "inconclusive"
    assert found.why.startswith("Refused: ")
    assert "ceiling" in found.why
    assert "choose prompts" in found.advice
    assert found.p is None


def test_a_baseline_at_the_floor_is_refused_where_a_fall_is_looked_for(tmp_path):
    wrong = np.zeros(50)
    made = {"news": Made({"selected": means(wrong), "before": means(wrong)})}
    assert "floor" in judged(tmp_path, made, claim("non_inferiority", 0.05)).why
    (tmp_path / "same").mkdir()
    assert "Refused" in judged(tmp_path / "same", made, claim("equivalence", 0.05)).why


def test_scores_of_different_metrics_are_not_compared(tmp_path):
    truth = np.arange(40) % 2.0
    other = Scores("auroc", np.arange(40).astype(str), around(0, 1, 40), truth)
    made = {"news": Made({"selected": means(around(0.5, 0.1, 40)), "before": other})}
    found = judged(tmp_path, made, claim("superiority", 0.05))
    assert found.verdict == "inconclusive"
    assert "news.before is auroc" in found.why


def test_what_is_missing_is_inconclusive_with_the_reason(tmp_path):
    folder = (tmp_path / str(number) for number in count())

    def why(stages, text):
        place = next(folder)
        place.mkdir()
        found = judged(place, stages, text)
        assert (found.verdict, found.effect, found.p) == ("inconclusive", None, None)
        return found.why

    skipped = {"news": "because truth.n > 5 does not hold (it is 3)"}
    assert "was skipped because truth.n" in why(skipped, claim("superiority", 0, over=0.5))
    assert "no result 'before'" in why(
        {"news": Made({"selected": means(BASE), "befor": means(BASE)})}, claim("superiority", 0)
    )
    none = Measured("selected", "auroc", None, not_applicable="one class only")
    assert "one class only" in why({"news": Made(more=(none,))}, claim("superiority", 0, over=0.5))
    bare = Measured("selected", "auroc", Interval(0.7, 0.6, 0.8, 30))
    assert "no per-unit scores" in why(
        {"news": Made(more=(bare,))}, claim("superiority", 0, over=0.5)
    )
    assert "no control or baseline 'length'" in why(
        two(), claim("superiority", 0, over="news.selected/length")
    )


bound = st.floats(-2, 2) | st.just(math.nan)


@given(bound, bound, st.floats(-1, 1), st.floats(0, 1) | st.just(math.inf))
def test_a_verdict_never_rests_on_an_interval_across_a_bound(one, other, lower, width):
    low, high = sorted((one, other))
    verdict = verdict_of(Interval(low, low, high, 9), lower, lower + width)
    if not (math.isfinite(low) and math.isfinite(high)):
        assert verdict != "confirmed"
    elif verdict == "confirmed":
        assert lower < low <= high < lower + width
    elif verdict == "refuted":
        assert high < lower or low > lower + width


@pytest.mark.parametrize("over", ["1.5", "-1"])
def test_a_number_that_no_score_can_be_is_refused(tmp_path, over):
    truth = np.arange(40) % 2.0
    score = Scores("auroc", np.arange(40).astype(str), around(0, 1, 40), truth)
    made = {"news": Made({"selected": score})}
    found = judged(tmp_path, made, claim("superiority", 0.05).replace("news.before", over))
    assert found.verdict == "inconclusive"
    assert f"{over.replace('-', '−')} is no auroc, which lies between 0 and 1" in found.why
