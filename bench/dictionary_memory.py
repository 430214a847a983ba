"""Peak memory of training steps: it grows with rows x k, not with rows x latents.

A step's pre-activations are made some rows at a time and let go, and neither latents nor gradients
are ever dense. So what more rows add is the same for any number of latents. The peak is that of
steps alone: it is measured anew once weights and moments are there.
"""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from bench.table import Line

D, FEW, MANY = 256, 2_048, 16_384
LATENTS = (9_216, 36_864)
K, MORE_K = 32, 128
APART = 60  # MB: chunks, and what the allocator keeps


def dictionary_memory(rounds: int) -> list[Line]:
    """Measure two steps of TopK and BatchTopK in processes of their own: medians over rounds."""
    return [line for kind in ("TopK", "BatchTopK") for line in _lines(kind, rounds)]


def _lines(kind: str, rounds: int) -> list[Line]:
    more = MANY - FEW

    def peak(rows: int, latents: int, k: int) -> float:
        return median(_peak(kind, rows, latents, k) for _ in range(rounds))

    grown = {one: peak(MANY, one, K) - peak(FEW, one, K) for one in LATENTS}
    with_k = peak(MANY, LATENTS[0], MORE_K) - peak(FEW, LATENTS[0], MORE_K)
    lines = [
        Line(
            f"{kind}, k {K}, {more:,} more rows of width {D}, {latents:,} latents",
            f"{grew:,.0f} MB ({more * latents * 4 / 2**20:,.0f} MB were one dense tensor of them)",
        )
        for latents, grew in grown.items()
    ]
    apart = grown[LATENTS[1]] - grown[LATENTS[0]]
    return [
        *lines,
        Line(
            f"{kind}, what four times the latents add to that",
            f"{apart:,.0f} MB",
            f"within {APART} MB",
            abs(apart) <= APART,
        ),
        Line(
            f"{kind}, what four times the k adds to that",
            f"{with_k - grown[LATENTS[0]]:,.0f} MB",
        ),
    ]


def _peak(kind: str, rows: int, latents: int, k: int) -> float:
    command = [sys.executable, "-m", "bench.dictionary_memory", kind, *map(str, (rows, latents, k))]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def _step(kind: str, rows: int, latents: int, k: int) -> None:
    """Take a step on few random rows, then two on all, and print the peak of these in MB."""
    import torch

    from sonde.core.hooks import parse_hook_point
    from sonde.dictionaries.architecture import Architecture
    from sonde.dictionaries.sparsity import BatchTopK, TopK
    from sonde.dictionaries.training import Training
    from sonde.dictionaries.training.start import Start
    from sonde.dictionaries.training.trainee import Trainee

    torch.set_num_threads(os.cpu_count() or 1)
    hook = parse_hook_point("blocks.0.resid_post")
    sparsity = TopK(k=k) if kind == "TopK" else BatchTopK(k=k)
    architecture = Architecture(sources=(str(hook),), d_in=(D,), d_sae=latents, sparsity=sparsity)
    start = Start({hook: 1.0}, {hook: float(D)}, {hook: torch.zeros(D)})
    trainee = Trainee.fresh(architecture, Training(decay="none"), start, 3)
    x = torch.randn(rows, D, generator=torch.Generator().manual_seed(0))
    trainee.step([x[:256]], [x[:256]], 0)
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    for number in (1, 2):
        trainee.step([x], [x], number)
    print(_peak_so_far())


def _peak_so_far() -> float:
    """Return the most memory that was resident at once, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (said,) = (line for line in lines if line.startswith("VmHWM"))
    return int(said.split()[1]) / 1024


if __name__ == "__main__":
    _step(sys.argv[1], *map(int, sys.argv[2:]))
