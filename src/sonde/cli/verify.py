"""``sonde verify``."""

from pathlib import Path

import typer

from sonde.cli.console import say
from sonde.experiments.results import verify


def verify_path(path: Path) -> None:
    """Print what is wrong and exit with 1, or say that all is well."""
    problems = verify(path)
    for problem in problems:
        say(f"- {problem}")
    if problems:
        count = len(problems)
        say(f"{path}: {count} problem{'s' if count > 1 else ''}.")
        raise typer.Exit(1)
    say(f"{path}: every byte is as it was written.")
