"""A small training as a program of its own, to be killed: its folder is the argument."""

import os
import sys
from pathlib import Path

import torch

from sonde.activations.row_batches import TensorRows
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries import BatchTopK, JumpReLU, TopK
from sonde.dictionaries.samples.settings import SampleSettings
from sonde.dictionaries.settings import DictionarySettings
from sonde.dictionaries.training import Resampling, Running, Training, train

READ, WRITTEN = "blocks.0.resid_mid", "blocks.0.mlp_out"
DICTIONARIES = {
    "sae": DictionarySettings(sources=(READ,), d_sae=64, sparsity=TopK(k=4)),
    "nested": DictionarySettings(
        sources=(READ,), targets=(WRITTEN,), groups=(16, 48), skip=True, sparsity=BatchTopK(k=4)
    ),
    "jump": DictionarySettings(sources=(READ,), expansion=4, sparsity=JumpReLU(l0=0.002)),
}
RECIPE = Training(
    lr=0.003, warmup=10, dead_after=500, resampling=Resampling(every=40, until=100), k_start=16,
    k_steps=50,
)  # fmt: skip
STEPS, STORED = 120, int(os.environ.get("STORED", "15"))


def source():
    generator = torch.Generator().manual_seed(0)
    causes = torch.rand(2000, 32, generator=generator).sub(0.8).relu() * 10
    x = causes @ torch.randn(32, 16, generator=generator)
    y = x.relu() @ torch.randn(16, 12, generator=generator)
    rows = {parse_hook_point(READ): x, parse_hook_point(WRITTEN): y}
    return TensorRows(rows, batch=100, epochs=STEPS // 20)


def run(folder):
    running = Running(folder, store=STORED, keep=2, log=10, progress=False)
    return train(
        source(),
        DICTIONARIES,
        RECIPE,
        samples=SampleSettings(every=7, per_latent=5),
        running=running,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(Path(sys.argv[1]))
