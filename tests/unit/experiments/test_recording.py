"""Recording: what a run does is in the ledger as it does it, whatever ends it."""

import json
import subprocess
from pathlib import Path

import pytest

from sonde.core.errors import SondeError
from sonde.experiments.cost import Expected
from sonde.experiments.folder import ResultFolder
from sonde.experiments.recording import Recorder
from sonde.experiments.run_start import commit_of
from sonde.experiments.runner import Options
from sonde.experiments.spec import read_specification
from sonde.experiments.stage import Outcome
from sonde.ledger.ledger import Ledger

PLANNED = Expected(55.0, 2_000, 7)
CONTENT = {"kind": "data", "settings": {"limit": 3}, "files": {}}


class Recorded:
    """One variant's recorder, and what its ledger holds."""

    def __init__(self, path: Path, out: Path) -> None:
        self.spec = read_specification(path)
        self.out = out
        self.options = Options(out=out, say=lambda _: None)
        self.folder = out / "small" / "sentences" / "k1"
        (planned,) = self.spec.variants
        self.stage = planned.experiment.stages["sentences"]
        self.recorder = Recorder(self.spec, planned, out / "small", self.options)

    def running(self, name="sentences", expected=PLANNED):
        return self.recorder.stage_recorded(name, CONTENT, "k1", self.folder, expected)

    def finished(self):
        folder = ResultFolder(self.folder)
        folder.begin(keep=False)
        (self.folder / "examples.jsonl").write_text("{}\n")
        marker = {
            "stage": "sentences", "kind": "data", "key": "k1", "version": 1, "made_of": CONTENT,
            "summary": {"n": 3}, "sonde_version": "0",
        }  # fmt: skip
        return folder.finish(marker, {})

    @property
    def ledger(self):
        return Ledger.open(self.out / "ledger.sqlite")


@pytest.fixture
def recorded(experiment, tmp_path, monkeypatch):
    monkeypatch.delenv("SONDE_LEDGER", raising=False)
    return Recorded(experiment, tmp_path / "runs")


def test_a_run_in_which_nothing_was_done_leaves_no_row(recorded):
    done = recorded.finished()
    with recorded.recorder.run_recorded():
        recorded.recorder.reused("sentences", recorded.stage, done, recorded.folder)
        recorded.recorder.skipped("acts", recorded.stage, "because its gate is shut")
    assert recorded.recorder.run is None
    assert not (recorded.out / "ledger.sqlite").exists()


def test_what_was_there_already_is_recorded_once_something_runs(recorded):
    done = recorded.finished()
    with recorded.recorder.run_recorded():
        recorded.recorder.reused("sentences", recorded.stage, done, recorded.folder)
        with recorded.running("again") as end:
            end(done, Outcome({"n": 3}), 0.5)
        recorded.recorder.skipped("acts", recorded.stage, "because its gate is shut")
    stages = recorded.ledger.show(1).stages
    assert [(one["name"], one["state"]) for one in stages] == [
        ("sentences", "reused"),
        ("again", "done"),
        ("acts", "skipped"),
    ]
    assert stages[0]["cost"] == {}
    assert stages[2]["reason"] == "because its gate is shut"


def test_what_a_stage_took_stands_beside_what_was_planned(recorded):
    with recorded.recorder.run_recorded(), recorded.running() as end:
        cost = end(recorded.finished(), Outcome({"n": 3}), 0.5)
    detail = recorded.ledger.show(1)
    (stage,) = detail.stages
    assert stage["planned"] == PLANNED.to_json()
    assert stage["cost"] == json.loads(json.dumps(cost.to_json()))
    assert stage["cost"]["disk"] == sum(
        path.stat().st_size for path in recorded.folder.iterdir() if path.is_file()
    )
    assert stage["cost"]["memory"] > 10_000_000
    assert stage["cost"]["device"] == "cpu"
    assert detail.run["state"] == "done"
    run_cost = detail.run["cost"]
    assert run_cost["planned"]["seconds"] == 55.0
    assert run_cost["cpu_seconds"] == cost.cpu_seconds
    assert run_cost["seconds"] == pytest.approx(detail.run["seconds"])


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (SondeError("No such column.", fix="Name another."), "failed", "No such column. Name"),
        (ValueError("a fault"), "failed", "ValueError: a fault"),
        (KeyboardInterrupt(), "interrupted", "stopped from the keyboard"),
    ],
)
def test_whatever_ends_a_run_is_recorded_with_what_it_took(recorded, error, state, reason):
    with pytest.raises(type(error)), recorded.recorder.run_recorded(), recorded.running():
        raise error
    detail = recorded.ledger.show(1)
    assert detail.run["state"] == detail.stages[0]["state"] == state
    assert detail.run["reason"].startswith(reason)
    assert detail.stages[0]["cost"]["seconds"] >= 0
    assert detail.run["cost"]["memory"] > 0
    last = (recorded.out / "small" / "metrics" / "1.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["state"] == state


def test_a_failure_after_the_end_keeps_what_the_stage_took(recorded):
    late = pytest.raises(ValueError, match="late")
    with late, recorded.recorder.run_recorded(), recorded.running() as end:
        cost = end(recorded.finished(), Outcome({"n": 3}), 0.5)
        raise ValueError("late")
    detail = recorded.ledger.show(1)
    assert detail.stages[0]["cost"]["seconds"] == cost.seconds
    assert detail.run["cost"]["cpu_seconds"] == cost.cpu_seconds  # counted once


def test_a_run_that_goes_on_adds_up(recorded):
    for name in ("one", "two"):
        with recorded.recorder.run_recorded(), recorded.running(name) as end:
            end(recorded.finished(), Outcome({"n": 3}), 0.5)
    detail = recorded.ledger.show(1)
    assert [stage["name"] for stage in detail.stages] == ["one", "two"]
    assert detail.run["cost"]["planned"]["seconds"] == 110.0
    costs = [stage["cost"]["cpu_seconds"] for stage in detail.stages]
    assert detail.run["cost"]["cpu_seconds"] == pytest.approx(sum(costs))


def test_a_run_beats_while_it_works_and_not_afterwards(recorded):
    with recorded.recorder.run_recorded(), recorded.running() as end:
        heartbeat = recorded.recorder._heartbeat
        assert heartbeat._thread.is_alive()
        end(recorded.finished(), Outcome({"n": 3}), 0.5)
    assert not heartbeat._thread.is_alive()


def git(folder, *arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True)


def test_the_commit_of_a_folder(tmp_path):
    assert commit_of(tmp_path) == (None, None)
    git(tmp_path, "init", "--quiet")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "--message", "First")
    commit, dirty = commit_of(tmp_path)
    assert len(commit) == 40
    assert dirty is False
    (tmp_path / "other").write_text("untracked files are nothing that ran")
    assert commit_of(tmp_path) == (commit, False)
    (tmp_path / "file").write_text("two")
    assert commit_of(tmp_path) == (commit, True)
