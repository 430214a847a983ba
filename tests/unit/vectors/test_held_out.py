"""What vectors say of rows that they were not made from, and Cohen's d of it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.planted import planted_classes

from sonde.stats.bootstrap import Bootstrap
from sonde.stats.effect_sizes import cohens_d
from sonde.vectors import vectors_from
from sonde.vectors.held_out import separations, standardised_differences


def test_d_worked_by_hand():
    # means 4 and 1, variances 1 and 1: d = 3, and J of 4 degrees of freedom is 0.7979
    said = np.array([[3.0, 4.0, 5.0, 0.0, 1.0, 2.0]])
    truth = np.array([1.0, 1, 1, 0, 0, 0])
    (found,) = standardised_differences(said, truth, np.arange(6).astype(str))
    assert found.value == pytest.approx(3 * 0.797885, rel=1e-5)
    assert found.n == 6


@given(seed=st.integers(0, 1000), n=st.integers(4, 60))
@settings(max_examples=50)
def test_d_is_the_one_of_stats(seed, n):
    rng = np.random.default_rng(seed)
    said = rng.normal(size=(2, 2 * n))
    truth = np.repeat([0.0, 1.0], n)
    found = standardised_differences(said, truth, np.arange(2 * n))
    for one, row in zip(found, said, strict=True):
        exact = cohens_d(row[n:], row[:n])
        assert one.value == pytest.approx(exact.value)


def test_the_interval_is_the_exact_one_widened_as_of_fitted_scores():
    rng = np.random.default_rng(0)
    truth = np.repeat([0.0, 1.0], 400)
    said = rng.normal(size=800) + truth
    (found,) = standardised_differences(said[None], truth, np.arange(800))
    exact = cohens_d(said[400:], said[:400])
    assert found.high - found.low == pytest.approx(3**0.5 * (exact.high - exact.low), rel=0.05)


def test_rows_of_a_unit_count_together():
    rng = np.random.default_rng(1)
    truth = np.tile([0.0, 1.0], 50)
    said = rng.normal(size=100) + truth
    (once,) = standardised_differences(said[None], truth, np.arange(100))
    (twice,) = standardised_differences(
        np.repeat(said, 2)[None], np.repeat(truth, 2), np.repeat(np.arange(100), 2)
    )
    assert twice.n == once.n == 100
    assert twice.high - twice.low == pytest.approx(once.high - once.low, rel=0.05)


def test_rows_that_nothing_was_said_of_are_left_out():
    said = np.array([[np.nan, -1.0, 1.0, -2.0, 2.0, 1.5]])
    truth = np.array([1.0, 0, 1, 0, 1, 1])
    (found,) = separations(said, truth, np.array(list("abcdef")), Bootstrap())
    assert found["accuracy"].value == 1.0
    assert found["accuracy"].n == 5
    assert set(found) == {"accuracy", "auroc", "cohens_d"}


def test_a_side_of_one_row_has_no_d():
    (found,) = standardised_differences(np.ones((1, 3)), np.array([1.0, 0, 0]), np.arange(3))
    assert np.isnan(found.value)


def test_what_is_said_is_the_projection_of_folds_worked_alone():
    acts, label, _ = planted_classes(n=24, d=6, layers=1)
    vectors = vectors_from(acts, label, methods=("mean_difference",), folds=3)
    said = vectors.held_out["prompt[-1]"].said[vectors[0].name]
    x = acts.tensor(acts.hooks[0]).double().numpy()
    from sonde.stats.folds import grouped_folds

    fold = grouped_folds(np.arange(24).astype(str), 3, classes=label.astype(float))
    for held in range(3):
        train = fold != held
        high, low = (x[train & (label == side)].mean(axis=0) for side in (1, 0))
        unit = (high - low) / np.linalg.norm(high - low)
        expected = (x[fold == held] - (high + low) / 2) @ unit
        assert said[fold == held] == pytest.approx(expected, abs=1e-5)
    truth = vectors.held_out["prompt[-1]"].truth
    right = ((said > 0) == (truth > 0.5)).mean()
    assert vectors[0].metrics["accuracy"].value == pytest.approx(right)
    assert torch.is_tensor(vectors[0].direction)
