import sqlite3
import subprocess
import sys
import threading

import pytest
from tests.ledgers import START

from sonde.experiments.cost.heartbeat import Heartbeat
from sonde.experiments.cost.stopwatch import Machine, Stopwatch
from sonde.ledger.ledger import Ledger

PATIENCE = 30.0  # seconds after which a test gives up; nothing is measured


class Beats:
    """Counts beats, and lets a test wait for one."""

    def __init__(self, failing: int = 0) -> None:
        self.count = 0
        self.failing = failing
        self.beaten = threading.Event()

    def __call__(self) -> None:
        self.count += 1
        if self.count <= self.failing:
            raise OSError("the ledger is on a drive that is away")
        self.beaten.set()


def started(beat, **changes):
    return Heartbeat(beat, **{"beat_seconds": 0.01, "sample_seconds": 0.005} | changes)


def test_it_beats_until_it_is_stopped():
    beats = Beats()
    heartbeat = started(beats)
    assert beats.beaten.wait(PATIENCE)
    heartbeat.stop()
    count = beats.count
    assert not threading.Event().wait(0.1)
    assert beats.count == count


def test_a_beat_that_fails_is_left_out():
    beats = Beats(failing=3)
    heartbeat = started(beats)
    assert beats.beaten.wait(PATIENCE)
    heartbeat.stop()
    assert beats.count >= 4


def test_it_samples_the_stopwatches_of_running_stages():
    class Sampled(Stopwatch):
        seen = threading.Event()

        def sample(self) -> None:
            super().sample()
            self.seen.set()

    stopwatch = Sampled(Machine())
    heartbeat = started(lambda: None, beat_seconds=1e9)
    with heartbeat.sampling(stopwatch):
        assert stopwatch.seen.wait(PATIENCE)
    heartbeat.stop()


@pytest.fixture
def ledger(tmp_path):
    return Ledger.open(tmp_path / "ledger.sqlite")


def test_it_beats_again_once_a_locked_ledger_is_free(ledger):
    run = ledger.begin_run(START)
    first = ledger.show(run).run["beat"]
    beats = Beats()

    def beat() -> None:
        ledger.beat(run)
        beats()

    other = sqlite3.connect(ledger.engine.url.database)
    other.execute("BEGIN IMMEDIATE")
    heartbeat = started(beat)
    assert not beats.beaten.wait(0.2)  # it waits for the lock
    other.close()
    assert beats.beaten.wait(PATIENCE)
    heartbeat.stop()
    assert ledger.show(run).run["beat"] > first


def test_a_run_ends_while_its_heartbeat_hangs():
    never = threading.Event()
    heartbeat = started(never.wait)
    assert not threading.Event().wait(0.05)
    heartbeat.stop()  # returns although the beat does not
    never.set()


def test_it_never_keeps_a_process_from_ending():
    program = (
        "import time; from sonde.experiments.cost.heartbeat import Heartbeat;"
        "Heartbeat(lambda: time.sleep(3600), beat_seconds=0.001, sample_seconds=0.001);"
        "time.sleep(0.1); print('ended')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "ended\n"
