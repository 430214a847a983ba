"""The look-up of the current token against counts by hand, and for every input."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import integers

from planted import activations
from sonde.probes import mean_difference
from sonde.probes.names import CURRENT
from sonde.probes.token_lookup import TokenLookup


def test_it_counts_as_by_hand():
    # Training rows (fold 0): token 7 has labels 1 1 0, token 8 has 0. Token 9 was not seen.
    ids = np.array([7, 7, 7, 8, 7, 8, 9])
    truth = np.array([1.0, 1, 0, 0, 0, 1, 1])
    folds = np.array([0, 0, 0, 0, 1, 1, 1])
    classes = TokenLookup(ids, truth, folds, classes=True).held_out((1,), (1.0, 1e9))
    assert classes.shape == (1, 2, 3, 1, 1)
    mean = (2 + 0.5) / (4 + 1)
    wanted = np.array([(2 + mean) / 4, mean / 2, mean])
    assert classes[0, 0, :, 0, 0].numpy() == pytest.approx(np.log(wanted / (1 - wanted)))
    assert classes[0, 1, :, 0, 0].numpy() == pytest.approx(np.log(mean / (1 - mean)), abs=1e-6)
    numbers = TokenLookup(ids, truth, folds, classes=False).held_out((1,), (1.0,))
    assert numbers[0, 0, :, 0, 0].numpy() == pytest.approx([2.5 / 4, 0.5 / 2, 0.5])


@given(seed=integers(0, 50), rows=integers(6, 40))
def test_it_depends_on_training_rows_alone_and_stays_finite(seed, rows):
    rng = np.random.default_rng(seed)
    ids, folds = rng.integers(0, 5, rows), np.arange(rows) % 3
    truth = rng.integers(0, 2, rows).astype(float)
    held = folds == 2
    said = TokenLookup(ids, truth, folds, classes=True).held_out((2,), (0.01, 100.0))
    assert np.isfinite(said.numpy()).all()
    other = np.where(held, 1 - truth, truth)
    again = TokenLookup(ids, other, folds, classes=True).held_out((2,), (0.01, 100.0))
    assert np.array_equal(said.numpy(), again.numpy())
    same = ids[held]
    for token in np.unique(same):
        assert np.ptp(said[0, :, same == token].numpy(), axis=1) == pytest.approx(0)


def test_of_the_current_token_it_knows_the_answer():
    rng = np.random.default_rng(0)
    ids, folds = rng.integers(0, 4, 60), np.arange(60) % 3
    truth = (ids == 2).astype(float)
    said = TokenLookup(ids, truth, folds, classes=True).held_out((0,), (0.1,))
    assert np.array_equal(said[0, 0, :, 0, 0].numpy() > 0, truth[folds == 0] == 1)


def token_task(seed=0, n=240):
    """Activations without signal of tokens of which number 3 has the label three times in four."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 6, n)
    label = rng.random(n) < np.where(ids == 3, 0.75, 0.1)
    acts = activations(
        [rng.normal(size=(n, 4))],
        examples=[f"f{row // 8}#{row % 2}" for row in range(n)],
        positions=["all.each"] * n,
        groups=[f"f{row // 8}" for row in range(n)],
        tokens=np.arange(n) % 8,
    )
    rows = replace(acts.rows, token_id=ids.astype(np.int32))
    return replace(acts, rows=rows), np.where(label, "yes", "no"), label


def test_it_stands_in_place_of_texts_and_lengths_in_a_token_task():
    acts, labels, truth = token_task()
    found = mean_difference(acts, labels, metric="balanced_accuracy", resamples=20, folds=4)
    assert set(found.baselines) == {CURRENT}
    assert {"bag of tokens", "length"}.isdisjoint(found.missing)
    scored = found.baselines[CURRENT].scored
    assert len(scored) == len(acts)
    assert list(zip(scored.example, scored.token, strict=True)) == list(
        zip(acts.rows.example, acts.rows.token, strict=True)
    )
    # By hand: yes where the token is 3, in every fold.
    said = acts.rows.token_id == 3
    by_hand = (said[truth].mean() + (~said[~truth]).mean()) / 2
    assert found.baseline.value == pytest.approx(by_hand)
    assert found.baseline.value > found.selected.high
    off = mean_difference(acts, labels, baseline=False, resamples=20, folds=4)
    assert off.missing[CURRENT] == "switched off by baseline: false"


def test_a_label_of_the_example_is_no_token_task():
    acts, _, _ = token_task()
    by_example = {str(name): int(name[-1]) for name in acts.rows.example}
    found = mean_difference(acts, by_example, resamples=20, folds=4)
    assert CURRENT not in found.baselines
