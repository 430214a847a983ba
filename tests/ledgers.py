"""Runs, results and claims for tests of the ledger."""

from dataclasses import replace
from pathlib import Path

from sonde.ledger.ledger import Ledger
from sonde.ledger.records import (
    Against,
    ClaimStart,
    Measured,
    RunStart,
    StageEnd,
    StageStart,
    Verdict,
)
from sonde.stats.interval import Interval

START = RunStart(
    name="first",
    variant="",
    question="Why <b>?",
    seed=3,
    spec_path="/x/first.yaml",
    spec_text="name: first\n",
    overrides=("seed=3",),
    resolved={"seed": 3, "odd": float("nan"), "model": {"name": "tiny"}},
    spec_hash="abc",
    folder="/x/runs/first",
    versions={"torch": "2"},
)
SCORE = Interval(0.8, 0.7, float("nan"), 40)
CONTROL = Interval(0.5, 0.4, 0.6, 40)
MEASURED = Measured(
    "selected",
    "auroc",
    SCORE,
    method="logistic",
    controls={"shuffled labels": Against(CONTROL)},
    note="chosen inside",
)
CLAIM = ClaimStart(
    experiment="first",
    name="readable",
    content={"kind": "superiority", "by": 0.05},
    hash="h1",
    spec_hash="abc",
    after_results=False,
)


def recorded(
    ledger: Ledger,
    *,
    state: str = "done",
    results: tuple[Measured, ...] = (MEASURED,),
    seconds: float = 5.0,
    folder: Path | None = None,
    **changes,
) -> int:
    """Record a whole run of one stage; ``changes`` are of its start."""
    run = ledger.begin_run(replace(START, **changes))
    stage = ledger.begin_stage(run, StageStart("truth", "probe", f"key{run}", str(folder or "/x")))
    ledger.end_stage(stage, StageEnd("done", seconds=2.0, results=results, folder=folder))
    ledger.end_run(run, state, reason="" if state == "done" else "it broke", seconds=seconds)
    return run


def scored(value: float, name: str = "selected") -> Measured:
    """Return a result with a value."""
    return Measured(name, "auroc", Interval(value, value - 0.1, value + 0.1, 40))


def verdict(claim: int, **changes) -> Verdict:
    """Return a verdict on a registered claim."""
    given = Verdict(
        claim=claim,
        variant="",
        verdict="confirmed",
        statement="It can be read.",
        effect=Interval(0.2, 0.1, float("inf"), 40),
        boundary=0.05,
        p=0.01,
        p_adjusted=float("nan"),
        design="paired",
        n=40,
        why="0.2 is above 0.05.",
        advice="",
        inputs="i1",
        post_hoc=False,
    )
    return replace(given, **changes)


def write_units(path: Path, columns: dict[str, list]) -> Path:
    """Write a file of units."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path
