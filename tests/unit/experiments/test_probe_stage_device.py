"""A probe stage that is to run on a device that is not there says so before anything runs."""

from pathlib import Path

import pytest
import torch

from sonde.experiments.stages.probe import ProbeStage
from sonde.probes.settings import RidgeSettings


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(("device", "said"), [("cuda", "is not there"), ("gpu", "not a device")])
def test_a_device_that_is_not_there_is_a_problem(device, said):
    stage = ProbeStage(activations="acts", labels="rows", method=RidgeSettings(device=device))
    (problem,) = stage.problems(Path())
    assert said in problem


def test_the_host_is_no_problem():
    stage = ProbeStage(activations="acts", labels="rows", method=RidgeSettings(device="auto"))
    assert stage.problems(Path()) == ()
