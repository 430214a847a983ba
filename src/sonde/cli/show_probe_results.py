"""``sonde show`` of a folder that ``ProbeResults.save`` wrote."""

from pathlib import Path

from sonde.cli.console import heading, say, table
from sonde.core.words import in_words
from sonde.probes.results import ProbeResults


def show_probe_results(path: Path) -> None:
    """Print the results as Python does, a line for each layer, and how to use them."""
    found = ProbeResults.load(path)
    say(str(found))
    heading("Every layer")
    controls = tuple(found.selection.controls)
    table(
        ("hook point", f"{found.metric} [95 % interval]", *controls, "penalty"),
        [
            (
                found.name_of(one),
                str(one.score),
                *(str(one.controls[name].score) for name in controls),
                in_words(one.penalty),
            )
            for one in found.layers
        ],
    )
    heading("To use them")
    say(f"  sonde.probes.ProbeResults.load({str(path)!r})")
