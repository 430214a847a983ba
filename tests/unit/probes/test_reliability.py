import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import brier_score_loss, log_loss

from sonde.core.errors import SondeError
from sonde.probes.reliability import calibration, fit_scaling, reliability
from sonde.probes.scored import Scored
from sonde.stats.bootstrap import Bootstrap
from sonde.stats.proportion import wilson

FEW = Bootstrap(resamples=50)


def scored(logits, truth, *, fold=None, unit=None):
    n = len(logits)
    names = np.arange(n).astype(str)
    return Scored(
        example=names,
        token=np.zeros(n, np.int32),
        unit=names if unit is None else np.asarray(unit).astype(str),
        fold=np.arange(n) % 5 if fold is None else np.asarray(fold),
        truth=np.asarray(truth, float),
        predicted=np.asarray(logits, float) / 2,
        scale=np.full(n, 2.0),
    )


def drawn(n=400, temperature=1.0, bias=0.0, seed=0):
    """Logits whose true chances are those of logits / temperature + bias."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, n)
    chance = 1 / (1 + np.exp(-(logits / temperature + bias)))
    return logits, (rng.random(n) < chance).astype(float)


class Logit(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose decision is its one input, for scikit-learn to calibrate."""

    def fit(self, x, y):
        self.classes_ = np.array([0.0, 1.0])
        return self

    def decision_function(self, x):
        return x[:, 0]

    def predict(self, x):
        return (x[:, 0] > 0).astype(float)


def test_bins_brier_and_loss_are_scikit_learns():
    logits, truth = drawn(temperature=2.0)
    chance = 1 / (1 + np.exp(-logits))
    found = reliability(scored(logits, truth), logits, 8, FEW)
    observed, predicted = calibration_curve(truth, chance, n_bins=8, strategy="quantile")
    np.testing.assert_allclose([one.observed.value for one in found.bins], observed)
    np.testing.assert_allclose([one.predicted for one in found.bins], predicted)
    assert found.brier.value == pytest.approx(brier_score_loss(truth, chance))
    assert found.loss.value == pytest.approx(log_loss(truth, chance))


def test_two_bins_by_hand():
    """Chances of .25 and .75, four rows each; 2 of 4 and 3 of 4 came true."""
    logits = np.log(3) * np.array([-1.0] * 4 + [1.0] * 4)
    truth = [1, 1, 0, 0, 1, 1, 1, 0]
    found = reliability(scored(logits, truth), logits, 2, FEW)
    low, high = found.bins
    assert (low.n, low.predicted, low.observed.value) == pytest.approx((4, 0.25, 0.5))
    assert (high.n, high.predicted, high.observed.value) == pytest.approx((4, 0.75, 0.75))
    assert found.error == pytest.approx((4 * 0.25 + 4 * 0) / 8)
    assert found.by_luck == pytest.approx(np.sqrt(2 / np.pi * 0.25 * 0.75 / 4))
    assert found.brier.value == pytest.approx((3 * 0.75**2 + 5 * 0.25**2) / 8)
    assert found.loss.value == pytest.approx((3 * np.log(4) + 5 * np.log(4 / 3)) / 8)


def test_a_bins_interval_is_wilsons_where_every_row_is_a_unit():
    logits, truth = drawn(100)
    for one in reliability(scored(logits, truth), logits, 4, FEW).bins:
        want = wilson(round(one.observed.value * one.n), one.n)
        assert (one.observed.low, one.observed.high) == pytest.approx(
            (want.low, want.high), abs=0.05
        )


def test_rows_of_a_group_widen_a_bins_interval():
    logits, truth = np.repeat(drawn(40), 10, axis=1)
    alone = reliability(scored(logits, truth), logits, 2, FEW)
    grouped = reliability(scored(logits, truth, unit=np.arange(400) // 10), logits, 2, FEW)
    for a, b in zip(alone.bins, grouped.bins, strict=True):
        assert b.observed.high - b.observed.low > 2 * (a.observed.high - a.observed.low)


def test_platts_slope_and_bias_are_scikit_learns():
    logits, truth = drawn(temperature=3.0, bias=-1.0)
    found = fit_scaling(logits, truth, biased=True)
    frozen = FrozenEstimator(Logit().fit(logits[:, None], truth))
    peer = CalibratedClassifierCV(frozen, method="sigmoid").fit(logits[:, None], truth)
    ours = 1 / (1 + np.exp(-found(logits)))
    np.testing.assert_allclose(ours, peer.predict_proba(logits[:, None])[:, 1], atol=1e-3)


def test_the_temperature_that_was_planted_is_found_and_mends_the_loss():
    logits, truth = drawn(4000, temperature=4.0)
    found = calibration(scored(logits, truth), bootstrap=FEW)
    assert found.temperature.temperature == pytest.approx(4.0, rel=0.1)
    assert found.temperature.bias == 0
    assert found.with_temperature.loss.value < found.own.loss.value
    assert found.with_temperature.error < found.own.error / 3
    assert found.with_temperature.error < 3 * found.with_temperature.by_luck


def test_a_rows_scaling_does_not_see_its_own_fold():
    logits, truth = drawn(100)
    fold = np.arange(100) % 4
    scaled = np.empty(100)
    for one in range(4):
        others = fold != one
        scaled[~others] = fit_scaling(logits[others], truth[others], biased=True)(logits[~others])
    found = calibration(scored(logits, truth, fold=fold), bootstrap=FEW)
    chance = 1 / (1 + np.exp(-scaled))
    assert found.with_platt.brier.value == pytest.approx(np.mean((chance - truth) ** 2))


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.floats(-3, 3).map(lambda power: 10**power),
    biased=st.booleans(),
)
def test_scaled_logits_do_not_depend_on_the_unit_of_the_logits(seed, scale, biased):
    logits, truth = drawn(60, seed=seed)
    here = fit_scaling(logits, truth, biased=biased)(logits)
    there = fit_scaling(logits * scale, truth, biased=biased)(logits * scale)
    np.testing.assert_allclose(here, there, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("biased", [True, False])
def test_logits_that_part_the_classes_perfectly_get_a_finite_slope(biased):
    logits = np.r_[np.linspace(-2, -1, 20), np.linspace(1, 2, 20)]
    found = fit_scaling(logits, (logits > 0).astype(float), biased=biased)
    assert 0 < found.slope < 100


def test_a_temperature_turns_nothing_around_and_constant_logits_say_nothing():
    logits, truth = drawn()
    assert fit_scaling(-logits, truth, biased=False).temperature == float("inf")
    flat = calibration(scored(np.full(50, 3.0), np.arange(50) % 2), bootstrap=FEW)
    assert len(flat.own.bins) == 1
    assert np.isfinite(flat.with_platt.loss.value)


def test_other_truths_and_missing_logits_are_named():
    with pytest.raises(SondeError, match="two classes"):
        calibration(scored([0.0, 1.0], [0, 2]))
    with pytest.raises(SondeError, match="1 of 2 logits"):
        calibration(scored([0.0, np.nan], [0, 1]))


def test_a_calibration_is_printed_in_short():
    found = calibration(scored(*drawn(100)), bootstrap=FEW)
    lines = str(found).splitlines()
    assert lines[0] == f"Probabilities of 100 rows, out of fold, in {len(found.own.bins)} bins:"
    assert len(lines) == 4
    assert f"temperature {found.temperature.temperature:.3f}" in lines[2]
    assert f"calibration error {found.with_platt.error:.3f}" in lines[3]


def test_limits_of_a_loss_stay_where_a_loss_can_be():
    """One of many sure rows is wrong: bootstrap-t limits would be below 0 and in the millions."""
    truth = np.arange(200) % 2.0
    logits = np.where(truth > 0.5, 30.0, -30.0)
    logits[3] = -25.0
    found = reliability(scored(logits, truth), logits, 10, FEW)
    for interval, most in ((found.brier, 1.0), (found.loss, 25.0)):
        assert 0 <= interval.low <= interval.value <= interval.high <= most + 1e-9
