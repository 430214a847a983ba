"""``sonde show`` of an eraser's file."""

from pathlib import Path

from sonde.cli.console import heading, say, table
from sonde.core.words import in_words
from sonde.probes.eraser import Eraser

METHODS = {
    "leace": "leace: the linear erasure that changes the activations least",
    "orthogonal": "orthogonal: projects out what covaries with the labels",
}


def show_eraser(path: Path) -> None:
    """Print everything that an eraser's file says of it: what it takes out, and where."""
    eraser = Eraser.load(path)
    origin = eraser.origin
    say(
        f"Eraser at {eraser.hook}, {eraser.position}"
        if eraser.position
        else f"Eraser at {eraser.hook}"
    )
    facts = (
        ("takes out", in_words(eraser.labels) if eraser.labels else "a number"),
        ("method", METHODS[eraser.method]),
        ("rank", str(eraser.rank)),
        ("variance taken", f"{eraser.removed:.2%}"),
        ("width", f"{len(eraser.mean):,}"),
    )
    _facts(facts)
    heading("Fitted on")
    _facts(
        (
            ("model", origin.model),
            ("revision", origin.revision),
            ("weights", origin.model_fingerprint),
            ("dtype", origin.dtype),
            ("template", origin.template),
            ("rows", f"{eraser.n_rows:,}"),
            ("training data", eraser.training_data),
        )
    )
    heading("To use it")
    say(f"  sonde.probes.Eraser.load({str(path)!r}).erase(activations), or .edit() for a pass")


def _facts(rows: tuple[tuple[str, str], ...]) -> None:
    table(("", ""), [(f"  {name}", said) for name, said in rows if said])
