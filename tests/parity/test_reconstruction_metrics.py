"""Metrics of dictionaries against scikit-learn and SciPy, on activations of uneven scale."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.spatial.distance import cdist
from sklearn.metrics import r2_score
from sklearn.metrics.pairwise import paired_cosine_distances

from sonde.activations.row_batches import RowBatch
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries import Architecture, Dictionary, TopK
from sonde.dictionaries.initialise import initialise
from sonde.dictionaries.metrics_decoder import nearest_latents
from sonde.dictionaries.metrics_quality import quality

HOOK = parse_hook_point("blocks.0.resid_post")


@pytest.fixture(scope="module")
def measured():
    """A random dictionary, its quality on rows with a massive coordinate, and the rows."""
    torch.manual_seed(0)
    architecture = Architecture(sources=(str(HOOK),), d_in=(12,), d_sae=30, sparsity=TopK(k=4))
    x = torch.randn(300, 12, dtype=torch.float64) + 1
    x[:, 3] += 50
    dictionary = initialise(Dictionary(architecture).double(), 0, [x.mean(dim=0)])
    pieces = [RowBatch({HOOK: x[at]}, at) for at in torch.arange(300).split(64)]
    return dictionary, quality(dictionary, pieces, lambda token: token.numpy() // 10), x


def test_variance_explained_is_sklearns_variance_weighted_r2(measured):
    dictionary, found, x = measured
    made = dictionary(x).targets[0].detach()
    theirs = r2_score(x.numpy(), made.numpy(), multioutput="variance_weighted")
    assert found.value("variance_explained") == pytest.approx(theirs, rel=1e-9)


def test_cosines_are_sklearns(measured):
    dictionary, found, x = measured
    made = dictionary(x).targets[0].detach()
    theirs = 1 - paired_cosine_distances(x.numpy(), made.numpy()).mean()
    assert found.value("cosine") == pytest.approx(theirs, rel=1e-9)


def test_reconstruction_bias_minimises_the_error(measured):
    """Rajamanoharan et al. 2024: gamma = argmin over g of E |ŷ / g - y|^2."""
    dictionary, found, x = measured
    made = dictionary(x).targets[0].detach()

    def error(gamma):
        return float((made / gamma - x).square().sum())

    best = minimize_scalar(error, bracket=(0.5, 1.5), tol=1e-10).x
    assert found.value("reconstruction_bias") == pytest.approx(best, rel=1e-5)


def test_nearest_latents_are_scipys(measured):
    decoder = measured[0].parts[0].decoder.detach()
    theirs = 1 - cdist(decoder.numpy(), decoder.numpy(), "cosine")
    np.fill_diagonal(theirs, -1)
    assert nearest_latents(decoder).cosine.numpy() == pytest.approx(theirs.max(axis=1), abs=1e-6)
