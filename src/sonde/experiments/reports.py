"""What a run gives back: how each stage of each variant ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonde.experiments.cost import Cost, Expected
from sonde.experiments.stage import Finished

if TYPE_CHECKING:
    from sonde.experiments.claims.judged import Judged

VARIANTS = "variants.json"


@dataclass(frozen=True, slots=True)
class StageReport:
    """How a stage of a variant ended: done, reused, or skipped with the reason.

    A stage that ran says what it took, and what it was expected to take.
    """

    name: str
    state: str
    finished: Finished
    seconds: float = 0.0
    cost: Cost | None = None
    expected: Expected | None = None


@dataclass(frozen=True, slots=True)
class VariantReport:
    """The stages of one variant. ``run`` is its number in the ledger, None if nothing ran.

    ``claims`` are those judged on it; those judged across variants stand with the last.
    """

    label: str
    stages: tuple[StageReport, ...]
    run: int | None
    claims: "tuple[Judged, ...]" = ()

    @property
    def finished(self) -> Mapping[str, Finished]:
        """The stages by name."""
        return {report.name: report.finished for report in self.stages}

    def stored(self, root: Path) -> dict[str, Any]:
        """Return where the results lie within the folder of the experiment, as JSON values."""
        done = [stage for stage in self.stages if not stage.finished.skipped]
        return {
            "variant": self.label,
            "stages": {stage.name: str(stage.finished.folder.relative_to(root)) for stage in done},
            "skipped": {
                stage.name: stage.finished.skipped for stage in self.stages if stage not in done
            },
        }
