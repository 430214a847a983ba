"""``sonde show`` of a file for another tool, which ``sonde export`` prints too."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sonde.cli.console import heading, say, table
from sonde.experiments.exporting import export_table

if TYPE_CHECKING:
    from sonde.vectors.exports.contents import ExportedFile


def show_export(path: Path) -> None:
    """Print what a control vector's GGUF or a file for steering-vectors holds."""
    from sonde.vectors.exports.contents import read_export

    print_export(read_export(path))


def print_export(found: "ExportedFile", notes: Sequence[str] = ()) -> None:
    """Print what a file is, its unit, how it counts layers, what it adds where, how to use it."""
    several = "s" if len(found.directions) > 1 else ""
    say(f"{found.path}: {found.about.tools}, {len(found.directions)} block{several}")
    facts = (
        ("trait", found.trait),
        ("model", found.model),
        ("unit", found.unit),
        ("layers", found.layers),
        ("written by", f"sonde {found.sonde_version}" if found.sonde_version else "another tool"),
    )
    table(("", ""), [(f"  {name}", said) for name, said in facts if said])
    shown = export_table(found)
    heading("What a scale of 1 adds: the coefficient counts typical norms, the length is raw")
    table(shown["columns"], shown["rows"], numbers=3)
    for note in notes:
        say(f"Note: {note}")
    heading("To use it")
    for line in found.use:
        say(f"  {line}")
