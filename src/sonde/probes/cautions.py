"""What limits the conclusion from a probe's results, whatever the scores are."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sonde.stats.headroom import headroom
from sonde.stats.metrics import METRICS

if TYPE_CHECKING:
    from sonde.probes.results import ProbeResults


@dataclass(frozen=True, slots=True)
class Caution:
    """What was seen, and what to change."""

    what: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.advice}".strip()


def cautions(results: "ProbeResults") -> tuple[Caution, ...]:
    """Find a baseline without headroom, and a probe that gives one answer nearly always."""
    found: list[Caution] = []
    for name, baseline in results.baselines.items():
        room = headroom(baseline.score, METRICS[results.metric])
        if not room.enough:
            what = f"No probe can be shown to beat the baseline {name!r}. {room.why}"
            found.append(Caution(what, room.fix))
    if results.confusion is not None and results.confusion.always_says:
        found.append(
            Caution(
                results.confusion.always_says,
                "Balance the classes, or quote balanced accuracy, which a single answer cannot "
                "raise.",
            )
        )
    return tuple(found)
