"""Resident memory while extracting: it must not grow with the number of rows."""

import os
import resource
import subprocess
import sys
from tempfile import TemporaryDirectory

from bench.model import model_folder, tokenizer_of
from bench.prompts import prose
from bench.table import Line


def memory(rounds: int) -> list[Line]:
    """Peak resident memory with all layers for 1,000 and 20,000 short rows, each in a process."""
    small, large = _peak(1_000), _peak(20_000)
    grown = large - small
    return [
        Line("peak memory, 1,000 rows, all layers", f"{small:,.0f} MB"),
        Line("peak memory, 20,000 rows, all layers", f"{large:,.0f} MB"),
        Line("growth", f"{grown:,.0f} MB", "within 300 MB", grown <= 300),
    ]


def _peak(rows: int) -> float:
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.memory", str(rows), folder]
        return float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def _extract(rows: int, folder: str) -> None:
    import torch

    import sonde

    torch.set_num_threads(os.cpu_count() or 1)
    path = model_folder()
    tokenizer = tokenizer_of(path)
    ids = tokenizer(prose(), add_special_tokens=False)["input_ids"]
    starts = range(0, rows * 8, 8)
    texts = [tokenizer.decode([ids[(s + k) % len(ids)] for k in range(8)]) + "." for s in starts]
    model = sonde.load(str(path), check=False)
    sonde.extract(model, texts, layers="all", template="none", out=folder, progress=False)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    _extract(int(sys.argv[1]), sys.argv[2])
