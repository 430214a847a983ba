"""Every method against scikit-learn, a closed form or the probes' own solver."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.vectors.kernels import leading_axis
from sonde.vectors.methods import METHODS
from sonde.vectors.rows import Rows, pairs_of
from sonde.vectors.settings import METHOD_NAMES, VectorSettings

LINEAR = [name for name, method in METHODS.items() if method.directions and name != "random"]
N, D = 36, 50


def raw_rows(n=N, d=D, layers=2, seed=0, strength=1.0):
    """Pairs of rows; coordinate 3 is 300 times the others and tells nothing."""
    rng = np.random.default_rng(seed)
    y = np.tile([0.0, 1.0], n // 2)
    x = rng.normal(size=(layers, n, d)) + rng.normal(size=d)
    x += strength * (y - 0.5)[:, None] * rng.normal(size=d)
    x[..., 3] = 300 * x[..., 3] + 4000
    return torch.tensor(x), torch.tensor(y)


def rows_of(x, y, train=None, unit=None):
    unit = np.arange(len(y)) // 2 if unit is None else unit
    hooks = tuple(HookPoint(layer, Site.RESID_POST) for layer in range(len(x)))
    train = torch.ones(1, len(y), dtype=torch.bool) if train is None else train
    pairs = torch.from_numpy(pairs_of(unit, y.numpy()))
    return Rows.of(x, y, train, pairs, (hooks, "response[:5].mean"))


def direction(name, rows, **changes):
    made = METHODS[name].directions(rows, VectorSettings(**changes))
    assert made.shape == (len(rows.train), *rows.x.shape[::2])
    return made.numpy()


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_the_table_and_the_settings_name_the_same_methods():
    assert tuple(METHODS) == METHOD_NAMES


def test_mean_difference_worked_by_hand():
    x = torch.tensor([[[1.0, 0.0], [3.0, 2.0], [5.0, 0.0], [7.0, 6.0]]])
    y = torch.tensor([0.0, 1.0, 0.0, 1.0], dtype=torch.float64)
    # positive mean (5, 4), negative mean (3, 0)
    assert direction("mean_difference", rows_of(x, y))[0, 0].tolist() == [2.0, 4.0]


def test_pca_paired_worked_by_hand():
    # differences (2, 0), (4, 0), (0, 1): sum of squares 20 along the first axis, 1 along the second
    x = torch.tensor([[[0.0, 0], [2, 0], [0, 0], [4, 0], [0, 0], [0, 1]]])
    y = torch.tensor([0.0, 1, 0, 1, 0, 1], dtype=torch.float64)
    assert direction("pca_paired", rows_of(x, y))[0, 0] == pytest.approx([1.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("n", [N, 2 * D + 20])
def test_lda_is_scikit_learns(n):
    x, y = raw_rows(n)
    z = StandardScaler().fit(x[1])
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3).fit(z.transform(x[1]), y)
    ours = direction("lda", rows_of(x, y), shrinkage=0.3)[0, 1]
    assert ours == pytest.approx(theirs.coef_[0] / z.scale_, rel=2e-4, abs=1e-5)


def test_shrinkage_is_ledoit_and_wolfs_of_the_probe():
    from sonde.probes.lda_solver import lda_solver
    from sonde.probes.problem import Problem

    x, y = raw_rows()
    probe = lda_solver(Problem.plain(x, y)).final(torch.zeros(2))[1]
    ours = direction("lda", rows_of(x, y))[0, 1]
    assert ours == pytest.approx(probe.weight[0].numpy(), rel=2e-4, abs=1e-5)


@pytest.mark.parametrize("penalty", [0.03, 1.0, 50.0])
@pytest.mark.parametrize("n", [N, 2 * D + 20])
def test_probe_is_scikit_learns_logistic_regression(penalty, n):
    x, y = raw_rows(n)
    z = StandardScaler().fit(x[1])
    theirs = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=10_000)
    theirs.fit(z.transform(x[1]), y)
    ours = direction("probe", rows_of(x, y), penalty=penalty)[0, 1]
    assert ours * z.scale_ == pytest.approx(theirs.coef_[0], rel=1e-3, abs=1e-4)


def test_pca_pooled_is_scikit_learns_and_points_to_the_positive_side():
    x, y = raw_rows()
    ours = direction("pca_pooled", rows_of(x, y))[0, 1]
    theirs = PCA(1).fit(x[1].numpy()).components_[0]
    assert abs(cosine(ours, theirs)) == pytest.approx(1, abs=1e-6)
    means = (x[1][y == 1].mean(0) - x[1][y == 0].mean(0)).numpy()
    assert ours @ means > 0


def test_pca_paired_is_the_first_right_singular_vector_of_the_differences():
    x, y = raw_rows()
    ours = direction("pca_paired", rows_of(x, y))[0, 1]
    theirs = np.linalg.svd((x[1][y == 1] - x[1][y == 0]).numpy())[2][0]
    assert abs(cosine(ours, theirs)) == pytest.approx(1, abs=1e-6)


def test_pca_paired_is_centred_pca_of_differences_taken_both_ways():
    # The formula of the package steering-vectors: components of [differences, -differences].
    x, y = raw_rows()
    difference = (x[1][y == 1] - x[1][y == 0]).numpy()
    theirs = PCA(1).fit(np.concatenate([difference, -difference])).components_[0]
    assert abs(cosine(direction("pca_paired", rows_of(x, y))[0, 1], theirs)) > 1 - 1e-6


@pytest.mark.parametrize("name", LINEAR)
def test_a_fit_sees_its_own_rows_alone(name):
    x, y = raw_rows()
    train = torch.ones(2, N, dtype=torch.bool)
    train[1, :12] = False
    both = direction(name, rows_of(x, y, train))
    alone = direction(name, rows_of(x[:, 12:], y[12:]))
    for layer in range(2):
        assert cosine(both[1, layer], alone[0, layer]) == pytest.approx(1, abs=1e-5)
        assert np.linalg.norm(both[1, layer]) == pytest.approx(
            np.linalg.norm(alone[0, layer]), rel=1e-3
        )


@pytest.mark.parametrize("name", LINEAR)
@settings(max_examples=25)
@given(seed=st.integers(0, 40), shift=st.floats(-100, 100), scale=st.floats(0.1, 10))
def test_directions_are_blind_to_a_shift_and_keep_with_a_scale(name, seed, shift, scale):
    x, y = raw_rows(n=16, d=20, layers=1, seed=seed, strength=3.0)
    x[..., 3] = x[..., 3] / 300
    plain, moved = (direction(name, rows_of(one, y))[0, 0] for one in (x, scale * x + shift))
    assert cosine(plain, moved) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", LINEAR)
def test_swapping_the_sides_turns_the_direction_round(name):
    x, y = raw_rows()
    there, back = (direction(name, rows_of(x, one))[0, 1] for one in (y, 1 - y))
    assert cosine(there, back) == pytest.approx(-1, abs=1e-5)


def test_a_constant_coordinate_gets_nothing():
    x, y = raw_rows()
    x[..., 7] = 0.1
    for name in LINEAR:
        assert direction(name, rows_of(x, y))[0, 1, 7] == pytest.approx(0, abs=1e-9), name


def test_without_pairs_pca_paired_says_so():
    x, y = raw_rows()
    with pytest.raises(SondeError, match="There are 0 pairs"):
        direction("pca_paired", rows_of(x, y, unit=np.arange(N)))


def test_pairs_are_made_in_order_and_what_is_over_is_left():
    unit = np.array(["a", "a", "a", "b", "c", "c"])
    y = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    assert pairs_of(unit, y).tolist() == [[0, 1], [5, 4]]


def test_random_directions_are_drawn_by_place_and_seed():
    x, y = raw_rows()
    one = direction("random", rows_of(x, y))
    assert np.linalg.norm(one, axis=-1) == pytest.approx(1)
    assert np.array_equal(one, direction("random", rows_of(x, y)))
    assert abs(cosine(one[0, 0], one[0, 1])) < 0.9
    assert not np.array_equal(one, direction("random", rows_of(x, y), seed=1))


@given(seed=st.integers(0, 60), side=st.integers(2, 40))
def test_the_leading_axis_is_that_of_a_full_decomposition(seed, side):
    drawn = torch.Generator().manual_seed(seed)
    z = torch.randn(3, side, side + 3, dtype=torch.float64, generator=drawn)
    k = z @ z.mT
    axis = leading_axis(k)
    quotient = torch.einsum("bi,bij,bj->b", axis, k, axis)
    assert torch.allclose(quotient, torch.linalg.eigvalsh(k)[:, -1], rtol=1e-9)
    assert torch.allclose(axis.norm(dim=1), torch.ones(3, dtype=torch.float64))


def test_equal_eigenvalues_end_in_a_full_decomposition():
    k = torch.eye(30, dtype=torch.float64)[None] * 2
    assert torch.allclose(leading_axis(k).norm(dim=1), torch.ones(1, dtype=torch.float64))
