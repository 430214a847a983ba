"""The steps on a GPU, run on a tiny model: every contestant runs, and its figure is a rate."""

import torch
from bench import dictionary_gpu as race
from bench.dictionary_gpu import dictionary_gpu

from sonde.models.tiny import tiny_model


def test_every_contestant_runs(monkeypatch):
    small = {"BATCH": 32, "CONTEXT": 16, "STEPS": 1, "BATCHES": 2, "K": 4}
    for name, value in (small | {"HOOK": "blocks.1.resid_post"}).items():
        monkeypatch.setattr(race, name, value)
    model = tiny_model("gemma2")
    source = race._rows(model)
    assert source.batch == 32 and source.n_batches == 2
    for precision in race.PRECISIONS:
        lines = race._race(model, source, 64, precision, 1)
        assert all(line.what.startswith(f"64 latents, {precision}") for line in lines)
        assert [line.figure[-1] for line in lines] == ["p", lines[1].figure[-1], "×", "s"]
        assert float(lines[1].figure) > 0


def test_without_a_gpu_it_is_left_out(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert dictionary_gpu(1) == []
    assert "no CUDA device" in capsys.readouterr().out
