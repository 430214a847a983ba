"""``sonde verify``."""

from pathlib import Path

import typer

from sonde.cli.console import say
from sonde.experiments.results import identify, result_folders, verify


def verify_path(path: Path) -> None:
    """Print what is wrong and exit with 1, or say that all is well."""
    problems = verify(path)
    for problem in problems:
        say(f"- {problem}")
    if problems:
        count = len(problems)
        say(f"{path}: {count} problem{'s' if count > 1 else ''}.")
        raise typer.Exit(1)
    found = identify(path)
    several = found.kind in ("stage", "experiment", "runs")
    what = f" ({len(result_folders(found)):,} results)" if several else ""
    say(f"{path}: every byte is as it was written{what}.")
