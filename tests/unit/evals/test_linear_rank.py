"""The best linear map of some rank, against scikit-learn's PCA and least squares."""

import pytest
import torch
from hypothesis import given
from hypothesis.strategies import integers
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression

from sonde.core.errors import SondeError
from sonde.evals.linear_rank import fit_linear


def rows(n=200, d=8, seed=0):
    torch.manual_seed(seed)
    return torch.randn(n, d, dtype=torch.float64) @ torch.randn(d, d, dtype=torch.float64) + 3


@pytest.mark.parametrize("k", [1, 3, 8])
def test_of_rows_themselves_it_is_sklearns_pca(k):
    x, fresh = rows(), rows(seed=1)
    theirs = PCA(k).fit(x.numpy())
    expected = theirs.inverse_transform(theirs.transform(fresh.numpy()))
    (made,) = fit_linear([x], [x], k)(fresh).targets
    assert made.numpy() == pytest.approx(expected, abs=1e-6)


def test_of_full_rank_it_is_sklearns_least_squares():
    x = rows()
    y = x @ torch.randn(8, 5, dtype=torch.float64) + torch.randn(200, 5, dtype=torch.float64)
    made = fit_linear([x[:, :3], x[:, 3:]], [y[:, :2], y[:, 2:]], 5)(x[:, :3], x[:, 3:]).targets
    expected = LinearRegression().fit(x.numpy(), y.numpy()).predict(x.numpy())
    assert torch.cat(made, dim=1).numpy() == pytest.approx(expected, abs=1e-6)
    assert [one.shape[1] for one in made] == [2, 3]


@given(seed=integers(0, 30), k=integers(1, 4))
def test_no_other_map_of_that_rank_does_better(seed, k):
    """The least-squares map cut to its first singular vectors is another of that rank."""
    torch.manual_seed(seed)
    x = rows(seed=seed)
    y = x @ torch.randn(8, 5, dtype=torch.float64) + torch.randn(200, 5, dtype=torch.float64)
    made = fit_linear([x], [y], k)(x).targets[0]
    about_x, about_y = x - x.mean(dim=0), y - y.mean(dim=0)
    full = torch.linalg.lstsq(about_x, about_y).solution
    left, size, right = torch.linalg.svd(full)
    cut = about_x @ (left[:, :k] * size[:k]) @ right[:k] + y.mean(dim=0)
    assert (y - made).square().sum() <= (y - cut).square().sum() * (1 + 1e-9)


def test_directions_without_variance_are_left_alone():
    x = rows()
    doubled = torch.cat([x, x], dim=1)
    (made,) = fit_linear([doubled], [doubled], 8)(doubled).targets
    assert made.numpy() == pytest.approx(doubled.numpy(), abs=1e-6)


def test_a_rank_outside_the_widths_is_refused():
    with pytest.raises(SondeError, match="rank 9 from 8 to 8"):
        fit_linear([rows()], [rows()], 9)
