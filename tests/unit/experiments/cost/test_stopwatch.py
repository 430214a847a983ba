import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from sonde.experiments.cost import gpu
from sonde.experiments.cost.stopwatch import Machine, Stopwatch, size_of

MEGABYTES = 1_000_000


def test_a_peak_is_seen_that_is_over_at_the_end():
    # A process of its own: memory of earlier tests may be given back meanwhile.
    program = (
        "import numpy as np, psutil;"
        "from sonde.experiments.cost.stopwatch import Machine, Stopwatch;"
        "before = psutil.Process().memory_info().rss; stopwatch = Stopwatch(Machine());"
        "held = np.ones(200_000_000, np.uint8); stopwatch.sample(); del held;"
        "print(stopwatch.read().memory - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert int(done.stdout) >= 150 * MEGABYTES


def test_the_system_s_mark_sees_a_peak_between_two_samples():
    # A process of its own, whose mark moves: this one may have held more in an earlier test.
    program = (
        "import numpy as np; from sonde.experiments.cost.stopwatch import Machine, Stopwatch;"
        "stopwatch = Stopwatch(Machine()); held = np.ones(300_000_000, np.uint8); del held;"
        "print(stopwatch.read().memory)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert int(done.stdout) >= 300 * MEGABYTES


def test_a_peak_of_an_earlier_stage_is_not_this_one_s():
    held = np.ones(600 * MEGABYTES, np.uint8)
    del held
    stopwatch = Stopwatch(Machine())
    now = psutil.Process().memory_info().rss
    assert stopwatch.read().memory <= now + 100 * MEGABYTES


def test_on_a_cpu_device_time_is_the_process_s_own():
    stopwatch = Stopwatch(Machine(hourly=3600.0))
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    time.sleep(0.1)
    cost = stopwatch.read()
    assert cost.device == "cpu"
    assert 0.05 <= cost.cpu_seconds == cost.device_seconds < cost.seconds
    assert cost.dollars == pytest.approx(cost.seconds)
    assert cost.joules is None
    assert cost.energy_of == ""


def test_on_gpus_device_time_is_how_long_they_were_held(monkeypatch):
    monkeypatch.setattr(gpu, "peaks", lambda: {"cuda:0": 7, "cuda:2": 9})
    stopwatch = Stopwatch(Machine(("h100", "l4", "h100"), None))
    time.sleep(0.02)
    cost = stopwatch.read()
    assert cost.device == "2 × h100"
    assert cost.device_seconds == pytest.approx(2 * cost.seconds)
    assert cost.device_memory == {"cuda:0": 7, "cuda:2": 9}
    assert cost.dollars is None


def test_without_a_gpu_none_is_held():
    gpu.start_peaks()
    assert gpu.peaks() == {}


def test_disk_is_every_file_below_the_folder(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "inside" / "b").write_bytes(b"123")
    assert size_of(tmp_path) == 8
    assert Stopwatch(Machine()).read(tmp_path).disk == 8
