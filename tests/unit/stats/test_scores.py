from dataclasses import replace

import numpy as np
import pytest

from sonde.core.errors import SondeError
from sonde.stats.bootstrap import Bootstrap
from sonde.stats.effects import interval_of
from sonde.stats.metrics import METRICS
from sonde.stats.scores import Scores

UNITS = np.array(["a", "b", "c", "d"])
TRUTH = np.array([0.0, 1, 0, 1])
SAID = np.array([-1.0, 2, 3, 4])


@pytest.mark.parametrize("name", sorted(METRICS))
def test_the_value_is_the_metrics(name):
    said = SAID / 10 + 0.1 if name == "share" else SAID
    scores = Scores(name, UNITS, said, TRUTH)
    assert scores.value == pytest.approx(float(METRICS[name].value(TRUTH, said)))
    missing = Scores(name, UNITS, np.r_[np.nan, said[1:]], TRUTH)
    assert np.isnan(missing.value)


def test_mistakes_are_named():
    with pytest.raises(SondeError, match=r"'aurox' is not a metric\. Did you mean 'auroc'"):
        Scores("aurox", UNITS, SAID, TRUTH)
    with pytest.raises(SondeError, match="no truth to compute r2"):
        Scores("r2", UNITS, SAID, None)
    with pytest.raises(SondeError, match=r"truth has shape \[3\]; there are 4 units"):
        Scores("r2", UNITS, SAID, TRUTH[:3])


def test_resampling_is_over_units_or_items():
    group = np.array(["a", "a", "b", "b"])
    statistic, n_units = Scores("mean", group, SAID, None).resampled()
    assert n_units == 2
    assert statistic(np.array([[2.0, 0.0]])).tolist() == [0.5]
    other = np.array(["b", "c", "a", "c"])
    statistic, n_items = Scores("mean", group, SAID, None, other=other).resampled()
    assert n_items == 3
    # Items drawn a, b, b: the pairs ab (weight 2) and ba (2), not those with c.
    assert statistic(np.array([[1.0, 2.0, 0.0]])).tolist() == [(2 * -1 + 2 * 3) / 4]
    assert Bootstrap(50).intervals(statistic, n_items)[0].n == 3


@pytest.mark.parametrize("metric", ["auroc", "mean"])
def test_the_same_rows_are_told_from_others(metric):
    rng = np.random.default_rng(0)
    truth = None if metric == "mean" else np.tile([0.0, 1.0], 30)
    one = Scores(metric, np.arange(60).astype(str), rng.normal(size=60), truth)
    assert one.same_rows(replace(one, predicted=one.predicted.copy()))
    for other in (
        replace(one, unit=one.unit[::-1]),
        replace(one, predicted=one.predicted + 1e-9),
        replace(one, other=one.unit),
        *([] if truth is None else [replace(one, truth=1 - truth)]),
    ):
        assert not one.same_rows(other)


def test_infinite_predictions():
    """They have a side and a rank, but no mean."""
    truth, said = np.array([1.0, 1.0, 0.0, 0.0]), np.array([np.inf, -1.0, -np.inf, 2.0])
    unit = np.array(list("abcd"))
    assert Scores("accuracy", unit, said, truth).value == 0.5
    assert Scores("auroc", unit, said, truth).value == 0.75
    assert np.isnan(Scores("r2", unit, said, truth).value)
    assert np.isnan(interval_of(Scores("mean", unit, said, None)).low)
