"""What a reader must know before believing the numbers, said calmly."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

Level: TypeAlias = Literal["problem", "caution", "note"]
_ORDER: tuple[Level, ...] = ("problem", "caution", "note")
_WORDS = {"problem": "Problem", "caution": "Caution", "note": "Note"}


@dataclass(frozen=True, slots=True)
class Notice:
    """One warning: what was seen, and what it means or how to mend it."""

    what: str
    advice: str = ""
    level: Level = "caution"


@dataclass(frozen=True, slots=True)
class Notices:
    """Warnings, the gravest first; none is said, too."""

    items: tuple[Notice, ...]
    title: str = "Before you rely on this"
    kind: ClassVar[str] = "notices"


def prepare(section: Notices) -> dict[str, Any]:
    """Return what the template shows."""
    ordered = sorted(section.items, key=lambda item: _ORDER.index(item.level))
    return {"items": [(item, _WORDS[item.level]) for item in ordered]}
