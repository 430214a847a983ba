"""``export``: write vectors, or what a search found, as a file for another tool."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from sonde.core.errors import SondeError
from sonde.experiments.exporting import (
    ToExport,
    export_table,
    of_search,
    of_vectors,
    write_export,
)
from sonde.experiments.stage import Context, Estimate, Outcome, Reference, Stage
from sonde.experiments.stages.steer_checks import check_kinds, check_positions, check_unit
from sonde.vectors.exports.settings import ENDINGS, ExportFormat, ExportUnit, Selection
from sonde.vectors.settings import VectorSettings

if TYPE_CHECKING:
    from sonde.experiments.facts import Facts
    from sonde.vectors.exports.contents import ExportedFile


class ExportStage(Stage):
    """Write vectors for llama.cpp, repeng, EasySteer or steering-vectors, at a coefficient.

    With ``steering``, what that search found is written: its best vector, or those that it steered
    together, at the coefficient that it chose.
    """

    kind: Literal["export"] = Field(
        default="export", description="Write vectors as a file for another tool."
    )
    vectors: str = Field(description="The stage that made the vectors.")
    steering: str | None = Field(
        default=None, description="The steer stage whose best vector and coefficient are written."
    )
    format: ExportFormat = Field(default="gguf", description="`gguf` is for llama.cpp and repeng.")
    select: Selection = Field(
        default=Selection(),
        description="Which vector: `{method: probe, layer: 15}`. Needed where it is not clear.",
    )
    coefficient: float | None = Field(
        default=None,
        description="Typical norms that a tool's scale of 1 adds; what the search found, else 1.",
    )
    unit: ExportUnit = Field(
        default="raw",
        description="`raw` writes coefficient × typical norm × direction, `unit_length` the "
        "direction alone.",
    )

    version: ClassVar[int] = 1
    gives: ClassVar[str] = "export"
    light: ClassVar[bool] = True
    has_table: ClassVar[bool] = True

    def inputs(self) -> tuple[Reference, ...]:
        """Return the vectors, and the search."""
        search = self.steering
        return (
            Reference("vectors", self.vectors, ("vectors",)),
            *((Reference("steering", search, ("steering",)),) if search else ()),
        )

    def check_inputs(self, stages: Mapping[str, Stage]) -> None:
        """Refuse a selection, a unit or a search that the vectors will not have.

        Raises:
            SondeError: they will not have one.
        """
        made, chosen = stages[self.vectors], self.select
        if self.format == "gguf" and isinstance(chosen.layer, tuple) and 0 in chosen.layer:
            raise SondeError(
                "`select` names block 0, for which llama.cpp has no place.",
                fix="Leave it out, or write the format easysteer or steering-vectors.",
            )
        if chosen.method and isinstance(made, VectorSettings):
            cleaned = chosen.cleaning not in (None, "none")
            kind = f"{chosen.method}/{chosen.cleaning}" if cleaned else chosen.method
            check_kinds("`select`", (kind,), self.vectors, made)
        if chosen.position:
            check_positions("`select`", (chosen.position,), self.vectors, stages)
        if self.steering is None:
            if self.unit == "raw":
                check_unit("`vectors`", self.vectors, stages)
            return
        theirs = getattr(stages[self.steering], "vectors", self.vectors)
        if theirs != self.vectors:
            raise SondeError(
                f"An export takes what {self.steering} found, whose vectors are those of "
                f"{theirs!r}, and names {self.vectors!r}.",
                fix=f"Write `vectors: {theirs}`.",
            )

    def asked_layers(self, stages: Mapping[str, Stage]) -> Mapping[str, tuple[int, ...]]:
        """Return the blocks that are named, of the activations behind the vectors."""
        source = getattr(stages[self.vectors], "activations", None)
        layer = self.select.layer
        return {source: layer} if source and isinstance(layer, tuple) else {}

    def estimate(self, facts: "Facts") -> Estimate:
        """Say that it is little."""
        return Estimate(basis="one vector a layer is written")

    def run(self, context: Context) -> Outcome:
        """Choose, write, and say what the file holds."""
        vectors = context.open(self.vectors)
        if self.steering is None:
            chosen = of_vectors(vectors, self.select, self.coefficient)
        else:
            found = context.open(self.steering)
            chosen = of_search(found, vectors, self.select, self.coefficient)
        path = context.folder / f"{context.name}{ENDINGS[self.format]}"
        exported = write_export(chosen, path, to=self.format, unit=self.unit)
        context.say(f"{context.name}: {path}")
        return Outcome(_summary(exported, chosen))

    def open(self, folder: Path) -> "ExportedFile":
        """Return what the file holds.

        Raises:
            SondeError: it was altered.
        """
        from sonde.vectors.exports.contents import read_export

        return read_export(next(folder.glob(f"*{ENDINGS[self.format]}")))


def _summary(exported: "ExportedFile", chosen: ToExport) -> dict[str, Any]:
    return {
        "table": export_table(exported, chosen.notes),
        "file": exported.path.name,
        "format": exported.format,
        "unit": exported.unit,
        "model": exported.model,
        "coefficient": chosen.coefficient,
        "layers": [one.layer for one in exported.directions],
        "vectors": [one.vector for one in exported.directions],
        "notes": list(chosen.notes),
    }
