"""Every kind of probe: finds what is planted, nothing in shuffles, and comes back from its file."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from planted import ORIGIN, activations
from sonde import probes
from sonde.core.errors import SondeError
from sonde.core.hooks import parse_hook_point
from sonde.data.comparisons import Comparison
from sonde.probes import Probe, ProbeResults
from sonde.probes.kinds import KINDS
from sonde.probes.names import DIRECTION, SHUFFLED
from sonde.probes.settings import SETTINGS
from sonde.stats.metrics import METRICS

N, WIDTH, TOKENS = 120, 16, 3
QUICK = {"resamples": 50, "shuffles": 3, "directions": 2, "baseline": False}
# With the choice inside, 3 folds take 6 fits and 5 take 15. Networks keep one more fold apart, and
# comparisons are tested within a fold.
FEW_FOLDS = {
    **dict.fromkeys(KINDS, 3),
    **dict.fromkeys(("mlp", "multi_token", "bradley_terry"), 4),
    "attention": 5,
}
POOLED = [name for name, kind in KINDS.items() if kind.pools]


def planted(kind, seed=0):
    """Activations of two layers, of which the second holds what is to be found, and labels."""
    rng = np.random.default_rng(seed)
    label = rng.permutation(
        np.tile([0, 1, 2], N // 3) if kind == "multinomial" else np.arange(N) % 2
    )
    directions = rng.normal(size=(3, WIDTH))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    # Of principal components the largest is to be the one that tells the classes apart.
    strength = 12.0 if kind == "pca" else 5.0
    signal = (
        strength * directions[label]
        if kind == "multinomial"
        else strength * np.outer(label - 0.5, directions[0])
    )
    times = TOKENS if kind in POOLED else 1
    noise = rng.normal(size=(2, N * times, WIDTH))
    layers = [noise[0], noise[1] + np.repeat(signal, times, axis=0)]
    rows = {
        "examples": [str(number) for number in np.repeat(np.arange(N), times)],
        "tokens": np.tile(np.arange(times), N),
    }
    acts = activations(layers, **rows)
    if kind == "bradley_terry":
        pairs = rng.integers(0, N, (1500, 2))
        strengths = signal @ directions[0]
        first, second = pairs[pairs[:, 0] != pairs[:, 1]].T
        gap = strengths[first] - strengths[second]
        won = rng.random(len(gap)) < 1 / (1 + np.exp(-gap))
        return acts, [
            Comparison(str(one), str(other), float(it))
            for one, other, it in zip(first, second, won, strict=True)
        ]
    return acts, {str(number): float(one) for number, one in enumerate(label)}


def fitted(kind, **given):
    acts, y = planted(kind)
    few = {"penalties": (1.0, 100.0)} if "penalties" in SETTINGS[kind].model_fields else {}
    if "epochs" in SETTINGS[kind].model_fields:
        few = {"penalties": (1.0,), "epochs": 30}
    few["folds"] = FEW_FOLDS[kind]
    return acts, getattr(probes, kind)(acts, y, **{**QUICK, **few, **given})


@pytest.fixture(scope="module", params=list(KINDS))
def found(request):
    return fitted(request.param)


def test_what_is_planted_is_found_where_it_lies(found):
    _, results = found
    noise, signal = results.layers
    chance = results.chance
    assert results.best.hook.layer == 1
    assert {hook.layer for hook in results.selected_hooks} == {1}
    assert signal.score.low > chance + 0.1
    assert noise.score.value < chance + 0.15
    assert signal.score.low > max(one.score.value for one in signal.controls.values()) or (
        signal.score.value > signal.controls[SHUFFLED].score.high
    )
    assert set(signal.metrics) == set(results.settings.metrics)


def test_shuffled_labels_are_at_chance(found):
    _, results = found
    far = 0.3 if results.metric == "r2" else 0.12
    for layer in results.layers:
        assert set(layer.controls) == {SHUFFLED, DIRECTION}
        assert len(layer.controls[SHUFFLED].scored) == 3
        assert abs(layer.control.value - results.chance) < far
    assert abs(results.selection.control.value - results.chance) < far


def test_a_saved_probe_says_the_same(found, tmp_path):
    acts, results = found
    probe = results.best
    loaded = Probe.load(probe.save(tmp_path / "probe.safetensors"))
    assert torch.equal(loaded.apply(acts), probe.apply(acts))
    for name in ("kind", "says", "hook", "position", "labels", "penalty", "n_rows"):
        assert getattr(loaded, name) == getattr(probe, name)
    assert type(loaded.reader) is type(probe.reader)


def test_saved_results_come_back(found, tmp_path):
    _, results = found
    loaded = ProbeResults.load(results.save(tmp_path))
    assert str(loaded) == str(results)
    assert loaded.settings == results.settings
    for one, other in zip(loaded.layers, results.layers, strict=True):
        np.testing.assert_array_equal(one.out_of_fold, other.out_of_fold)
        again = other.scored.scores(results.metric)
        assert one.scored.scores(results.metric).value == pytest.approx(again.value)
        assert again.value == pytest.approx(one.score.value)


def test_a_wrong_model_layer_or_width_is_refused(found):
    acts, results = found
    probe = results.best
    foreign = replace(acts, origin=ORIGIN.model_copy(update={"model_fingerprint": "beef"}))
    with pytest.raises(SondeError, match="was fitted on tiny"):
        probe.apply(foreign)
    elsewhere = replace(acts, tensors={parse_hook_point("blocks.0.resid_post"): torch.zeros(1)})
    with pytest.raises(SondeError, match=r"reads blocks\.1\.resid_post"):
        probe.apply(elsewhere)
    with pytest.raises(SondeError, match=rf"takes \[row, {WIDTH}\]"):
        probe.score(torch.zeros(4, WIDTH + 1))


def test_the_final_fit_reads_its_own_rows(found):
    """The saved probe and the out-of-fold fits agree on what most rows are."""
    acts, results = found
    said = results.best.apply(acts)
    assert said.isfinite().all()
    assert len(said) == len(acts)
    if said.ndim == 1 and results.labels:
        scored = results.at(results.best.hook).scored
        names = acts.rows.example.tolist()
        own = np.array([float(said[names.index(name)]) for name in scored.example])
        assert np.corrcoef(own, scored.said)[0, 1] > 0.7


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_has_its_settings_and_its_function(kind):
    settings = KINDS[kind].settings
    assert SETTINGS[kind] is settings
    assert getattr(probes, kind).__name__ == kind
    made = settings()
    assert made.metric in made.metrics
    assert all(metric in METRICS for metric in made.metrics)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_layer_with_nan_is_named_and_the_others_go_on(kind):
    acts, y = planted(kind)
    acts.tensors[acts.hooks[0]][5, 2] = float("nan")
    found = spare(kind, acts, y, folds=FEW_FOLDS[kind])
    assert [layer.hook.layer for layer in found.layers] == [1]
    (lost,) = found.failed
    assert "1 of" in lost.reason
    assert "rows hold NaN or Inf, such as" in lost.reason
    assert lost.reason in str(found)


@pytest.mark.parametrize("kind", list(KINDS))
def test_fewer_groups_than_folds_are_named(kind):
    acts, y = planted(kind)
    groups = np.array([f"group {int(name) % 3}" for name in acts.rows.example])
    few = replace(acts, rows=replace(acts.rows, group=groups))
    with pytest.raises(SondeError, match=r"3 groups .* too few for 5 folds"):
        spare(kind, few, y)


@pytest.mark.parametrize("kind", [name for name in KINDS if name != "bradley_terry"])
def test_labels_that_do_not_vary_are_named(kind):
    acts, y = planted(kind)
    with pytest.raises(SondeError, match=r"1 class|nothing to predict"):
        spare(kind, acts, dict.fromkeys(y, 1.0))


def spare(kind, acts, y, folds=5):
    few = {"penalties": (10.0,)} if "penalties" in SETTINGS[kind].model_fields else {}
    few |= {"epochs": 2} if "epochs" in SETTINGS[kind].model_fields else {}
    few |= {"shuffles": 0, "directions": 0, "folds": folds}
    return getattr(probes, kind)(acts, y, **{**QUICK, **few})


def test_comparisons_that_straddle_folds_are_counted():
    acts, comparisons = planted("bradley_terry")
    found = spare("bradley_terry", acts, comparisons)
    tested = len(found.layers[0].scored)
    assert 0.1 < tested / len(comparisons) < 0.3  # of five folds
    said = f"{tested} of {len(comparisons):,} comparisons are of two items in one fold"
    assert any(said in note for note in found.warnings)
