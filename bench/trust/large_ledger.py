"""A ledger with many runs, written in bulk: each with a stage and, if done, three results."""

import io
import json
import random
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from sonde.ledger.ledger import Ledger
from sonde.ledger.schema import metadata, names_of
from sonde.ledger.unit_scores import UnitsFile, units_file

STAGE = "mood"
SERIES = ("selected", "blocks.1.resid_post", "blocks.2.resid_post")
FILES, UNITS = 20, 360  # files of units that the runs share, and units in each
NAMES = tuple(f"{topic}-{kind}" for topic in ("news", "tone", "truth", "refusal") for kind in "abc")
MODELS = ("smollm2-135m-instruct", "google/gemma-2-2b", "EleutherAI/pythia-70m-deduped")
PURPOSES = ("exploratory",) * 7 + ("smoke",) * 2 + ("confirmatory",)
STATES = ("done",) * 90 + ("failed",) * 5 + ("skipped",) * 3 + ("interrupted",) * 2
DEAD = 500  # runs that a machine elsewhere left running
NEEDLE = "a needle in the haystack"

SPEC = "\n".join(f"  stage{number}: {{kind: probe, activations: acts}}" for number in range(30))
RESOLVED = json.dumps(
    {"stages": {f"s{n}": {"kind": "probe", "folds": 5, "note": "x" * 60} for n in range(20)}}
)
VERSIONS = json.dumps({f"package{number}": "1.2.3" for number in range(15)})
HARDWARE = json.dumps({"cpu": "a processor", "cores": 2, "memory": 8 << 30, "gpus": []})
AGAINST = {"value": 0.5, "low": 0.45, "high": 0.55, "n": 360, "level": 0.95, "series": ["s 0"]}
COST = json.dumps({"seconds": 12.0, "device": "cpu", "memory": 1 << 30, "dollars": None})
BATCH = 10_000


def fill(path: Path, runs: int, seed: int = 0) -> None:
    """Make a ledger and fill it."""
    Ledger.open(path).engine.dispose()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous = OFF")  # it is thrown away, and read only
        rng = random.Random(seed)
        files = [_units(number) for number in range(FILES)]
        rows = [{"hash": one.hash, "size": one.size, "content": one.content} for one in files]
        _insert(connection, "unit_scores", rows)
        for first in range(1, runs + 1, BATCH):
            numbers = range(first, min(first + BATCH, runs + 1))
            made = [_run(number, runs, rng, files[number % FILES].hash) for number in numbers]
            for table in ("runs", "run_details", "run_texts", "stages", "results"):
                _insert(connection, table, [row for run in made for row in run[table]])
        replaced = (
            (old, old + 1, "A wrong adapter.", _moment(old)) for old in range(50, runs, 100)
        )
        connection.executemany(
            "INSERT INTO supersessions (old_run, new_run, why, recorded) VALUES (?, ?, ?, ?)",
            replaced,
        )


def copy(path: Path, url: str) -> None:
    """Copy a ledger from SQLite into an empty one in PostgreSQL."""
    engine = Ledger.open(url).engine
    raw = engine.raw_connection()
    with sqlite3.connect(path) as source, raw.cursor() as cursor:
        for table in metadata.sorted_tables:
            names = ", ".join(names_of(table))
            with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as rows:
                for row in source.execute(f"SELECT {names} FROM {table.name}"):
                    rows.write_row(row)
        cursor.execute("ANALYZE")  # as the server does by itself after a while
    raw.commit()
    raw.close()
    engine.dispose()


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    names = [name for name in names_of(metadata.tables[table]) if name in rows[0]]
    places = ", ".join(f":{name}" for name in names)
    connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", rows)


def _units(seed: int) -> UnitsFile:
    """Return a file with the scores of all units for each result of a run."""
    rng = np.random.default_rng(seed)
    truth = np.tile(np.arange(UNITS) % 2, len(SERIES)).astype(float)
    columns = {
        "series": np.repeat(SERIES, UNITS),
        "unit": [f"pair{row // 2}" for row in range(UNITS)] * len(SERIES),
        "predicted": truth + rng.normal(size=len(truth)),
        "truth": truth,
        "fold": np.tile(np.arange(UNITS) // 2 % 5, len(SERIES)),
    }
    written = io.BytesIO()
    parquet.write_table(pa.table(columns), written)
    return units_file("probe/out_of_fold.parquet", written.getvalue())


def _run(number: int, of: int, rng: random.Random, units: str) -> dict[str, list[dict[str, Any]]]:
    state = "running" if number % (max(10, of // DEAD)) == 0 else rng.choice(STATES)
    values = [round(rng.uniform(0.4, 1.0), 6) for _ in range(3)]
    question = f"Can {rng.choice(NAMES)} be read from the activations of a model, number {number}?"
    reason = "The disk is full: acts could not be written." if state == "failed" else ""
    notes = ["chosen inside the training folds", "", NEEDLE if number == of // 2 else ""]
    has_results = state == "done"
    run = {
        **_columns_of_run(number, rng),
        "state": state,
        "question": question,
        "reason": reason,
        "seconds": round(rng.expovariate(0.01), 3),
        "headline": 3 * number if has_results else None,
        "value": values[0] if has_results else None,
    }
    results = [
        {**_result(number, i, values[i]), "note": notes[i], "units_hash": units} for i in range(3)
    ]
    text = "\n".join(filter(None, (question, reason, *notes))).casefold()
    return {
        "runs": [run],
        "run_details": [_details(number)],
        "run_texts": [{"run_id": number, "text": text}],
        "stages": [_stage(number, "done" if has_results else "failed")],
        "results": results if has_results else [],
    }


def _columns_of_run(number: int, rng: random.Random) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"{rng.choice(NAMES)}-{number % 50}",
        "variant": f"seed={number % 8}",
        "purpose": rng.choice(PURPOSES),
        "model": rng.choice(MODELS),
        "started": _moment(number),
        "beat": _moment(number),
        "ended": _moment(number),
        "seed": number % 8,
        "spec_hash": f"{number:016x}",
        "folder": f"/home/someone/experiments/runs/{number}",
        "commit_hash": f"{number:040x}",
        "dirty": 0,
        "process": json.dumps({"host": "elsewhere", "pid": number, "since": 1.0}),
        "origin": None,
    }


def _details(number: int) -> dict[str, Any]:
    return {
        "run_id": number,
        "spec_path": "/home/someone/experiments/news.yaml",
        "spec_text": SPEC,
        "overrides": "[]",
        "resolved": RESOLVED,
        "versions": VERSIONS,
        "hardware": HARDWARE,
        "facts": "{}",
        "planned": "{}",
        "cost": COST,
    }


def _stage(number: int, state: str) -> dict[str, Any]:
    return {
        "id": number,
        "run_id": number,
        "name": STAGE,
        "kind": "probe",
        "key": f"{number:016x}",
        "state": state,
        "reason": "",
        "started": _moment(number),
        "seconds": 10.0,
        "made_of": RESOLVED,
        "outputs": json.dumps({f"probes/{layer}": f"{layer:064x}" for layer in range(5)}),
        "summary": HARDWARE,
        "folder": f"/home/someone/experiments/runs/{number}/mood",
        "planned": "{}",
        "cost": COST,
    }


def _result(stage: int, index: int, value: float) -> dict[str, Any]:
    return {
        "id": 3 * stage + index,
        "stage_id": stage,
        "name": SERIES[index],
        "method": "logistic",
        "metric": "auroc",
        "value": value,
        "low": value - 0.05,
        "high": value + 0.05,
        "level": 0.95,
        "n": 360,
        "controls": json.dumps({"shuffled labels": AGAINST, "random direction": AGAINST}),
        "baselines": json.dumps({"bag of tokens": AGAINST}),
        "units": "probe/out_of_fold.parquet",
        "series": SERIES[index],
        "not_applicable": "",
    }


def _moment(number: int) -> str:
    moment = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=7 * number)
    return moment.isoformat(timespec="milliseconds")
