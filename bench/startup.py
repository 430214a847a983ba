"""How long a user waits before anything happens."""

import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.table import Line

SONDE = Path(sys.executable).with_name("sonde")
LOAD = """
import time, torch, transformers, sonde, sonde.models.loading, sonde.models.self_check
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
start = time.perf_counter()
sonde.load("smollm2-135m-instruct")
print(time.perf_counter() - start)
"""


def startup(rounds: int) -> list[Line]:
    """Time the import, the help, and loading the embedded model from the cache."""
    empty = _seconds([sys.executable, "-c", "pass"], rounds)
    imported = _seconds([sys.executable, "-c", "import sonde"], rounds) - empty
    helped = _seconds([str(SONDE), "--help"], rounds)
    loaded = median(_printed(LOAD) for _ in range(rounds + 1))
    return [
        Line("import sonde", f"{imported:.2f} s", "under 0.3 s", imported < 0.3),
        Line("sonde --help", f"{helped:.2f} s", "under 0.5 s", helped < 0.5),
        Line("loading the embedded model", f"{loaded:.2f} s", "under 3 s", loaded < 3),
    ]


def _seconds(command: list[str], rounds: int) -> float:
    times = []
    for _ in range(max(rounds, 5) + 1):
        start = perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(perf_counter() - start)
    return median(times[1:])


def _printed(code: str) -> float:
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(answer.splitlines()[-1])
