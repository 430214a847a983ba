"""What ran: every run in its order, with what it took, what it did, and how it ended."""

from collections.abc import Mapping
from typing import Any

from sonde.core.quantities import (
    bytes_in_words,
    dollars_in_words,
    energy_in_words,
    seconds_in_words,
)
from sonde.experiments.log.asked import minute
from sonde.experiments.log.history import History
from sonde.experiments.log.markdown import bullets, code, escape, table
from sonde.ledger.records import DONE, REUSED, SKIPPED, SUPERSEDED, RunDetail

COLUMNS = (
    "run", "started (UTC)", "variant", "purpose", "state", "took", "planned", "memory",
    "planned", "energy", "cost",
)  # fmt: skip


def ran(history: History) -> str:
    """Return the table of runs, and a line for each."""
    rows = [_row(detail) for detail in history.runs]
    lines = [_story(detail) for detail in history.runs]
    return "\n\n".join(("## What ran", table(COLUMNS, rows, numbers=(0,)), bullets(lines)))


def _row(detail: RunDetail) -> tuple[str, ...]:
    run, cost = detail.run, dict(detail.run["cost"])
    planned: Mapping[str, Any] = cost.get("planned") or run["planned"] or {}
    return (
        str(run["id"]),
        minute(run["started"]),
        code(run["variant"]),
        escape(run["purpose"]),
        escape(run["state"]),
        seconds_in_words(run["seconds"]),
        _amount(planned, "seconds", seconds_in_words),
        _amount({"memory": most_memory(cost)}, "memory", bytes_in_words),
        _amount(planned, "memory", bytes_in_words),
        _amount(cost, "joules", energy_in_words),
        escape(_amount(cost, "dollars", dollars_in_words)),
    )


def most_memory(cost: Mapping[str, Any]) -> float | None:
    """Return the largest memory in bytes: of a GPU where one was used, else of the process."""
    held: Mapping[str, int] = cost.get("device_memory") or {}
    return max(held.values(), default=cost.get("memory"))


def _amount(values: Mapping[str, Any], key: str, words: Any) -> str:
    return "" if values.get(key) is None else str(words(values[key]))


def _story(detail: RunDetail) -> str:
    """Say what a run did, what it took over and left out, and what became of it."""
    run = detail.run
    by_state: dict[str, list[str]] = {}
    for stage in detail.stages:
        words = code(stage["name"])
        if stage["state"] == DONE and stage["seconds"] is not None:
            words += f" ({seconds_in_words(stage['seconds'])})"
        elif stage["reason"]:
            words += f" ({escape(stage['reason'])})"
        by_state.setdefault(str(stage["state"]), []).append(words)
    verbs = {DONE: "did", REUSED: "took over", SKIPPED: "left out"}
    parts = [
        f"{verbs.get(state, f'{state}:')} {', '.join(names)}" for state, names in by_state.items()
    ]
    said = "; ".join(parts) or "did nothing"
    return f"**Run {run['id']}** {said}.{_ending(detail)}"


def _ending(detail: RunDetail) -> str:
    """Say why a run ended as it did, unless a stage said so, and which run replaces it."""
    run = detail.run
    words = ""
    if run["reason"] and run["reason"] not in [stage["reason"] for stage in detail.stages]:
        words = f" It ended so: {escape(run['reason'])}".rstrip(".") + "."
    for one in [one for one in detail.supersessions if one.old == run["id"]][-1:]:
        verb = "Superseded" if run["state"] == SUPERSEDED else "Resolved"
        words += f" {verb} by run {one.new}: {escape(one.why)}".rstrip(".") + "."
    return words
