"""Run the benchmarks: ``python -m bench [part …] [--rounds N]``; all parts without a name.

``python -m bench trust [part …]`` runs the simulations behind docs/trust.md instead.
"""

import argparse
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from bench.bradley_terry import bradley_terry
from bench.dictionary_end_to_end import dictionary_end_to_end
from bench.dictionary_gpu import dictionary_gpu
from bench.dictionary_memory import dictionary_memory
from bench.dictionary_step import dictionary_compile, dictionary_step
from bench.extraction import against_bare, against_peers
from bench.film_reviews import film_reviews
from bench.logistic import logistic
from bench.memory import memory
from bench.recovery import recovery
from bench.ridge import long as ridge_long
from bench.ridge import wide as ridge_wide
from bench.startup import startup
from bench.steering import steering
from bench.steering_gpu import steering_gpu
from bench.table import Line, keep, show
from bench.tokens import tokens
from bench.trust.run import main as trust
from bench.vectors import vectors

PARTS: dict[str, Callable[[int], list[Line]]] = {
    "startup": startup,
    "extraction": against_peers,
    "extraction-3000": against_bare,
    "memory": memory,
    "tokens": tokens,
    "steering": steering,
    "steering-gpu": steering_gpu,
    "dictionary-gpu": dictionary_gpu,
    "ridge": ridge_wide,
    "ridge-30000": ridge_long,
    "logistic": logistic,
    "bradley-terry": bradley_terry,
    "vectors": vectors,
    "film-reviews": film_reviews,
    "dictionary-step": dictionary_step,
    "dictionary-compile": dictionary_compile,
    "dictionary-end-to-end": dictionary_end_to_end,
    "dictionary-memory": dictionary_memory,
    "recovery": recovery,
}


def main() -> None:
    if sys.argv[1:2] == ["trust"]:
        trust(sys.argv[2:], machine())
        return
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    unknown = set(given.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown parts {', '.join(sorted(unknown))}; parts are {', '.join(PARTS)}")
    for part in given.parts or PARTS:
        print(f"{part} …", flush=True)
        lines = PARTS[part](given.rounds)
        if not lines:  # what it measures is not here, as the part itself has said
            continue
        show(part, lines)
        keep(part, f"python -m bench {part} --rounds {given.rounds}", machine(), lines)


def machine() -> str:
    """Describe the machine in the words that the page shows."""
    name = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [row for row in info.read_text().splitlines() if row.startswith("model name")]
        name = models[0].split(":")[1].strip() if models else name
    return (
        f"{os.cpu_count()} cores of {name}, Python {platform.python_version()}, "
        f"torch {version('torch')}, transformers {version('transformers')}"
    )


if __name__ == "__main__":
    main()
