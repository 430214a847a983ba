"""Where the numbers come from, and how to get them again."""

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything needed to repeat the run; an empty field is left out.

    ``versions`` and ``more`` are pairs of a name and a value.
    """

    model: str
    revision: str = ""
    fingerprint: str = ""
    dtype: str = ""
    template: str = ""
    data: str = ""
    position: str = ""
    seed: int | None = None
    versions: tuple[tuple[str, str], ...] = ()
    more: tuple[tuple[str, str], ...] = ()
    command: str = ""
    title: str = "How this was made"
    kind: ClassVar[str] = "provenance"


def prepare(section: Provenance) -> dict[str, Any]:
    """Return what the template shows."""
    named = [
        ("Model", section.model),
        ("Revision", section.revision),
        ("Weights", section.fingerprint),
        ("Number format", section.dtype),
        ("Template", section.template),
        ("Data", section.data),
        ("Position", section.position),
        ("Seed", "" if section.seed is None else str(section.seed)),
        *section.more,
        ("Versions", ", ".join(f"{name} {value}" for name, value in section.versions)),
    ]
    return {"facts": [(name, value) for name, value in named if value]}
