"""A compiled loss takes the same steps, is compiled once, and says what it cannot do."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sonde.core.errors import SondeError
from sonde.dictionaries.sparsity import BatchTopK, ReLU, TopK
from sonde.dictionaries.training.compiling import compiled

CPU = torch.device("cpu")


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


@pytest.mark.parametrize("sparsity", [TopK(k=2), BatchTopK(k=2)])
def test_where_nothing_would_be_fused_it_is_refused(sparsity):
    with pytest.raises(SondeError, match=sparsity.kind):
        compiled(torch.sum, sparsity, CPU)


def test_without_a_compiler_the_way_out_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(SondeError, match=r"g\+\+"):
        compiled(torch.sum, ReLU(), CPU)
    monkeypatch.setenv("CXX", "cpp-of-mine")
    with pytest.raises(SondeError, match="cpp-of-mine is not here"):
        compiled(torch.sum, ReLU(), CPU)
