import numpy as np
import pytest

from planted import activations, as_examples, planted_classes, planted_numbers
from sonde import probes
from sonde.core.errors import SondeError
from sonde.probes import baseline as baselines
from sonde.probes.bag_of_tokens import BagOfTokens
from sonde.probes.length import length_features
from sonde.probes.names import BAG, DIRECTION, LENGTH, WEIGHTS

QUICK = {"resamples": 50, "shuffles": 1, "directions": 0}


def test_lengths_by_hand():
    texts = ["one, two three", "four"]
    tokens = np.array([5, 2])
    assert length_features(texts, tokens).tolist() == [[5, 3, 14], [2, 1, 4]]
    assert length_features(None, tokens).tolist() == [[5], [2]]
    assert length_features(["abc", "xyz"], np.array([1, 2])).tolist() == [[1], [2]]
    assert length_features(["abc", "xyz"], np.array([1, 1])).shape == (2, 0)


def test_long_texts_of_one_class_show_in_the_length_and_not_in_the_words():
    rng = np.random.default_rng(0)
    acts, label, _ = planted_classes(n=80)
    # Words of their own, each used once: only how many there are tells the classes apart.
    texts = [
        " ".join(f"w{row}x{at}" for at in range(5 + 3 * side + int(rng.integers(2))))
        for row, side in enumerate(label)
    ]
    found = probes.logistic(acts, as_examples(acts, label, texts), **QUICK)
    assert found.baselines[LENGTH].score.value > 0.95
    assert found.baselines[BAG].score.value < 0.7


def test_tokens_alone_are_a_length_where_no_texts_are_known():
    label = np.tile([0, 1], 40)
    rng = np.random.default_rng(0)
    acts = activations(
        [rng.normal(size=(80, 4))], tokens=10 + 5 * label + rng.integers(0, 3, size=80)
    )
    found = probes.mean_difference(acts, label, **QUICK)
    assert found.baselines[LENGTH].score.value == 1.0
    assert found.missing == {
        BAG: "no texts were given",
        DIRECTION: "switched off by directions: 0",
        WEIGHTS: "no activations of random weights were given",
    }
    assert "random weights: no control (no activations of random weights were given)" in str(found)
    assert found.baselines[LENGTH].scored.unit.tolist() == sorted(acts.rows.example.tolist())


def test_numbers_are_held_against_length_by_ridge():
    acts, y, _ = planted_numbers(n=60)
    texts = ["x" * (1 + round(10 * (value - y.min()))) for value in y]
    found = probes.ridge(acts, as_examples(acts, y, texts), **QUICK)
    assert found.baselines[LENGTH].score.value > 0.99


def test_what_is_not_measured_is_said_with_its_reason():
    acts, label, _ = planted_classes(n=40)
    bare = probes.mean_difference(acts, label, **QUICK)
    assert bare.baselines == {}
    assert "bag of tokens: no baseline (no texts were given)" in str(bare)
    assert "length: no baseline (no texts were given)" in str(bare)
    even = [f"text {row:02}" for row in range(40)]
    same = probes.mean_difference(acts, as_examples(acts, label, even), **QUICK)
    assert same.missing[LENGTH] == "all texts have the same length"
    off = probes.mean_difference(acts, as_examples(acts, label), baseline=False, **QUICK)
    assert off.missing[BAG] == off.missing[LENGTH] == "switched off by baseline: false"


@pytest.mark.parametrize("kind", [probes.ridge, probes.logistic, probes.mean_difference])
def test_baselines_have_one_row_an_example_on_the_probes_folds(kind):
    acts, label, _ = planted_classes(n=60, layers=1)
    twice = activations(
        [np.concatenate([acts.tensor(acts.hooks[0])] * 2)],
        examples=[str(row) for row in range(60)] * 2,
        positions=["prompt.mean"] * 60 + ["prompt[-1]"] * 60,
    )
    texts = ["a " * (1 + row % 7) for row in range(60)]
    examples = as_examples(acts, label, [f"{text}{row}" for row, text in enumerate(texts)])
    found = kind(twice, examples, **QUICK)
    fold_of = dict(zip(found.layers[0].scored.example, found.layers[0].scored.fold, strict=True))
    for baseline in found.baselines.values():
        assert len(baseline.scored) == 60
        assert [fold_of[name] for name in baseline.scored.example] == baseline.scored.fold.tolist()


def test_a_baseline_that_cannot_be_fitted_is_missing_and_the_probe_stands(monkeypatch):
    acts, label, _ = planted_classes(n=40)
    scored = baselines._scored

    def some(predictor, *rest):
        if isinstance(predictor, BagOfTokens):
            raise SondeError("It did not converge.", fix="Leave it.")
        return scored(predictor, *rest)

    monkeypatch.setattr(baselines, "_scored", some)
    quick = {"penalties": (10.0,), "folds": 3, "shuffles": 0, "directions": 0, "resamples": 20}
    texts = [f"{'word ' * (1 + row % 3)}" for row in range(40)]
    found = probes.logistic(acts, as_examples(acts, label, texts), **quick)
    assert set(found.baselines) == {LENGTH}
    assert found.missing[BAG] == "it could not be fitted: It did not converge"
    assert "bag of tokens: no baseline (it could not be fitted" in str(found)
