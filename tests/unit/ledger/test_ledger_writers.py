"""Several processes write at once, and one is killed while it writes."""

import signal
import subprocess
import sys

from sqlalchemy import func, select
from tests.ledgers import recorded

from sonde.ledger.database import reading
from sonde.ledger.ledger import Ledger
from sonde.ledger.schema import run_details, run_texts, runs

PROCESSES, ROWS = 8, 25  # bench/trust/ledger.py has 500 rows each


def writer(where, what, count, processes=1):
    given = [where, what, str(count), str(processes)]
    command = [sys.executable, "-m", "tests.ledger_writer", *given]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def counted(ledger, table):
    with reading(ledger.engine) as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar()


def test_processes_that_append_at_once_lose_no_row(fresh):
    with writer(fresh, "runs", ROWS, PROCESSES) as process:  # the ledger is new, too
        said = [int(line) for line in process.communicate()[0].split()]
    assert process.returncode == 0
    assert sorted(said) == list(range(1, PROCESSES * ROWS + 1))
    ledger = Ledger.open(fresh)
    assert {run.id for run in ledger.list(limit=None)} == set(said)
    variants = [run.variant for run in ledger.list(limit=None)]
    assert {variants.count(f"number={number}") for number in range(ROWS)} == {PROCESSES}


def test_a_process_that_is_killed_leaves_whole_runs_up_to_its_last_commit(fresh):
    with writer(fresh, "whole", -1) as process:
        said = [int(process.stdout.readline()) for _ in range(20)]
        process.send_signal(signal.SIGKILL)
        said += [int(line) for line in process.stdout.read().split("\n") if line]
    ledger = Ledger.open(fresh)
    found = ledger.list(limit=None, reverse=True)
    assert [run.id for run in found[: len(said)]] == said
    assert {run.state for run in found[: len(said)]} == {"done"}
    # At most the run that it was killed in goes beyond, and no record of it is half there.
    assert len(found) - len(said) in (0, 1)
    assert all(run.state in ("done", "interrupted") for run in found[len(said) :])
    assert counted(ledger, runs) == counted(ledger, run_details) == counted(ledger, run_texts)
    for detail in ledger.details([run.id for run in found]):
        done = [stage for stage in detail.stages if stage["state"] == "done"]
        assert len(detail.results) == 3 * len(done)
        assert done or detail.run["id"] not in said
    assert recorded(ledger) > found[-1].id  # and it is written to as before
