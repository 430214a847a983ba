"""``sonde ledger list`` and ``show``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sonde.cli.console import heading, say, seconds_in_words, table
from sonde.core.errors import SondeError, nearest
from sonde.ledger.ledger import Ledger, default_ledger
from sonde.ledger.records import DONE, FAILED, INTERRUPTED, RUNNING, RunDetail

STATES = (RUNNING, DONE, FAILED, INTERRUPTED)


def print_runs(
    name: str | None, state: str | None, limit: int, out: Path, ledger: str | None
) -> None:
    """Print the newest runs."""
    if state is not None and state not in STATES:
        raise SondeError(
            f"{state!r} is not a state.{nearest(state, STATES)}",
            fix=f"States are {', '.join(STATES)}.",
        )
    runs = _open(out, ledger).list(name=name, state=state, limit=limit)
    if not runs:
        say("No run matches.")
        return
    table(
        ("id", "started (UTC)", "experiment", "state", "took", "first result"),
        [
            (
                run.id,
                run.started[:19].replace("T", " "),
                f"{run.name} [{run.variant}]" if run.variant else run.name,
                run.state,
                seconds_in_words(run.seconds),
                run.headline or run.reason,
            )
            for run in runs
        ],
    )


def print_run(number: int, out: Path, ledger: str | None) -> None:
    """Print everything about one run."""
    detail = _open(out, ledger).show(number)
    _print_facts(detail.run)
    heading("Stages")
    table(
        ("stage", "kind", "state", "took", "key", "reason"),
        [
            (
                stage["name"],
                stage["kind"],
                stage["state"],
                seconds_in_words(stage["seconds"]) if stage["state"] == DONE else "",
                stage["key"],
                stage["reason"],
            )
            for stage in detail.stages
        ],
    )
    _print_results(detail)
    for title, key in (("Versions", "versions"), ("Hardware", "hardware")):
        heading(title)
        say(", ".join(f"{name} {value}" for name, value in detail.run[key].items()))
    heading("Experiment file as given")
    say(detail.run["spec_text"].rstrip())


def _print_facts(run: Mapping[str, Any]) -> None:
    changed = {1: " with uncommitted changes", 0: "", None: ""}[run["dirty"]]
    commit = run["commit_hash"]
    facts = {
        "run": f"{run['id']}: {run['name']}" + (f" [{run['variant']}]" if run["variant"] else ""),
        "question": run["question"],
        "state": run["state"] + (f" ({run['reason']})" if run["reason"] else ""),
        "started": run["started"],
        "took": seconds_in_words(run["seconds"]),
        "seed": run["seed"],
        "file": run["spec_path"],
        "changed": ", ".join(run["overrides"]),
        "commit": f"{commit[:12]}{changed}" if commit else "",
        "results": run["folder"],
    }
    table(("", ""), [(name, value) for name, value in facts.items() if value not in ("", None)])


def _print_results(detail: RunDetail) -> None:
    if not detail.results:
        return
    heading("Results")
    table(
        ("stage", "result", "metric", "value [interval]", "control", "baseline", "n"),
        [
            (
                result.stage,
                result.name,
                result.metric,
                result.score,
                result.control or "",
                result.baseline or "",
                result.score.n,
            )
            for result in detail.results
        ],
    )


def _open(out: Path, ledger: str | None) -> Ledger:
    return Ledger.open(ledger or default_ledger(out), create=False)
