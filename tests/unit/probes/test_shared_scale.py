"""Folds whose fits differ in size are ranked on one scale."""

import numpy as np
import pytest

from planted import activations
from sonde import probes
from sonde.stats import auroc

ALONE = {"resamples": 1, "shuffles": 0, "directions": 0, "baseline": False}


def equally_good_layers(seed, sizes=(1.0, 1.0, 1.0, 1.0)):
    """Several layers, each with its own direction, so that the folds' choices waver."""
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.tile([0, 1], 50))
    directions = rng.normal(size=(len(sizes), 30))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    layers = [
        size * (rng.normal(size=(100, 30)) + 1.4 * (label - 0.5)[:, None] * along)
        for size, along in zip(sizes, directions, strict=True)
    ]
    return activations(layers), label


@pytest.mark.parametrize(
    ("fit", "given", "sizes"),
    [
        (probes.logistic, {"penalties": (0.1, 1e4)}, (1.0, 1.0, 1.0)),
        (probes.mean_difference, {}, (1.0, 10.0, 100.0, 1000.0)),
    ],
)
def test_pooled_auroc_is_no_less_than_within_the_folds(fit, given, sizes):
    found = []
    for seed in range(6):
        scored = fit(
            *equally_good_layers(seed, sizes), seed=seed, **given, **ALONE
        ).selection.scored
        within = [
            auroc(scored.truth[scored.fold == fold], scored.predicted[scored.fold == fold])
            for fold in range(5)
        ]
        pooled = [auroc(scored.truth, said) for said in (scored.predicted, scored.said)]
        found.append([np.mean(within), *pooled])
    within, shared, as_said = np.mean(found, axis=0)
    assert shared == pytest.approx(within, abs=0.02)
    assert as_said < min(within, shared) - 0.005


def test_each_folds_answers_have_a_mean_square_of_one_and_keep_their_sign():
    acts, label = equally_good_layers(0)
    layer = probes.logistic(acts, label, **ALONE).layers[0]
    scored = layer.scored
    for fold in range(5):
        assert np.square(scored.predicted[scored.fold == fold]).mean() == pytest.approx(1.0)
        assert len(np.unique(scored.scale[scored.fold == fold])) == 1
    assert (np.sign(scored.said) == np.sign(scored.predicted)).all()
    assert layer.out_of_fold == pytest.approx(scored.predicted * scored.scale)


def test_numbers_keep_their_unit():
    acts, label = equally_good_layers(1)
    layer = probes.ridge(acts, label.astype(float), **ALONE).layers[0]
    assert (layer.scored.scale == 1).all()
