"""``sonde ledger export``, ``import`` and ``verify``."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from sonde.cli.console import say
from sonde.cli.ledger_words import lines, open_ledger
from sonde.cli.options import Filter
from sonde.core.errors import SondeError
from sonde.ledger.audit import Problem, audit
from sonde.ledger.exchange import FORMATS, Wanted, export_runs, import_runs
from sonde.ledger.ledger import Ledger, default_ledger
from sonde.ledger.records import RunFilter


@dataclass(frozen=True, slots=True)
class Export:
    """What an export is asked for."""

    wanted: Filter
    only: tuple[int, ...]
    units: bool
    format: str | None


def export_to(file: Path | None, asked: Export, out: Path, ledger: str | None) -> None:
    """Write runs to a file, or text to standard output."""
    engine = open_ledger(out, ledger).engine
    wanted = Wanted(RunFilter(**asked.wanted), asked.only, asked.units)
    if file is not None:
        count = export_runs(engine, file, wanted, asked.format)
        say(f"Wrote {_runs(count)} to {file}.")
        return
    format_ = asked.format or "markdown"
    if format_ in FORMATS and not FORMATS[format_].text and sys.stdout.isatty():
        raise SondeError(
            f"{format_} is not text, and standard output is a terminal.",
            fix=f"Name a file: sonde ledger export runs{FORMATS[format_].endings[0]}",
        )
    export_runs(engine, sys.stdout.buffer, wanted, format_)
    sys.stdout.flush()


def import_file(file: Path, format_: str | None, out: Path, ledger: str | None) -> None:
    """Read runs from a file and say what became of them."""
    where = ledger or default_ledger(out)
    done = import_runs(Ledger.open(where).engine, file, format_)
    for note in done.notes:
        lines(f"- {note}")
    there = f", {_runs(done.there)} were there already" if done.there else ""
    numbers = f": {_span(done.new)}" if done.new else ""
    say(f"Imported {_runs(len(done.new))}{numbers}{there}.")


def verify(numbers: Sequence[int], out: Path, ledger: str | None) -> None:
    """Print what is not as it was recorded and exit with 1, or say that all is well."""
    found = audit(open_ledger(out, ledger), numbers)
    for problem in found.problems:
        lines(f"- {_problem(problem)}")
    looked = f"{found.files:,} files and {found.units:,} files of units in the ledger"
    if found.elsewhere:
        say(
            f"Not checked: {_runs(len(found.elsewhere))} of other machines, whose folders are not "
            f"here ({_span(found.elsewhere)})."
        )
    if found.made_again:
        say(
            f"{found.made_again:,} records are of files that a later run made again; the later "
            "hash counts."
        )
    if found.problems:
        count = len(found.problems)
        say(f"{looked} were hashed: {count} problem{'s' if count > 1 else ''}.")
        raise typer.Exit(1)
    say(f"{looked} were hashed: all are as they were recorded.")


def _problem(problem: Problem) -> str:
    runs = f"run{'s' if len(problem.runs) > 1 else ''} {_span(problem.runs)}"
    why = f" ({problem.why})" if problem.why else ""
    return f"{problem.what}: {problem.where}, of {runs}{why}"


def _runs(count: int) -> str:
    return f"{count:,} run{'' if count == 1 else 's'}"


def _span(numbers: Sequence[int]) -> str:
    """Return numbers in words: ``3``, ``3 to 7``, ``3, 5, 9`` or ``3, 5, … 90``."""
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]} to {numbers[-1]}"
    shown = [str(number) for number in numbers]
    return ", ".join(shown if len(shown) <= 8 else [*shown[:6], f"… {shown[-1]}"])
