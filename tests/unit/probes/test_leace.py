import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde.probes.leace import erasure_of_classes, erasure_of_rows, indicators, standard_concept


def planted(seed=0, n=90, d=7, k=3, offset=20.0):
    """Rows of unequal spread with the class in their means; some classes may be rare."""
    rng = np.random.default_rng(seed)
    classes = np.r_[np.arange(k), rng.integers(0, k, n - k)]
    mixing = rng.normal(size=(d, d)) * np.exp(rng.normal(size=d))
    x = (rng.normal(size=(n, d)) + 2 * rng.normal(size=(k, d))[classes]) @ mixing + offset
    return torch.from_numpy(x), torch.from_numpy(classes)


def cross_covariance(x, z):
    return (x - x.mean(dim=0)).T @ (z - z.mean(dim=0)) / len(x)


def change(x, erased):
    return float((erased - x).square().sum(dim=1).mean())


def textbook(x, z):
    """Write W^+ P W out with numpy's pseudo-inverse and the root of a symmetric matrix."""
    x, z = x.numpy(), z.numpy()
    values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
    root = vectors @ np.diag(np.sqrt(values)) @ vectors.T
    whitening = np.linalg.pinv(root)
    direction = whitening @ (x - x.mean(0)).T @ (z - z.mean(0))
    projection = direction @ np.linalg.pinv(direction, rcond=1e-9)
    return x - (x - x.mean(0)) @ (root @ projection @ whitening).T


@pytest.mark.parametrize("k", [2, 3, 5])
def test_classes_are_erased_as_the_formula_says(k):
    x, classes = planted(k=k)
    z = indicators(classes, k)
    erased = erasure_of_rows(x, z)(x)
    np.testing.assert_allclose(erased, textbook(x, z), atol=1e-8)
    assert erasure_of_rows(x, z).left.shape[1] == k - 1


def test_one_number_by_hand():
    """z is the first coordinate: each other one loses its regression on it, and it its variance."""
    x = torch.tensor([[-1.0, -2.0], [-1.0, 0.0], [1.0, 0.0], [1.0, 2.0]], dtype=torch.float64)
    x[:, 1] += 7
    erased = erasure_of_rows(x, x[:, :1])(x)
    np.testing.assert_allclose(erased, [[0, 6], [0, 8], [0, 6], [0, 8]], atol=1e-12)
    flat = erasure_of_rows(x, x[:, :1], "orthogonal")(x)
    # cov(x, z) = (1, 1): what remains is across it.
    np.testing.assert_allclose(flat, [[0.5, 6.5], [-0.5, 7.5], [0.5, 6.5], [-0.5, 7.5]], atol=1e-12)


@given(st.integers(0, 10**6), st.integers(2, 5), st.sampled_from(["leace", "orthogonal"]),
       st.integers(20, 60))  # fmt: skip
@settings(max_examples=25)
def test_nothing_covaries_with_the_concept_afterwards(seed, k, method, n):
    x, classes = planted(seed=seed, n=n, k=k)
    z = indicators(classes, k)
    fitted = erasure_of_rows(x, z, method)
    erased = fitted(x)
    largest = float(x.std(dim=0).max())
    assert float(cross_covariance(erased, z).abs().max()) < 1e-9 * largest
    np.testing.assert_allclose(erased.mean(dim=0), x.mean(dim=0), atol=1e-8 * largest)
    np.testing.assert_allclose(fitted(erased), erased, atol=1e-7 * largest)


@given(st.integers(0, 10**6))
@settings(max_examples=25)
def test_no_other_linear_map_that_erases_changes_less(seed):
    """Every map N (I - P), P on the columns of cov(x, z), erases; the best N is a regression."""
    x, classes = planted(seed=seed)
    z = indicators(classes, 3)
    centred = x - x.mean(dim=0)
    least = change(x, erasure_of_rows(x, z)(x))
    columns = torch.linalg.svd(cross_covariance(x, z), full_matrices=False)[0][:, :2]
    rest = centred - centred @ columns @ columns.T
    best = torch.linalg.lstsq(rest, centred, driver="gelsd", rcond=1e-10).solution
    assert least == pytest.approx(change(centred, rest @ best), rel=1e-6)
    dice = torch.Generator().manual_seed(seed)
    other = torch.eye(7).double() + 0.3 * torch.randn((7, 7), generator=dice, dtype=torch.float64)
    assert least <= change(centred, rest @ other) * (1 + 1e-9)
    assert least <= change(x, erasure_of_rows(x, z, "orthogonal")(x)) * (1 + 1e-9)


def test_numbers_are_erased_in_any_unit_and_together():
    x, _ = planted(n=60)
    dice = torch.Generator().manual_seed(0)
    z = x[:, :2] + torch.randn((60, 2), generator=dice, dtype=torch.float64)
    fitted = erasure_of_rows(x, z)
    assert fitted.left.shape[1] == 2
    assert float(cross_covariance(fitted(x), z).abs().max()) < 1e-9
    again = erasure_of_rows(x, z * torch.tensor([1e-6, 1e6]) - 5)
    np.testing.assert_allclose(again(x), fitted(x), atol=1e-6)


def test_fewer_rows_than_coordinates_are_erased_all_the_same():
    x, classes = planted(n=20, d=40)
    z = indicators(classes, 3)
    erased = erasure_of_rows(x, z)(x)
    assert float(cross_covariance(erased, z).abs().max()) < 1e-8
    assert change(x, erased) < change(x, erasure_of_rows(x, z, "orthogonal")(x))


@pytest.mark.parametrize(("n", "d"), [(90, 7), (20, 40)])
def test_moments_of_classes_suffice(n, d):
    x, classes = planted(n=n, d=d)
    z = indicators(classes, 3)
    counts = z.sum(dim=0)
    covariance = torch.cov(x.T, correction=0)
    fitted = erasure_of_classes(counts, (z.T @ x) / counts[:, None], covariance)
    np.testing.assert_allclose(fitted(x), erasure_of_rows(x, z)(x), atol=1e-6)


def test_a_concept_is_said_once():
    """A constant says nothing, a class follows from the others, and the unit does not count."""
    _, classes = planted(k=3)
    z = indicators(classes, 3)
    more = torch.cat([z, torch.full((90, 1), 0.1).double(), z[:, :1] * 1e-7], dim=1)
    columns = standard_concept(more)
    assert columns.shape == (90, 2)
    np.testing.assert_allclose(columns.T @ columns / 90, np.eye(2), atol=1e-9)
    np.testing.assert_allclose(columns.mean(dim=0), 0, atol=1e-9)


def test_where_there_is_nothing_to_erase_nothing_is_changed():
    x, _ = planted()
    constant = torch.ones((90, 1), dtype=torch.float64)
    fitted = erasure_of_rows(x, constant)
    assert fitted.left.shape == (7, 0)
    assert torch.equal(fitted(x), x)
