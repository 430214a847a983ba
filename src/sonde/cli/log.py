"""``sonde log``."""

from pathlib import Path

from sonde.cli.console import say
from sonde.experiments.log import FILE, history_of, write_log
from sonde.experiments.spec import read_specification
from sonde.ledger.ledger import default_ledger


def write_running_log(path: Path, to: Path | None, out: Path, ledger: str | None) -> None:
    """Write the log of an experiment file, and say where and what was kept."""
    spec = read_specification(path)
    history = history_of(spec.name, ledger or default_ledger(out))
    written = write_log(to or out / spec.name / FILE, spec, history)
    count = len(history.runs)
    runs = f"{count:,} run{'' if count == 1 else 's'}" if count else "no run yet"
    state = "" if written.changed else ", as it was"
    say(f"{written.path}: {runs}, {written.remarks} of your own remarks kept{state}.")
    for place in written.moved:
        say(f"What stood under {place!r} is now under “Remarks without a place”.")
