import numpy as np
import pytest
from tests.planted import activations, planted_classes, planted_numbers

from sonde.core.errors import SondeError
from sonde.probes.after_erasure import erasure_check
from sonde.probes.settings import (
    LogisticSettings,
    MlpSettings,
    MultinomialSettings,
    RidgeSettings,
)

QUICK = {"resamples": 50, "shuffles": 1, "penalties": (10.0,)}


def test_a_new_probe_finds_nothing_where_rows_are_many():
    acts, label, _ = planted_classes(n=200, d=6, strength=4.0, layers=1)
    found = erasure_check(acts, label, LogisticSettings(**QUICK))
    layer = found.layers[0]
    assert layer.before.score.low > 0.9
    assert layer.gone
    assert 0.3 < layer.same.score.value < 0.65
    assert 0.35 < layer.apart.score.value < 0.7
    assert layer.lost.low > 0.2
    assert layer.apart.control is not None
    assert (found.n, found.metric, layer.chance) == (200, "auroc", 0.5)
    assert "nothing found" in str(found)
    assert found.table()[0]["gone"] is True


def test_few_rows_leave_what_a_new_probe_finds():
    """With as many coordinates as rows each training row is fitted, and new ones are not erased."""
    acts, label, _ = planted_classes(n=60, d=80, strength=14.0, layers=1)
    layer = erasure_check(acts, label, LogisticSettings(**QUICK)).layers[0]
    assert layer.before.score.value > 0.95
    assert layer.apart.score.value > layer.same.score.value
    assert not layer.gone


def test_numbers_are_gone_too():
    acts, y, _ = planted_numbers(n=160, layers=1)
    several = RidgeSettings(**{**QUICK, "shuffles": 2, "penalties": (1.0, 100.0)})
    layer = erasure_check(acts, y, several, method="orthogonal").layers[0]
    assert layer.before.score.low > 0.5
    assert layer.same.score.value < 0.01
    assert layer.gone


def test_several_classes_are_gone_too():
    label = np.tile(["a", "b", "c"], 60)
    x = np.random.default_rng(0).normal(size=(180, 6))
    x[:, :3] += 3 * (label[:, None] == ["a", "b", "c"])
    layer = erasure_check(activations([x]), label, MultinomialSettings(**QUICK)).layers[0]
    assert layer.before.score.low > 0.8
    assert layer.chance == pytest.approx(1 / 3)
    assert layer.gone


def test_a_network_finds_what_is_there_otherwise():
    """Nothing linear is left of a class that lies around the other, and nothing else is touched."""
    x = np.random.default_rng(0).normal(size=(120, 3))
    label = np.where(np.abs(x[:, 0]) > 0.67, "out", "in")
    quick = {**QUICK, "penalties": (1.0,), "shuffles": 0}
    trained = MlpSettings(**quick, width=6, epochs=10, learning_rate=0.5)
    layer = erasure_check(activations([x]), label, trained).layers[0]
    assert layer.same.score.low > 0.7
    assert not layer.gone
    assert layer.apart.control is None
    assert erasure_check(activations([x]), label, LogisticSettings(**quick)).layers[0].gone


def test_what_cannot_be_checked_is_said():
    acts, label, _ = planted_classes(n=40)
    with pytest.raises(SondeError, match="at least 5 folds"):
        erasure_check(acts, label, LogisticSettings(folds=4, **QUICK))
    x = [acts.tensor(hook).numpy().copy() for hook in acts.hooks]
    x[0][0, 0] = np.nan
    found = erasure_check(activations(x), label, LogisticSettings(**QUICK))
    (failed,) = found.failed
    assert failed.reason.startswith("1 of 40 rows hold NaN or Inf; ")
    assert len(found.layers) == 1
