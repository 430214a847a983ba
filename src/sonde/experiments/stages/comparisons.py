"""``comparisons``: which of two items was preferred, from a file or drawn from ratings."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from sonde.core.errors import SondeError
from sonde.core.files import canonical_json, write_json, write_text
from sonde.data.comparison_settings import ComparisonSpec, DrawSettings
from sonde.experiments.stage import Context, Outcome, Stage, resolved_path

if TYPE_CHECKING:
    from sonde.data.comparisons import Comparisons
    from sonde.data.read_comparisons import ComparisonsRead

FILE = "comparisons.jsonl"
SKIPPED = "skipped.json"


class ComparisonsStage(Stage, ComparisonSpec):
    """Read comparisons or draw them from ratings; a path starts at the experiment file."""

    kind: Literal["comparisons"] = Field(
        default="comparisons", description="Read comparisons of items, or draw them from ratings."
    )
    draw: DrawSettings | None = Field(
        default=None,
        description="The file holds individual ratings, from which comparisons are drawn.",
    )

    version: ClassVar[int] = 1
    gives: ClassVar[str] = "comparisons"
    light: ClassVar[bool] = True

    def files(self, base: Path) -> Mapping[str, Path]:
        """Return the file."""
        return {"path": resolved_path(self.path, base)}

    def problems(self, base: Path) -> tuple[str, ...]:
        """Return what is wrong with the file or its columns."""
        try:
            self.read(base)
        except SondeError as error:
            return (str(error),)
        return ()

    def read(self, base: Path) -> "ComparisonsRead":
        """Read or draw the comparisons.

        Raises:
            SondeError: as ``read_comparisons`` and ``draw_comparisons``.
        """
        from sonde.data.ratings import draw_comparisons, read_ratings
        from sonde.data.read_comparisons import ComparisonsRead, read_comparisons

        path = str(resolved_path(self.path, base))
        if self.draw is not None:
            return ComparisonsRead(draw_comparisons(read_ratings(path), self.draw), ())
        settings = self.model_dump(include=set(ComparisonSpec.model_fields))
        return read_comparisons(ComparisonSpec.model_validate({**settings, "path": path}))

    def run(self, context: Context) -> Outcome:
        """Write the comparisons as JSON Lines, and count them."""
        found = self.read(context.base)
        write_comparisons(found.comparisons, context.folder / FILE)
        reasons = Counter(one.reason for one in found.skipped)
        write_json(
            context.folder / SKIPPED,
            [{"row": one.row, "reason": one.reason} for one in found.skipped],
        )
        return Outcome(
            {**comparisons_summary(found.comparisons), "skipped": dict(sorted(reasons.items()))}
        )

    def open(self, folder: Path) -> "Comparisons":
        """Return the comparisons."""
        return open_comparisons(folder / FILE)


def write_comparisons(comparisons: "Comparisons", path: Path) -> None:
    """Write comparisons as JSON Lines, which ``read_comparisons`` reads too."""
    rows = (
        {"first": one.first, "second": one.second, "outcome": one.outcome, "weight": one.weight}
        for one in comparisons
    )
    write_text(path, "".join(f"{canonical_json(row)}\n" for row in rows))


def open_comparisons(path: Path) -> "Comparisons":
    """Read what ``write_comparisons`` wrote, whatever else a row holds."""
    from sonde.data.comparisons import Comparison, Comparisons

    with path.open(encoding="utf-8") as lines:
        rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    names = ("first", "second", "outcome", "weight")
    return Comparisons.of(Comparison(*(row[name] for name in names)) for row in rows)


def comparisons_summary(comparisons: "Comparisons") -> dict[str, Any]:
    """Return what gates and tables may ask of comparisons."""
    items = comparisons.items
    return {
        "n": len(comparisons),
        "items": len(items),
        "ties": comparisons.ties,
        "comparisons_an_item": 2 * len(comparisons) / len(items),
    }
