"""``compare``: two probe stages side by side, depth by depth, with intervals of differences."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from sonde.core.files import read_json, write_json
from sonde.experiments.stage import Context, Outcome, Reference, Stage

if TYPE_CHECKING:
    from sonde.probes.beside import SideBySide
    from sonde.stats.interval import Interval

FILE = "comparison.json"


class CompareStage(Stage):
    """Compare two sweeps of probes at equal depth: two models, variants, sites or methods.

    With `examples_of` in both probe stages they are fitted and scored on equal items.
    """

    kind: Literal["compare"] = Field(
        default="compare", description="Compare two probe stages depth by depth."
    )
    first: str = Field(description="The probe stage whose scores the differences start from.")
    second: str = Field(description="The probe stage whose scores are taken off.")

    version: ClassVar[int] = 1
    gives: ClassVar[str] = "comparison"
    light: ClassVar[bool] = True
    has_table: ClassVar[bool] = True

    def inputs(self) -> tuple[Reference, ...]:
        """Return both probe stages."""
        return (
            Reference("first", self.first, ("probe",)),
            Reference("second", self.second, ("probe",)),
        )

    def run(self, context: Context) -> Outcome:
        """Pair the layers and take the differences."""
        from sonde.probes.beside import side_by_side

        found = side_by_side(context.open(self.first), context.open(self.second))
        summary = self._summary(found)
        write_json(context.folder / FILE, summary)
        return Outcome(summary)

    def open(self, folder: Path) -> dict[str, Any]:
        """Return the summary."""
        return read_json(folder / FILE)

    def _summary(self, found: "SideBySide") -> dict[str, Any]:
        """Return the numbers that gates read, and the table that people read."""
        return {
            "table": self._table(found),
            "first": self.first,
            "second": self.second,
            "metric": found.metric,
            "n": found.shared,
            "only_first": len(found.only_first),
            "only_second": len(found.only_second),
            "design": found.selected.design,
            "difference": _numbers(found.selected.interval),
            "layers": [
                {
                    "depth": None if at.depth != at.depth else at.depth,
                    "first": str(at.first.hook),
                    "second": str(at.second.hook),
                    "position": at.first.position,
                    "first_score": at.first.score.value,
                    "second_score": at.second.score.value,
                    "difference": _numbers(at.difference.interval),
                    "design": at.difference.design,
                }
                for at in found.layers
            ],
        }

    def _table(self, found: "SideBySide") -> dict[str, Any]:
        """Return the table: a row for each depth, and one for the layers chosen in training."""
        one, other = found.layers[0].first, found.layers[0].second
        models = [it.probe.origin.model for it in (one, other)]
        rows = [
            [
                "–" if at.depth != at.depth else f"{at.depth:.2f}",
                str(at.first.hook),
                str(at.second.hook),
                at.first.score.value,
                at.second.score.value,
                str(at.difference.interval),
            ]
            for at in found.layers
        ]
        return {
            "title": f"{self.first} beside {self.second}: {found.metric} at equal depth",
            "columns": ["depth", f"layer of {self.first}", f"layer of {self.second}",
                        self.first, self.second, "difference"],
            "rows": [*rows, ["chosen", "–", "–", None, None, str(found.selected.interval)]],
            "note": _note(found, models),
        }  # fmt: skip


def _note(found: "SideBySide", models: list[str]) -> str:
    """Say what was compared, on what, and which items one of them lacked."""
    said = [f"{models[0]} beside {models[1]}, {found.shared:,} units in both"]
    for more, there, lacking in (
        (found.only_first, "the first", "the second"),
        (found.only_second, "the second", "the first"),
    ):
        if more:
            named = ", ".join(map(repr, more[:2]))
            said.append(f"{len(more):,} only in {there} (such as {named}), missing in {lacking}")
    if not found.equal:
        said.append("so they were fitted on different items: name each other's activations in "
                    "`examples_of`")  # fmt: skip
    return "; ".join(said) + "."


def _numbers(interval: "Interval") -> dict[str, float | int]:
    return {name: getattr(interval, name) for name in ("value", "low", "high", "n")}
