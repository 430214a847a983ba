"""Run contestants in turn, so that a machine whose speed drifts drifts for all of them alike."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

HERE = Path(__file__).parent
ROOT = HERE.parent


@dataclass(frozen=True)
class Contestant:
    """A worker script and the environment it runs in (None is sonde's own).

    ``given`` is told to this one alone, beside the task.
    """

    name: str
    script: str
    environment: str | None = None
    given: Mapping[str, object] = field(default_factory=dict)

    @property
    def python(self) -> Path:
        if self.environment is None:
            return Path(sys.executable)
        return ROOT / ".venv-peers" / self.environment / "bin" / "python"


@dataclass(frozen=True)
class Outcome:
    """Seconds of each round, and the result of the last one (None for the bare limit)."""

    name: str
    seconds: tuple[float, ...]
    result: np.ndarray | None

    @property
    def median(self) -> float:
        return median(self.seconds)


def ratio(slow: Outcome, fast: Outcome) -> float:
    """Return the median over rounds of slow / fast, each round's pair taken together."""
    return median(a / b for a, b in zip(slow.seconds, fast.seconds, strict=True))


def contest(contestants: list[Contestant], task: dict, *, rounds: int) -> dict[str, Outcome]:
    """Run every contestant ``rounds`` times, one after another; each has warmed up before."""
    with TemporaryDirectory() as folder:
        workers = [_start(item, task, Path(folder)) for item in contestants]
        try:
            seconds: dict[str, list[float]] = {item.name: [] for item in contestants}
            for _ in range(rounds):
                for item, worker in zip(contestants, workers, strict=True):
                    took = _ask(worker, item.name, Path(folder))
                    seconds[item.name].append(took)
                    print(f"  {item.name}: {took:.1f} s", flush=True)
            return {
                item.name: Outcome(item.name, tuple(seconds[item.name]), _result(item, folder))
                for item in contestants
            }
        finally:
            for worker in workers:
                worker.kill()


def _start(item: Contestant, task: dict, folder: Path) -> subprocess.Popen:
    path = folder / f"{item.name}.json"
    path.write_text(json.dumps({**task, **item.given, "answer": str(folder / f"{item.name}.npy")}))
    worker = subprocess.Popen(
        [str(item.python), str(HERE / "workers" / item.script), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(folder / f"{item.name}.log").open("w"),
        text=True,
    )
    _answer(worker, item.name, folder)
    return worker


def _ask(worker: subprocess.Popen, name: str, folder: Path) -> float:
    assert worker.stdin is not None
    worker.stdin.write("go\n")
    worker.stdin.flush()
    return _answer(worker, name, folder)["seconds"]


def _answer(worker: subprocess.Popen, name: str, folder: Path) -> dict:
    """Read the next answer; libraries print to standard output too, so other lines are passed."""
    assert worker.stdout is not None
    for line in worker.stdout:
        if line.startswith("{"):
            return json.loads(line)
    log = (folder / f"{name}.log").read_text()[-2000:]
    raise RuntimeError(f"{name} stopped without an answer.\n{log}")


def _result(item: Contestant, folder: str) -> np.ndarray | None:
    path = Path(folder) / f"{item.name}.npy"
    return np.load(path) if path.exists() else None
