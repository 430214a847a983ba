"""What was written: prompts with their answers side by side, with what was said of each."""

from dataclasses import dataclass
from typing import Any, ClassVar

from sonde.report.wording import MISSING


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer: how it was made, its text, and short remarks such as its scores."""

    made: str
    text: str
    remarks: tuple[tuple[str, str], ...] = ()
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class Samples:
    """Answers grouped by what was asked; the first group is open."""

    groups: tuple[tuple[str, tuple[Sample, ...]], ...]
    note: str = ""
    title: str = "What was written"
    kind: ClassVar[str] = "samples"


def prepare(section: Samples) -> dict[str, Any]:
    """Return what the template shows."""
    return {
        "groups": [
            (asked, [(one, one.text.strip() or MISSING) for one in answers])
            for asked, answers in section.groups
        ]
    }
