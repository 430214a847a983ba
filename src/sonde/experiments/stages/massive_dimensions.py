"""``massive_dimensions``: coordinates far larger than the others, sinks, and typical norms."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from sonde.activations.massive_report import MassiveDimensions, MassiveSettings
from sonde.activations.settings import ExtractSettings
from sonde.experiments.stage import Context, Estimate, Outcome, Reference
from sonde.experiments.stages.with_model import ModelStage

if TYPE_CHECKING:
    from sonde.experiments.facts import Facts

FILE = "massive.json"


class MassiveStage(ModelStage, MassiveSettings):
    """Find massive dimensions, attention sinks and typical norms over all tokens of some data."""

    kind: Literal["massive_dimensions"] = Field(
        default="massive_dimensions", description="Find massive dimensions and attention sinks."
    )
    data: str = Field(description="The stage whose examples the model reads.")

    version: ClassVar[int] = 2
    gives: ClassVar[str] = "massive"

    def inputs(self) -> tuple[Reference, ...]:
        """Return the data."""
        return (Reference("data", self.data, ("examples",)),)

    def settings(self) -> MassiveSettings:
        """Return the settings that are those of the search."""
        return MassiveSettings.model_validate(
            self.model_dump(include=set(MassiveSettings.model_fields))
        )

    def reads(self) -> ExtractSettings:
        """Return where the stage reads the model: every token."""
        return ExtractSettings.model_validate(
            {"hooks": self.site, "layers": self.layers, "positions": "all"}
        )

    def estimate(self, facts: "Facts") -> Estimate:
        """Count one forward pass; more data than ``keep_bytes`` holds takes a second."""
        settings = self.reads()
        kept = facts.extraction(self.data, settings, self.model)
        passes = 1 if kept.disk <= self.keep_bytes else 2
        return facts.extraction(self.data, settings, self.model, kept=False, passes=passes)

    def run(self, context: Context) -> Outcome:
        """Search, and keep what was found."""
        from sonde.activations.massive import massive_dimensions

        found = massive_dimensions(
            context.load_model(),
            context.open(self.data),
            self.settings(),
            progress=context.progress,
        )
        found.save(context.folder / FILE)
        return Outcome(_summary(found))

    def open(self, folder: Path) -> MassiveDimensions:
        """Return what was found."""
        return MassiveDimensions.load(folder / FILE)


def _summary(found: MassiveDimensions) -> dict[str, Any]:
    return {
        "n_tokens": found.n_tokens,
        "n_sinks": found.n_sinks,
        "n_dimensions": len(found.dimensions),
        "n_severe": sum(each.severe for each in found.dimensions),
        "dimensions": {
            str(each.dimension): {
                "peak": max(each.ratios),
                "layer": each.peak_layer,
                "severe": each.severe,
            }
            for each in found.dimensions
        },
        "typical_norm": {str(norms.layer): norms.typical_norm for norms in found.norms},
    }
