"""``sonde ledger list`` and ``supersede``."""

from dataclasses import dataclass
from pathlib import Path

from sonde.cli.console import console, say, seconds_in_words
from sonde.cli.ledger_words import MIDDLE, WIDE, Shape, cut, grid, open_ledger, visible
from sonde.cli.options import Filter
from sonde.ledger.records import EXPLORATORY, RESOLVED, SUPERSEDED, RunFilter, RunRow

NAME, RESULT = 40, 90  # characters of a run's name and result in the list; wide has more


@dataclass(frozen=True, slots=True)
class Order:
    """How a list is ordered, and how long it is."""

    sort: str
    reverse: bool
    limit: int


def print_runs(wanted: Filter, order: Order, out: Path, ledger: str | None) -> None:
    """Print the runs that match."""
    runs = open_ledger(out, ledger).list(
        RunFilter(**wanted), sort=order.sort, reverse=order.reverse, limit=order.limit
    )
    if not runs:
        say("No run matches.")
        return
    width = console.width
    longest = RESULT if width < WIDE else 2 * RESULT
    columns = [
        ("id", Shape(right=True, whole=True), [run.id for run in runs]),
        ("started (UTC)", Shape(least=10), [_started(run, width) for run in runs]),
        ("experiment", Shape(least=12, most=NAME), [_name(run) for run in runs]),
        ("model", Shape(most=32), [cut(run.model, NAME) for run in runs]),
        ("state", Shape(least=8), [_state(run) for run in runs]),
        ("took", Shape(right=True, whole=True), [seconds_in_words(run.seconds) for run in runs]),
        ("first result", Shape(), [cut(run.headline or run.reason, longest) for run in runs]),
    ]
    left_out = ["model"] * (width < WIDE) + ["took"] * (width < MIDDLE)
    shown = [column for column in columns if column[0] not in left_out]
    names, shapes, cells = zip(*shown, strict=True)
    grid(names, zip(*cells, strict=True), shapes)
    if len(runs) == order.limit:
        say(f"At most {order.limit} are shown; --limit shows more.")


def supersede(runs: tuple[int, int], why: str, out: Path, ledger: str | None) -> None:
    """Record that one run replaces another, and say what that makes of it."""
    old, new = runs
    opened = open_ledger(out, ledger)
    opened.supersede(old, new, why)
    state = opened.show(old).run["state"]
    say(f"Run {old} is now {state} by run {new}: {visible(why)}")


def _started(run: RunRow, width: int) -> str:
    return run.started[: 16 if width >= MIDDLE else 10].replace("T", " ")


def _name(run: RunRow) -> str:
    return cut(f"{run.name} [{run.variant}]" if run.variant else run.name, NAME)


def _state(run: RunRow) -> str:
    by = f" by {run.replaced_by}" if run.state in (RESOLVED, SUPERSEDED) else ""
    purpose = f", {run.purpose}" if run.purpose != EXPLORATORY else ""
    return f"{run.state}{by}{purpose}"
