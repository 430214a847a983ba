"""Mass mean, LDA and PCA: against scikit-learn and closed forms, on both sides."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sonde.core.base import validated
from sonde.core.errors import SondeError
from sonde.probes.lda_solver import lda_solver
from sonde.probes.mass_mean_solver import mass_mean_solver
from sonde.probes.mean_solver import mean_solver
from sonde.probes.pca_solver import pca_solver
from sonde.probes.problem import Problem
from sonde.probes.settings import LdaSettings
from sonde.probes.solver import Solver

SIZES = [(40, 60), (90, 20)]
SOLVERS = (lda_solver, mass_mean_solver, pca_solver)


def problem(n, d, layers=2, seed=0):
    """Two classes and two shuffles of them; scales differ, and one coordinate is constant."""
    rng = np.random.default_rng(seed)
    y = np.stack([rng.permutation(np.arange(n) % 3 == 0) for _ in range(3)], axis=1) * 1.0
    x = rng.normal(size=(layers, n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)
    x += y[:, :1] * rng.normal(size=d)
    x = x * np.geomspace(0.1, 10, d)
    x[:, :, 1] = 0.1
    folds = rng.permutation(np.arange(n) % 4)
    return Problem.plain(*map(torch.from_numpy, (x, y, folds)))


def split(given, left_out, layer, repetition):
    held = (~given.outside(left_out)).numpy()
    x, y = given.x[layer].numpy(), given.y[:, repetition, 0].numpy()
    return x[~held], y[~held], x[held]


@pytest.mark.parametrize(("n", "d"), SIZES)
@pytest.mark.parametrize("shrinkage", [0.01, 0.5])
def test_lda_is_that_of_scikit_learn(n, d, shrinkage):
    given = problem(n, d)
    got = lda_solver(given, shrinkage=shrinkage).held_out((0, 2), (0.0,))
    for layer in range(2):
        for repetition in range(3):
            x, y, held = split(given, (0, 2), layer, repetition)
            lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage)
            want = make_pipeline(StandardScaler(), lda).fit(x, y).decision_function(held)
            np.testing.assert_allclose(got[layer, 0, :, repetition, 0], want, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(("n", "d"), SIZES)
def test_ledoit_and_wolfs_shrinkage_is_that_of_scikit_learn(n, d):
    given = problem(n, d)
    got = lda_solver(given).held_out((1,), (0.0,))
    for repetition in range(3):
        x, y, held = split(given, (1,), 0, repetition)
        scaler = StandardScaler().fit(x)
        z, z_held = scaler.transform(x), scaler.transform(held)
        within = z - np.stack([z[y == side].mean(axis=0) for side in (0, 1)])[y.astype(int)]
        found = ledoit_wolf_shrinkage(within, assume_centered=True)
        lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=float(found)).fit(z, y)
        want = lda.decision_function(z_held)
        np.testing.assert_allclose(got[0, 0, :, repetition, 0], want, rtol=1e-7, atol=1e-8)


def test_mass_mean_without_shrinkage_is_the_inverse_covariance():
    given = problem(90, 20)
    got = mass_mean_solver(given, shrinkage=0.0).held_out((3,), (0.0, 1.0))
    assert got.shape[1] == 2
    for repetition in range(3):
        x, y, held = split(given, (3,), 1, repetition)
        means = [x[y == side].mean(axis=0) for side in (0, 1)]
        within = x - np.stack(means)[y.astype(int)]
        weight = np.linalg.pinv(within.T @ within / len(x)) @ (means[1] - means[0])
        want = (held - (means[0] + means[1]) / 2) @ weight
        np.testing.assert_allclose(got[1, 0, :, repetition, 0], want, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("n", "d"), [*SIZES, (70, 110)])
@pytest.mark.parametrize("standardise", [False, True])
@pytest.mark.parametrize("centring", ["all", "class"])
def test_the_component_is_that_of_scikit_learn(n, d, standardise, centring):
    given = problem(n, d)
    got = pca_solver(given, centring=centring, standardise=standardise).held_out((1,), (0.0,))
    for repetition in range(3):
        x, y, held = split(given, (1,), 0, repetition)
        scaler = StandardScaler(with_std=standardise).fit(x)
        z, z_held = scaler.transform(x), scaler.transform(held)
        means = np.stack([z[y == side].mean(axis=0) for side in (0, 1)])
        rows = z - means[y.astype(int)] if centring == "class" else z
        axis = PCA(1, svd_solver="full").fit(rows).components_[0]
        axis *= np.sign((means[1] - means[0]) @ axis)
        want = (z_held - means.mean(axis=0)) @ axis
        np.testing.assert_allclose(got[0, 0, :, repetition, 0], want, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("make", SOLVERS)
@pytest.mark.parametrize(("n", "d"), SIZES)
def test_the_final_probe_reads_raw_rows_as_the_fit_did(make, n, d):
    """Without a fold of its own a row is read as the final fit reads it."""
    given = problem(n, d)
    extra = Problem(
        torch.cat([given.x, given.x[:, :5]], dim=1),
        torch.cat([given.y, given.y[:5]]),
        torch.cat([torch.zeros_like(given.folds), torch.ones(5, dtype=torch.int64)]),
        torch.arange(n + 5),
    )
    solver = make(extra)
    assert isinstance(solver, Solver)
    held = solver.held_out((1,), (0.0,))[:, 0, :, 0]
    alone = Problem(given.x, given.y, torch.zeros_like(given.folds), given.example)
    for layer, reader in enumerate(make(alone).final(torch.zeros(2))):
        torch.testing.assert_close(reader(given.x[layer, :5]), held[layer], rtol=1e-7, atol=1e-8)


def test_worked_by_hand():
    # Class 0 at (0, 0) and (2, 0), class 1 at (0, 2) and (2, 4): means (1, 0) and (1, 3).
    x = torch.tensor([[[0.0, 0], [2, 0], [0, 2], [2, 4]]], dtype=torch.float64)
    given = Problem.plain(x, torch.tensor([0.0, 0, 1, 1], dtype=torch.float64))
    # Within the classes: deviations (-1, 0), (1, 0), (-1, -1), (1, 1); covariance (4 2; 2 2) / 4,
    # whose inverse is (2 -2; -2 4): times (0, 3) that is (-6, 12), zero at (1, 1.5).
    (mass,) = mass_mean_solver(given, shrinkage=0.0).final(torch.zeros(1))
    assert mass.weight[0].tolist() == pytest.approx([-6, 12])
    assert mass.bias.tolist() == pytest.approx([-(-6 * 1 + 12 * 1.5)])
    # Less their means, x has squares 4 and y 11 with products 2 in all: the axis leans to y.
    (pca,) = pca_solver(given).final(torch.zeros(1))
    _, axes = np.linalg.eigh([[4, 2], [2, 11]])
    assert np.abs(pca.weight[0].numpy()) == pytest.approx(np.abs(axes[:, 1]))
    assert pca.weight[0, 1] > 0
    assert float(pca(torch.tensor([[1.0, 1.5]], dtype=torch.float64))) == pytest.approx(0)


def test_a_covariance_without_inverse_is_named():
    with pytest.raises(SondeError, match="no inverse in 60 coordinates"):
        mass_mean_solver(problem(40, 60), shrinkage=0.0).held_out((0,), (0.0,))


@pytest.mark.parametrize("make", [lda_solver, mass_mean_solver])
def test_classes_without_a_spread_of_their_own_are_named_and_need_shrinkage(make):
    # Within the classes the first coordinate is constant: S is 0 along it, its inverse infinite.
    given = problem(90, 20)
    given.x[1, :, 0] = 2 * given.y[:, 0, 0] - 1
    with pytest.raises(SondeError, match=r"do not vary along .* Give a shrinkage above 0"):
        make(given, shrinkage=0.0).final(torch.zeros(2))
    assert bool(make(given, shrinkage=0.01).held_out((0,), (0.0,)).isfinite().all())


@pytest.mark.parametrize("make", [lda_solver, mass_mean_solver])
def test_coordinates_that_depend_on_one_another_are_named(make):
    given = problem(90, 20)
    given.x[0, :, 3] = given.x[0, :, 2]
    with pytest.raises(SondeError, match=r"shrinkage of 0 the covariance of \d+ rows has no inv"):
        make(given, shrinkage=0.0).held_out((0,), (0.0,))


@pytest.mark.parametrize("wrong", [1.0, -0.5, "ledoit", None])
def test_a_wrong_shrinkage_is_told_in_one_sentence(wrong):
    with pytest.raises(SondeError) as told:
        validated(LdaSettings, {"shrinkage": wrong}, where="lda.yaml")
    assert str(told.value) == (
        "lda.yaml is not valid: shrinkage: write ledoit_wolf, or a number of at least 0 and below "
        f"1 (given: {wrong!r})."
    )
    assert validated(LdaSettings, {"shrinkage": 0}, where="").shrinkage == 0


@pytest.mark.parametrize("make", [*SOLVERS, mean_solver])
@pytest.mark.parametrize(("n", "d"), SIZES)
def test_a_shuffle_that_leaves_one_class_empty_stays_finite(make, n, d):
    given = problem(n, d)
    y = given.y.clone()
    y[given.outside((0,)), 1] = 0.0
    broken = Problem(given.x, y, given.folds, given.example)
    assert bool(make(broken).held_out((0,), (0.0,)).isfinite().all())


@given(
    st.sampled_from(SOLVERS),
    st.sampled_from(SIZES),
    st.floats(0.1, 100),
    st.floats(-100, 100),
    st.integers(0, 5),
)
def test_a_shift_and_a_unit_of_all_coordinates_do_not_matter(make, size, unit, shift, seed):
    given = problem(*size, layers=1, seed=seed)
    moved = Problem(unit * given.x + shift, given.y, given.folds, given.example)
    before, after = (make(one).held_out((0,), (0.0,)) for one in (given, moved))
    factor = unit if make is pca_solver else 1.0  # a component keeps the rows' unit
    torch.testing.assert_close(after, before * factor, rtol=1e-5, atol=1e-5 * factor)


@given(st.sampled_from((lda_solver, mass_mean_solver)), st.integers(0, 5))
def test_units_of_single_coordinates_do_not_matter(make, seed):
    given = problem(90, 20, layers=1, seed=seed)
    units = torch.from_numpy(np.random.default_rng(seed).uniform(0.01, 100, 20))
    scaled = Problem(given.x * units, given.y, given.folds, given.example)
    before, after = (make(one).held_out((0,), (0.0,)) for one in (given, scaled))
    torch.testing.assert_close(after, before, rtol=1e-6, atol=1e-7)
