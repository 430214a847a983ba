"""``sonde ledger compare``."""

from pathlib import Path
from typing import Any

from sonde.cli.console import heading
from sonde.cli.ledger_words import Shape, grid, lines, open_ledger
from sonde.core.words import in_words
from sonde.ledger.compare import ComparedResult, compare
from sonde.ledger.differences import ABSENT, Different
from sonde.ledger.records import ResultRow, RunDetail
from sonde.ledger.wording import difference_in_words, interval_in_words

LONGEST = 12  # characters of a hash


def print_comparison(a: int, b: int, out: Path, ledger: str | None) -> None:
    """Print what differs between two runs, then each result that both have."""
    found = compare(open_ledger(out, ledger), a, b)
    columns = ("", "run", "experiment", "state", "started (UTC)")
    grid(columns, [_run(name, run) for name, run in (("A", found.a), ("B", found.b))])
    for topic, differences in found.differences.items():
        if differences:
            heading(topic)
            grid(("", "A", "B"), map(_row, differences), (Shape(least=16),))
    same = [topic.lower() for topic, some in found.differences.items() if not some]
    if same:
        lines(f"\nNo difference in {', '.join(same)}.")
    heading("Results")
    if not found.results:
        lines("No result is in both runs.")
    for result in found.results:
        _print_result(result)
    for name, rows in (("A", found.only_a), ("B", found.only_b)):
        if rows:
            lines(f"Only in {name}: {', '.join(map(_name, rows))}.")


def _run(name: str, run: RunDetail) -> tuple[Any, ...]:
    row = run.run
    title = f"{row['name']} [{row['variant']}]" if row["variant"] else row["name"]
    return name, row["id"], title, row["state"], row["started"][:16].replace("T", " ")


def _row(one: Different) -> tuple[str, str, str]:
    name = one.path.rpartition(".")[2]
    a, b = ("–" if side is ABSENT else _value(side, name) for side in (one.a, one.b))
    return one.path, a, b


def _value(value: Any, name: str) -> str:
    words = in_words(value, name)
    is_hash = len(words) > LONGEST and not set(words) - set("0123456789abcdef")
    return f"{words[:LONGEST]}…" if is_hash else words


def _print_result(result: ComparedResult) -> None:
    a, b = result.a, result.b
    name = _name(a) if _name(a) == _name(b) else f"{_name(a)} and {_name(b)}"
    lines(f"{name}, {a.metric}")
    shown = [("A", interval_in_words(a.score)), ("B", interval_in_words(b.score))]
    lines("   ".join(f"{name} {value}" for name, value in shown), indent=2)
    if result.difference is not None:
        lines(f"B − A = {difference_in_words(result.difference)}", indent=2)
    lines(result.sentence, indent=2)


def _name(result: ResultRow) -> str:
    return f"{result.stage}.{result.name}"
