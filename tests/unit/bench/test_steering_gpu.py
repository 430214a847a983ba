"""The race on a GPU, run on a tiny model: both ways write the same texts."""

import torch
from bench.steering_gpu import COEFFICIENTS, METHODS, QUESTIONS, race, steering_gpu

from sonde.models.tiny import tiny_model


def test_both_ways_write_the_same():
    grid, loop, same, gain = race(tiny_model("gemma2"), "tiny", 1)
    rows = METHODS * len(COEFFICIENTS) * QUESTIONS
    assert same.figure == f"{rows} of {rows}"
    assert gain.figure.endswith("×") and "tiny" in grid.what and "tiny" in loop.what


def test_without_a_gpu_it_is_left_out(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert steering_gpu(1) == []
    assert "no CUDA device" in capsys.readouterr().out
