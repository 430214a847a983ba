"""A compiled loss takes the same steps, and is compiled once."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_steps_are_the_same_steps_and_compiled_once():
    program = Path(__file__).with_name("compiled_training.py")
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for (weights, losses), (others, compiled_losses) in json.loads(done.stdout).values():
        assert compiled_losses == pytest.approx(losses, rel=1e-4)
        assert len(losses) == len(set(losses)) == 6
        for name, one in weights.items():
            assert np.allclose(others[name], one, atol=1e-5), name
