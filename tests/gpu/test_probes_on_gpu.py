"""Probes fitted on a GPU say what those fitted on the host say."""

import numpy as np
import pytest
import torch

from planted import planted_classes, planted_numbers
from sonde import probes

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
QUICK = {"resamples": 20, "shuffles": 2, "directions": 2, "baseline": False}
OF_CLASSES = [
    probes.logistic,
    probes.multinomial,
    probes.mean_difference,
    probes.mass_mean,
    probes.lda,
    probes.pca,
]


def assert_close(one, other, atol):
    for layer, same in zip(one.layers, other.layers, strict=True):
        np.testing.assert_allclose(layer.score.value, same.score.value, atol=atol)
        assert layer.probe.reader.tensors()["mean"].device.type == "cpu"


@pytest.mark.parametrize("rows", [60, 200])  # fewer than the 96 coordinates, and more
def test_ridge(rows):
    acts, y, _ = planted_numbers(n=rows, d=96)
    assert_close(
        *(probes.ridge(acts, y, device=name, **QUICK) for name in ("cuda", "cpu")), atol=1e-6
    )


@pytest.mark.parametrize("kind", OF_CLASSES)
@pytest.mark.parametrize("rows", [60, 200])
def test_classes(kind, rows):
    acts, y, _ = planted_classes(n=rows, d=96)
    assert_close(*(kind(acts, y, device=name, **QUICK) for name in ("cuda", "cpu")), atol=1e-3)


@pytest.mark.parametrize("kind", [probes.mlp, probes.attention])
def test_networks_learn_as_much(kind):
    acts, y, _ = planted_classes(n=200, d=32, strength=4.0)
    assert_close(*(kind(acts, y, device=name, **QUICK) for name in ("cuda", "cpu")), atol=0.1)
