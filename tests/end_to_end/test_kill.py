"""`sonde run` killed at ten random moments, then run again, ends as if it had not been killed."""

import importlib
import multiprocessing
import os
import random
import time
from pathlib import Path

import pytest

from sonde.cli.main import main
from sonde.experiments.results import verify
from sonde.ledger.ledger import Ledger

FORK = multiprocessing.get_context("fork")
KILLS = 10
# Imported before the forks, which would each take seconds for it.
USED = (
    "sonde.cli.run",
    "sonde.activations",
    "sonde.models.loading",
    "sonde.models.self_check",
    "sonde.probes.fitting",
    "sonde.probes.results_folder",
    "sonde.report",
    "sonde.experiments.stages.report_page",
    "transformers.models.llama.modeling_llama",
    "sklearn.linear_model",
    "safetensors.torch",
    "pyarrow.parquet",
)
PASSING = {"timing.json"}  # holds times, which no result is made of
FOLLOWED = "metrics"  # what was seen of a run while it ran: times too

EXPERIMENT = """\
name: killed
model: {name: "random:llama", check: false}
stages:
  sentences: {kind: data, path: sentences.csv}
  acts:
    kind: extract
    data: sentences
    layers: all
    positions: ["prompt[-1]", user.mean]
    token_budget: 512
  truth:
    kind: probe
    activations: acts
    labels: sentences
    method: {kind: mean_difference, folds: 3, resamples: 50, baseline: false}
  page: {kind: report}
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("killed")
    rows = ["id,text,label,pair"]
    for number in range(120):
        words = " ".join(["so"] * (number % 9))
        label = ("good", "bad")[number % 2]
        rows.append(f"i{number},It was {words} {label} on day {number}.,{label},p{number // 2}")
    (folder / "sentences.csv").write_text("\n".join(rows) + "\n")
    path = folder / "experiment.yaml"
    path.write_text(EXPERIMENT)
    return path


def started(spec: Path, out: Path) -> multiprocessing.process.BaseProcess:
    """Run the command in a fork, which has the libraries already: a fresh process takes seconds."""

    def quietly() -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        main(["run", str(spec), "--out", str(out)])

    process = FORK.Process(target=quietly)
    process.start()
    return process


def finished(spec: Path, out: Path) -> float:
    began = time.perf_counter()
    process = started(spec, out)
    process.join()
    assert process.exitcode == 0
    return time.perf_counter() - began


def contents(out: Path) -> dict[str, bytes]:
    """Return every file of the results; ledger, metrics and locks are about the runs."""
    root = out / "killed"
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and path.name not in PASSING
        and not path.name.startswith(".")
        and path.relative_to(root).parts[0] != FOLLOWED
    }


@pytest.fixture(scope="module")
def whole(spec, tmp_path_factory) -> tuple[dict[str, bytes], float]:
    """The results of a run that nothing interrupted, and how long one takes."""
    for name in USED:
        importlib.import_module(name)
    out = tmp_path_factory.mktemp("whole")
    seconds = finished(spec, out)
    assert verify(out / "killed") == []
    return contents(out), seconds


def test_ten_kills_leave_no_trace_in_the_results(spec, whole, tmp_path):
    expected, seconds = whole
    chance = random.Random(20260)
    killed = 0
    for number in range(KILLS):
        out = tmp_path / str(number)
        process = started(spec, out)
        process.join(timeout=0.95 * seconds * chance.random())
        killed += process.is_alive()
        process.kill()
        process.join()
        finished(spec, out)
        assert contents(out) == expected, f"kill {number}"
        assert verify(out / "killed") == []
    assert killed >= KILLS // 2, "the kills came too late to test anything"


def test_the_ledger_tells_a_killed_run_from_a_finished_one(spec, whole, tmp_path):
    process = started(spec, tmp_path)
    ledger = tmp_path / "ledger.sqlite"
    while process.is_alive() and not (ledger.exists() and Ledger.open(ledger).list()):
        time.sleep(0.01)
    process.kill()
    process.join()
    assert [run.state for run in Ledger.open(ledger).list()] == ["interrupted"]
    finished(spec, tmp_path)
    assert [run.state for run in Ledger.open(ledger).list()] == ["done", "interrupted"]
