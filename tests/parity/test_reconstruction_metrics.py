"""Metrics of dictionaries against scikit-learn and SciPy, and against SAELens and others."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.optimize import minimize_scalar
from scipy.spatial.distance import cdist
from sklearn.metrics import r2_score
from sklearn.metrics.pairwise import paired_cosine_distances

from sonde.activations.row_batches import RowBatch
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries import Architecture, Dictionary, TopK
from sonde.dictionaries.dictionary import Reconstruction
from sonde.dictionaries.initialise import initialise
from sonde.dictionaries.metrics_decoder import nearest_latents
from sonde.dictionaries.metrics_quality import quality, quality_of
from sonde.dictionaries.metrics_sums import ReconstructionSums

PEERS = Path(os.environ.get("SONDE_PEERS", Path(__file__).parents[2] / ".venv-peers"))
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


def cases():
    """The same reconstruction in other units and about other origins, and one with an offset."""
    torch.manual_seed(1)
    rows = torch.randn(256, 16)
    made = 0.9 * rows + 0.3 * torch.randn(256, 16)
    return {
        "plain": (rows, made),
        "times 10": (10 * rows, 10 * made),
        "times a millionth": (1e-6 * rows, 1e-6 * made),
        "far away": (rows + 1e4, made + 1e4),
        "offset": (rows, made + 1),
    }


def ours(rows, made):
    sums = ReconstructionSums([rows.shape[1]], 1, 0)
    sums.add(Reconstruction((), (made,), (made[None],)), [rows], np.arange(len(rows)))
    return quality_of(sums, [str(HOOK)])


def asked(library, tmp_path):
    environment, package = {
        "saelens": ("sae-lens", "sae_lens"),
        "dictionary-learning": ("dictionary-learning", "dictionary_learning"),
    }[library]
    python = PEERS / environment / "bin" / "python"
    if not list((PEERS / environment).glob(f"lib/python3*/site-packages/{package}")):
        pytest.skip(f"{package} is not in {PEERS / environment}; `make peers` installs it")
    pairs = {
        f"{name}.{part}": one.clone()
        for name, pair in cases().items()
        for part, one in zip(("rows", "made"), pair, strict=True)
    }
    save_file(pairs, tmp_path / "pairs.safetensors")
    script = Path(__file__).parents[1] / "peers" / "dictionary_metrics.py"
    done = subprocess.run(
        [str(python), str(script), library, str(tmp_path / "pairs.safetensors")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.peer
def test_sae_lens_agrees_until_squares_are_lost(tmp_path):
    """SAELens 6.54 sums squares in float32 about 0, and takes small variances for none at all."""
    theirs = {name: one["explained_variance"] for name, one in asked("saelens", tmp_path).items()}
    own = {name: ours(*pair).value("variance_explained") for name, pair in cases().items()}
    for name in ("plain", "times 10", "offset"):
        assert theirs[name] == pytest.approx(own[name], rel=1e-5)
    for name in ("times a millionth", "far away"):
        assert own[name] == pytest.approx(own["plain"], rel=1e-2)
    assert theirs["times a millionth"] == 1.0
    assert abs(theirs["far away"] - own["plain"]) > 0.01


@pytest.mark.peer
def test_dictionary_learning_agrees_but_for_offsets(tmp_path):
    """Its variance explained takes the mean off the error too, so an offset costs nothing."""
    theirs = asked("dictionary-learning", tmp_path)
    for name in ("plain", "times 10"):
        own = ours(*cases()[name])
        found = theirs[name]
        assert found["cossim"] == pytest.approx(own.value("cosine"), rel=1e-5)
        assert found["relative_reconstruction_bias"] == pytest.approx(
            own.value("reconstruction_bias"), rel=1e-5
        )
        explained = own.value("variance_explained")
        assert found["frac_variance_explained"] == pytest.approx(explained, abs=0.01)
    kept = theirs["plain"]["frac_variance_explained"]
    assert theirs["offset"]["frac_variance_explained"] == pytest.approx(kept, rel=1e-5)
    assert ours(*cases()["offset"]).value("variance_explained") < kept - 0.9
