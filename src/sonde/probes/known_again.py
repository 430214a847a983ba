"""What rows of one data set are known again by in another."""

from sonde.activations.activations import Activations
from sonde.probes.targets import Targets


def keys_of(targets: Targets, acts: Activations) -> list[list[tuple[str, str]]]:
    """Return what a row may be known again by: its example, its unit, its text.

    Numbers are names only within one data set: row 5 of one file is no row of another. There the
    text tells; without texts a number counts as the same, unless the data are known to differ.
    """
    data, texts = acts.origin.data_fingerprint, targets.texts

    def named(kind: str, name: str, example: str) -> list[tuple[str, str]]:
        if not name.isdecimal():
            return [(kind, name)]
        return [] if example in texts else [(kind, f"{data} {name}")]

    return [
        named("example", name, name)
        + named("unit", unit, name)
        + ([("text", texts[name])] if name in texts else [])
        for name, unit in zip(targets.example.tolist(), targets.unit.tolist(), strict=True)
    ]
