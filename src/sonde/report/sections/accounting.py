"""What became of every input row, from reading to use."""

from dataclasses import dataclass
from typing import Any, ClassVar

from sonde.core.errors import SondeError
from sonde.report.wording import count, counted, listed, share

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Loss:
    """Rows that went no further, for one reason; some of them are named."""

    reason: str
    number: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """A step, how many came out of it, and what was lost on the way into it."""

    name: str
    rows: int
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, slots=True)
class Accounting:
    """The steps in order. Losses and remaining rows must add up: nothing vanishes.

    ``unit`` says what is counted. ``tokens`` is what the model computed for real, ``padding`` the
    share of all computed tokens that were filling, ``truncated`` the examples that were cut.
    """

    steps: tuple[Step, ...]
    tokens: int | None = None
    padding: float | None = None
    truncated: int | None = None
    facts: tuple[tuple[str, str], ...] = ()
    title: str = "What became of the data"
    unit: str = "example"
    kind: ClassVar[str] = "accounting"

    def __post_init__(self) -> None:
        for before, after in zip(self.steps, self.steps[1:], strict=False):
            lost = sum(loss.number for loss in after.losses)
            if before.rows != after.rows + lost:
                raise SondeError(
                    f"The accounting does not add up: {before.rows} {self.unit}s were "
                    f"{before.name}, {after.rows} {after.name}, but {lost} are accounted for as "
                    "lost.",
                    fix="Give every loss with its reason.",
                )


def prepare(section: Accounting) -> dict[str, Any]:
    """Return what the template shows."""
    top = max((step.rows for step in section.steps), default=0) or 1
    lost = sum(loss.number for step in section.steps for loss in step.losses)
    return {
        "steps": [
            {
                "name": step.name,
                "rows": count(step.rows),
                "width": round(100 * step.rows / top, 2),
                "share": share(step.rows, top),
                "losses": [_loss(loss) for loss in step.losses if loss.number],
            }
            for step in section.steps
        ],
        "sentence": _sentence(section, lost),
        "facts": [*_token_facts(section), *section.facts],
    }


def _loss(loss: Loss) -> dict[str, Any]:
    named = loss.examples[:EXAMPLES]
    return {
        "reason": loss.reason,
        "number": count(loss.number),
        "examples": named,
        "more": count(loss.number - len(named)) if named and loss.number > len(named) else "",
    }


def _sentence(section: Accounting, lost: int) -> str:
    if not section.steps:
        return ""
    first, last = section.steps[0], section.steps[-1]
    if not lost:
        return f"All {counted(first.rows, section.unit)} were used; nothing was lost."
    reasons = [loss.reason for step in section.steps for loss in step.losses if loss.number]
    return (
        f"{count(last.rows)} of {counted(first.rows, section.unit)} were used. "
        f"{count(lost)} went no further: {listed(list(dict.fromkeys(reasons)))}."
    )


def _token_facts(section: Accounting) -> list[tuple[str, str]]:
    facts = [
        ("Tokens computed", None if section.tokens is None else count(section.tokens)),
        ("Padding", None if section.padding is None else share(section.padding)),
        ("Examples cut", None if section.truncated is None else count(section.truncated)),
    ]
    return [(name, value) for name, value in facts if value is not None]
