"""Several numbers predicted together: one score, and one for each."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from planted import activations
from sonde import probes
from sonde.core.errors import SondeError
from sonde.probes import Probe, ProbeResults
from sonde.probes.lines import TargetLines
from sonde.stats import r2

ALONE = {"resamples": 50, "shuffles": 2, "directions": 1, "baseline": False}


def places(seed=0, n=80):
    """Latitude is in the activations, longitude only half; they have other units."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 10))
    latitude = 40 + 10 * x[:, 0]
    longitude = 1000 * (x[:, 1] + rng.normal(size=n))
    return activations([rng.normal(size=(n, 10)), x]), np.stack([latitude, longitude], axis=1)


def test_the_score_is_the_mean_of_the_targets():
    acts, y = places()
    found = probes.ridge(acts, y, penalties=(1.0,), **ALONE)
    layer = found.layers[1]
    fold = layer.scored.fold[::2]
    x = acts.tensor(acts.hooks[1]).numpy()
    want = np.empty_like(y)
    for held in range(5):
        model = make_pipeline(StandardScaler(), Ridge(alpha=1.0))
        want[fold == held] = model.fit(x[fold != held], y[fold != held]).predict(x[fold == held])
    each = r2_score(y, want, multioutput="raw_values")
    assert layer.score.value == pytest.approx(r2_score(y, want), abs=1e-6)
    assert {hook.layer for hook in found.selected_hooks} == {1}
    assert [one.value for one in found.by_target.values()] == pytest.approx(each, abs=1e-6)
    assert list(found.by_target) == ["target 0", "target 1"]
    assert each[0] > 0.95 > each[1]
    assert abs(layer.control.value) < 0.25


def test_the_mean_of_the_targets_by_hand():
    # Of target 0 the errors are 1 of a sum of squares of 2 (R2 .5), of target 1 none (R2 1).
    y = np.array([[0.0, 10], [1, 30], [2, 50]])
    said = np.array([[1.0, 10], [1, 30], [2, 50]])
    lines = TargetLines.of(y, np.arange(3))
    truth, predicted = lines.truth(y[:, None])[:, 0], lines.said(said[:, None])[:, 0]
    assert r2(truth, predicted) == pytest.approx(0.75)
    assert lines.rows.tolist() == [0, 0, 1, 1, 2, 2]


def test_labels_by_id_and_a_probe_with_a_row_a_target(tmp_path):
    acts, y = places()
    by_id = {str(number): tuple(one) for number, one in enumerate(y.tolist())}
    found = probes.ridge(acts, by_id, **ALONE)
    assert found.layers[1].score == probes.ridge(acts, y, **ALONE).layers[1].score
    probe = found.best
    assert (probe.weight.shape, probe.bias.shape) == ((2, 10), (2,))
    x = acts.tensor(probe.hook)
    np.testing.assert_allclose(probe.score(x), x.double() @ probe.weight.T + probe.bias)
    with pytest.raises(SondeError, match=r"2 outputs .target 0, target 1., each with a direction"):
        _ = probe.direction
    loaded = Probe.load(probe.save(tmp_path / "p.safetensors"))
    assert (loaded.score(x) == probe.score(x)).all()
    again = ProbeResults.load(found.save(tmp_path / "all"))
    assert again.by_target == found.by_target


def test_one_number_has_no_targets_of_its_own():
    acts, y = places()
    assert probes.ridge(acts, y[:, 0], **ALONE).by_target == {}
    words = np.where(y[:, 0] > 40, "north", "south")
    assert probes.ridge(acts, words, **ALONE).by_target == {}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda y: y * [1, 0] + [0, 2],
            "All 80 labels of target 1 are 2: there is nothing to predict",
        ),
        (lambda y: y / [[1, 1]] * np.where(np.arange(80) == 3, np.inf, 1)[:, None], "is infinite"),
        (lambda y: y[:-1], "shape .79, 2.; the activations have 80 rows"),
    ],
)
def test_bad_targets_are_named(spoil, message):
    acts, y = places()
    with pytest.raises(SondeError, match=message):
        probes.ridge(acts, spoil(y), **ALONE)


def test_a_missing_number_leaves_the_example_out():
    acts, y = places()
    y[7, 1] = np.nan
    found = probes.ridge(acts, y, **ALONE)
    assert found.n_rows == 79
    assert any("'7' is NaN" in note for note in found.warnings)
