"""What is measured on a GPU: memory, the seconds it was held, and its energy."""

import pytest
import torch

from sonde.experiments.cost.energy import counters
from sonde.experiments.cost.stopwatch import Machine, Stopwatch
from sonde.experiments.hardware import visible_gpus

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
MEGABYTES = 1_000_000


def test_the_peak_on_the_device_is_that_of_the_stage():
    held = torch.ones(400 * MEGABYTES, dtype=torch.uint8, device="cuda")
    del held
    stopwatch = Stopwatch(Machine(visible_gpus(), 3.6))
    held = torch.ones(100 * MEGABYTES, dtype=torch.uint8, device="cuda")
    torch.cuda.synchronize()
    cost = stopwatch.read()
    assert 100 * MEGABYTES <= cost.device_memory["cuda:0"] < 200 * MEGABYTES
    assert cost.device == visible_gpus()[0]
    assert cost.device_seconds == cost.seconds
    assert held.sum() == 100 * MEGABYTES


def test_work_takes_energy():
    pytest.importorskip("pynvml", reason="energy needs the extra energy")
    stopwatch = Stopwatch(Machine(visible_gpus(), None, counters()))
    square = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    for _ in range(200):
        square = (square @ square).clamp(-1, 1)
    torch.cuda.synchronize()
    cost = stopwatch.read()
    assert "GPU" in cost.energy_of
    assert 0 < cost.joules < 2000 * cost.seconds + 2000  # watts of one board
