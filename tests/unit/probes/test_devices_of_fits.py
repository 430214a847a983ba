"""Where fits are made: a device that is not there is named, and readers come back to the host."""

import numpy as np
import pytest
import torch

from planted import planted_classes
from sonde import probes
from sonde.core.errors import SondeError
from sonde.probes.reader import Linear, on_host

QUICK = {"resamples": 20, "shuffles": 0, "directions": 0, "baseline": False}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_named():
    acts, label, _ = planted_classes(n=40)
    with pytest.raises(SondeError, match="device 'cuda' is not there"):
        probes.ridge(acts, label, device="cuda", **QUICK)
    with pytest.raises(SondeError, match="'gpu' is not a device"):
        probes.ridge(acts, label, device="gpu", **QUICK)


def test_auto_is_a_device_that_is_there():
    acts, label, _ = planted_classes(n=40)
    one, other = (probes.ridge(acts, label, device=name, **QUICK) for name in ("auto", "cpu"))
    for layer, same in zip(one.layers, other.layers, strict=True):
        np.testing.assert_allclose(layer.score.value, same.score.value, atol=1e-9)


def test_readers_on_the_host_stay_as_they_are():
    reader = Linear(torch.ones(1, 3), torch.zeros(1), torch.zeros(3), torch.ones(3))
    assert on_host(reader) is reader
