import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from planted import activations, as_examples, planted_classes, planted_numbers
from sonde import probes
from sonde.core.errors import SondeError
from sonde.data.comparisons import Comparison
from sonde.probes import LogisticSettings, RidgeSettings
from sonde.probes.names import BAG, SHUFFLED
from sonde.stats.interval import Interval

KINDS = [probes.ridge, probes.logistic, probes.mean_difference]
QUICK = {"resamples": 200}
ALONE = {**QUICK, "shuffles": 0, "directions": 0}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pairs", [False, True])
def test_a_planted_direction_is_found_at_its_layer(kind, pairs):
    acts, label, direction = planted_classes(n=120, strength=4.0, pairs=pairs)
    found = kind(acts, label, **QUICK)
    assert found.best.hook.layer == 1
    assert {hook.layer for hook in found.selected_hooks} == {1}
    assert float(found.best.direction @ torch.from_numpy(direction)) > 0.9
    noise, signal = found.layers
    assert signal.score.low > 0.5
    chance = 0.0 if kind is probes.ridge else 0.5
    assert noise.score.low < chance + 0.02
    assert found.n == (60 if pairs else 120)
    assert found.n_rows == 120


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pairs", [False, True])
def test_the_control_is_at_chance(kind, pairs):
    acts, label, _ = planted_classes(n=160, strength=6.0, pairs=pairs)
    found = kind(acts, label, shuffles=3, **QUICK)
    chance, far = (0.0, 0.25) if kind is probes.ridge else (0.5, 0.12)
    for layer in found.layers:
        assert abs(layer.control.value - chance) < far
        assert layer.control.low <= chance + 0.05
        assert len(layer.controls[SHUFFLED].scored) == 3
    assert abs(found.selection.control.value - chance) < far


def test_a_leak_shows_as_the_gap_between_rows_and_groups():
    """Groups have a label and a place of their own: rows of one on both sides give it away."""
    rng = np.random.default_rng(0)
    document = np.repeat(np.arange(30), 4)
    label = rng.permutation(np.tile([0, 1], 15))[document]
    x = rng.normal(size=(30, 60))[document] + 0.3 * rng.normal(size=(120, 60))
    apart = activations([x], groups=[f"doc {one}" for one in document])
    honest = probes.logistic(apart, label, penalties=(10.0, 100.0), **ALONE).layers[0].score
    leaking = (
        probes.logistic(activations([x]), label, penalties=(10.0, 100.0), **ALONE).layers[0].score
    )
    assert leaking.value > 0.95
    assert honest.value < 0.7
    assert (honest.n, leaking.n) == (30, 120)


@given(
    scale=st.floats(0.01, 100),
    shift=st.floats(-50, 50),
    coordinate=st.integers(0, 5),
    kind=st.sampled_from([probes.ridge, probes.logistic]),
    wide=st.booleans(),
)
@hypothesis_settings(max_examples=8)
def test_scores_ignore_the_unit_and_origin_of_a_coordinate(scale, shift, coordinate, kind, wide):
    rng = np.random.default_rng(0)
    n, d = (24, 30) if wide else (40, 6)
    x = torch.from_numpy(rng.normal(size=(n, d)))
    label = np.tile([0, 1], n // 2)
    x[:, 0] += 2 * torch.from_numpy(label)
    moved = x.clone()
    moved[:, coordinate] = moved[:, coordinate] * scale + shift
    one, other = (
        kind(_exact(rows), label, penalties=(1.0, 30.0), folds=3, **ALONE).layers[0]
        for rows in (x, moved)
    )
    np.testing.assert_allclose(one.out_of_fold, other.out_of_fold, atol=1e-5)
    assert one.score.value == pytest.approx(other.score.value, abs=1e-6)


def _exact(rows):
    acts = activations([rows])
    return type(acts)({acts.hooks[0]: rows}, acts.rows, acts.origin)


def test_the_probe_scores_raw_activations_as_its_fit_did():
    acts, y, direction = planted_numbers(noise=0.01)
    probe = probes.ridge(acts, y, **ALONE).best
    x = acts.tensor(probe.hook)
    np.testing.assert_allclose(probe.score(x), y, atol=0.1 * y.std())
    assert float(probe.direction @ torch.from_numpy(direction)) > 0.99 * np.linalg.norm(direction)
    standardised = (x.double() - probe.mean) / probe.scale
    np.testing.assert_allclose(standardised.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(
        standardised @ (probe.weight * probe.scale) + y.mean(), probe.score(x), atol=1e-6
    )


def test_positions_are_swept_too_and_share_their_folds():
    acts, label, _ = planted_classes(n=60, strength=5.0, layers=1)
    noise = np.random.default_rng(1).normal(size=(60, 12))
    both = activations(
        [np.concatenate([noise, acts.tensor(acts.hooks[0])])],
        examples=[str(number) for number in range(60)] * 2,
        positions=["prompt.mean"] * 60 + ["prompt[-1]"] * 60,
    )
    found = probes.logistic(both, np.tile(label, 2), **ALONE)
    assert [layer.position for layer in found.layers] == ["prompt.mean", "prompt[-1]"]
    assert set(found.selection.positions) == {"prompt[-1]"}
    assert (found.layers[0].scored.fold == found.layers[1].scored.fold).all()
    assert found.at("blocks.0.resid_post", "prompt[-1]").score.value > 0.9
    with pytest.raises(SondeError, match="There are 2 results"):
        found.at("blocks.0.resid_post")


def test_a_layer_that_fails_is_listed_and_the_others_go_on():
    acts, label, _ = planted_classes(layers=4)
    hooks = acts.hooks
    acts.tensors[hooks[0]][3, 2] = float("nan")
    acts.tensors[hooks[1]][:] = 7.0
    acts.tensors[hooks[2]] = torch.zeros(80)
    found = probes.logistic(acts, label, **QUICK)
    assert [layer.hook for layer in found.layers] == [hooks[3]]
    reasons = [it.reason for it in found.failed]
    assert "1 of 80 rows hold NaN or Inf, such as '3'" in reasons[0]
    assert "same in every row" in reasons[1]
    assert "have shape [80]; a probe reads [row, d_model]" in reasons[2]
    assert "3 of 4 layers failed." in found.warnings
    acts.tensors[hooks[3]][0] = float("inf")
    with pytest.raises(SondeError, match="No layer could be probed"):
        probes.logistic(acts, label)


@pytest.mark.parametrize("kind", [probes.lda, probes.mass_mean])
def test_a_layer_without_spread_within_the_classes_fails_alone(kind):
    label = np.tile([0, 1], 40)
    noise, split = np.random.default_rng(0).normal(size=(2, 80, 8))
    split[:, 0] = label * 2 - 1
    found = kind(activations([split, noise]), label, shrinkage=0.0, **QUICK)
    assert [layer.hook.layer for layer in found.layers] == [1]
    assert found.best.hook.layer == 1
    assert "do not vary along" in found.failed[0].reason
    assert "Give a shrinkage above 0" in str(found)


@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_a_layer_whose_fits_answer_nan_fails_alone():
    acts, label, _ = planted_classes(layers=2)
    there = {hook: acts.tensor(hook).double() for hook in acts.hooks}
    there[acts.hooks[0]] *= 1e200  # their squares overflow
    huge = type(acts)(there, acts.rows, acts.origin)
    found = probes.mean_difference(huge, label, directions=0, **QUICK)
    assert [layer.hook.layer for layer in found.layers] == [1]
    assert found.failed[0].reason.startswith("its fits answered NaN or Inf to 80 of 80")


def test_a_layer_whose_score_is_nan_is_not_the_best():
    acts, label, _ = planted_classes(layers=3)
    found = probes.mean_difference(acts, label, **QUICK)
    unknown = Interval(math.nan, math.nan, math.nan, 80, 0.95)
    first = replace(found.layers[0], score=unknown)
    assert replace(found, layers=(first, *found.layers[1:])).best_layer is found.layers[2]


def test_separated_classes_are_noted_in_the_print():
    label = np.tile([0, 1], 20)
    noise, split = np.random.default_rng(0).normal(size=(2, 40, 3))
    split[:, 0] += 20 * label
    said = "At 1 of 2 layers the classes are perfectly separated on the training rows"
    assert said in str(probes.logistic(activations([noise, split]), label, **ALONE))
    assert "separated" not in str(probes.ridge(activations([noise, split]), label, **ALONE))


def test_labels_that_hardly_vary_are_at_fault_not_the_activations():
    acts, _, _ = planted_classes(layers=2)
    sparse = np.where(np.arange(80) == 3, 5.0, 0.0)
    with pytest.raises(SondeError, match=r"At all 2 of them: without two .* labels differ") as told:
        probes.ridge(acts, sparse, **QUICK)
    assert "activations" not in str(told.value)


def test_comparisons_of_which_none_is_scored_are_named():
    acts, _, _ = planted_classes(n=18, layers=1)
    pairs = [Comparison(str(one), str(one + 1), 1.0) for one in range(17)]
    assert len(probes.bradley_terry(acts, pairs, folds=3, **QUICK).selection.scored.fold) > 0
    with pytest.raises(SondeError, match="no comparison of two items of one fold has a winner"):
        probes.bradley_terry(acts, pairs, folds=9, seed=2, **QUICK)


def test_heads_are_probed_one_after_another():
    acts, label, _ = planted_classes(strength=5.0, layers=1)
    flat = probes.logistic(acts, label, **ALONE).best
    rows = acts.tensor(acts.hooks[0])
    heads = type(acts)({acts.hooks[0]: rows.reshape(80, 3, 4)}, acts.rows, acts.origin)
    probe = probes.logistic(heads, label, **ALONE).best
    assert torch.equal(probe.weight, flat.weight)
    assert torch.equal(probe.apply(heads), flat.apply(acts))


def test_words_that_tell_all_show_in_the_baseline():
    quick = {**ALONE, "penalties": (10.0,), "folds": 3}
    acts, label, _ = planted_classes(n=80, pairs=True)
    texts = [f"the {'cat' if one else 'dog'} sat on mat {row}" for row, one in enumerate(label)]
    told = probes.logistic(acts, as_examples(acts, label, texts), **quick)
    assert told.baseline is not None
    assert told.baseline.value == 1.0
    assert told.best.metrics[BAG] == told.baseline
    mute = probes.logistic(acts, as_examples(acts, label), **quick)
    assert mute.baseline is not None
    assert mute.baseline.value == pytest.approx(0.5, abs=0.2)
    assert probes.logistic(acts, label, **quick).baseline is None


def test_numbers_have_a_baseline_too():
    acts, y, _ = planted_numbers(n=60)
    texts = ["warm " * max(0, round(value)) for value in y - y.min()]
    found = probes.ridge(acts, as_examples(acts, y, texts), **ALONE)
    assert found.baseline is not None
    assert found.baseline.value > 0.9


def test_separable_classes_are_said_and_stay_finite():
    acts, label, _ = planted_classes(strength=30.0)
    layer = probes.logistic(acts, label, penalties=(1e-3, 1.0), **ALONE).layers[1]
    assert any("perfectly separated" in text for text in layer.warnings)
    assert layer.probe.weight.isfinite().all()
    assert layer.score.value == 1.0


def test_the_best_penalty_at_the_edge_is_a_warning():
    acts, y, _ = planted_numbers(n=60, noise=0.01)
    found = probes.ridge(acts, y, penalties=(10.0, 100.0), **QUICK)
    layer = found.layers[1]
    assert layer.penalty == 10.0
    assert "the lowest of the grid; try lower ones" in layer.warnings[0]
    assert [penalty for penalty, _ in layer.by_penalty] == [10.0, 100.0]
    assert (
        "At 1 of 2 layers the best penalty is the lowest of the grid, 10; add lower ones."
        in found.warnings
    )


def test_equal_scores_take_the_strongest_penalty_and_are_no_edge():
    acts, label, _ = planted_classes(strength=30.0)
    layer = probes.logistic(acts, label, penalties=(0.1, 1.0, 10.0), **ALONE).layers[1]
    assert layer.penalty == 10.0
    assert not any("grid" in text for text in layer.warnings)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"penaltys": (1.0,)}, "penaltys is not a key here. Did you mean 'penalties'"),
        ({"penalties": (0.0,)}, "above 0"),
        ({"folds": 2}, "folds"),
        ({"metric": "auroc"}, "metric"),
    ],
)
def test_bad_settings_are_named(given, message):
    acts, y, _ = planted_numbers()
    with pytest.raises(SondeError, match=message):
        probes.ridge(acts, y, **given)


def test_too_few_groups_or_rows_of_a_class():
    acts, label, _ = planted_classes(n=12)
    with pytest.raises(SondeError, match="There are 12 rows: too few for 20 folds"):
        probes.logistic(acts, label, folds=20)
    rare = np.r_[[1, 1], np.zeros(10)]
    with pytest.raises(SondeError, match="class '1' is in 2 rows and reaches only 2 of 5 folds"):
        probes.logistic(acts, rare)
    paired, label, _ = planted_classes(n=12, pairs=True)
    two = replace(paired, rows=replace(paired.rows, group=np.tile(["a", "b"], 6)))
    with pytest.raises(SondeError, match=r"12 labelled rows are of 2 groups.*folds need 3"):
        probes.logistic(two, label)


def test_settings_as_an_object_equal_settings_as_keywords():
    acts, label, _ = planted_classes()
    few = {"resamples": 50, "shuffles": 1, "directions": 1, "folds": 3}
    settings = LogisticSettings(penalties=(1.0, 10.0), **few)
    one = probes.fit(acts, label, settings)
    other = probes.logistic(acts, label, penalties=(10.0, 1.0), **few)
    assert one.settings == other.settings
    assert one.table() == other.table()
    assert probes.fit(acts, label.astype(float), RidgeSettings(**few)).kind == "ridge"


def test_the_result_reads_aloud():
    acts, label, _ = planted_classes()
    found = probes.logistic(acts, label, **QUICK)
    text = str(found)
    assert "80 of 80 labels joined." in text
    assert "no texts were given" in text
    row = found.table()[1]
    assert row["hook"] == "blocks.1.resid_post"
    assert row["auroc"] == found.layers[1].score.value


def test_a_layer_whose_fit_fails_is_listed_and_the_others_go_on():
    acts, label, _ = planted_classes(n=60, d=6, layers=3)
    first, middle, last = acts.hooks
    acts.tensors[middle][:, 1:] = acts.tensors[middle][:, :1]  # a covariance without an inverse
    found = probes.mass_mean(acts, label, shrinkage=0.0, **QUICK)
    assert [layer.hook for layer in found.layers] == [first, last]
    (lost,) = found.failed
    assert lost.hook == middle
    assert lost.reason
    assert "1 of 3 layers failed." in found.warnings
