"""``utilities``: comparisons become a number for each item, which a ridge probe can fit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from sonde.core.files import write_json
from sonde.data.examples import Example
from sonde.experiments.stage import Context, Outcome, Reference, Stage
from sonde.experiments.stages.data import EXAMPLES, open_examples, write_examples
from sonde.probes.utilities import UtilitySettings

if TYPE_CHECKING:
    from sonde.data.comparisons import Comparison
    from sonde.probes.utilities import Utilities

FILE = "utilities.json"


class UtilitiesStage(Stage, UtilitySettings):
    """Fit utilities to comparisons and label the examples with them."""

    kind: Literal["utilities"] = Field(
        default="utilities", description="Turn comparisons into a number for each item."
    )
    data: str = Field(description="The stage whose examples are labelled.")
    comparisons: str = Field(description="The stage that compares them, by their ids.")

    version: ClassVar[int] = 1
    gives: ClassVar[str] = "examples"
    light: ClassVar[bool] = True

    def inputs(self) -> tuple[Reference, ...]:
        """Return the examples and the comparisons."""
        return (
            Reference("data", self.data, ("examples",)),
            Reference("comparisons", self.comparisons, ("comparisons",)),
        )

    def run(self, context: Context) -> Outcome:
        """Fit, label, and write down each utility with its standard error."""
        from sonde.probes.utilities import fit_utilities

        settings = self.model_dump(include=set(UtilitySettings.model_fields))
        compared = context.open(self.comparisons)
        found = fit_utilities(compared, UtilitySettings.model_validate(settings))
        sure = one_way(compared, found.items.tolist())
        if sure:
            context.say(
                f"{context.name}: {len(sure):,} of {len(found.items):,} items, such as "
                f"{sure[0]!r}, won or lost every comparison; only the ridge keeps their utilities "
                "finite."
            )
        examples: Sequence[Example] = context.open(self.data)
        utility = found.by_item()
        labelled = [replace(one, label=utility.get(one.id), label_names=()) for one in examples]
        write_examples(labelled, context.folder / EXAMPLES)
        write_json(context.folder / FILE, _rows(found))
        return Outcome({**_summary(found, labelled), "won_or_lost_all": len(sure)})

    def open(self, folder: Path) -> tuple[Example, ...]:
        """Return the examples, each with its utility as label; those without have none."""
        return open_examples(folder / EXAMPLES)


def one_way(comparisons: Iterable["Comparison"], items: Sequence[str]) -> list[str]:
    """Return the items all of whose comparisons went one way, in their order."""
    scores: dict[str, set[float]] = {}
    for one in comparisons:
        scores.setdefault(one.first, set()).add(one.outcome)
        scores.setdefault(one.second, set()).add(1 - one.outcome)
    return [item for item in items if scores[item] in ({0.0}, {1.0})]


def _rows(found: "Utilities") -> list[Mapping[str, Any]]:
    errors = found.error.tolist()
    return [
        {"id": item, "utility": value, "standard_error": error}
        for (item, value), error in zip(found.by_item().items(), errors, strict=True)
    ]


def _summary(found: "Utilities", labelled: Sequence[Example]) -> dict[str, Any]:
    known = {one.id for one in labelled}
    order = found.value.argsort()[::-1].tolist()
    names: list[str] = found.items.tolist()
    return {
        "n": len(labelled),
        "labelled": sum(one.label is not None for one in labelled),
        "compared": len(names),
        "compared_without_example": sum(name not in known for name in names),
        "outside_the_largest_part": len(found.left_out),
        "comparisons": found.n_comparisons,
        "spread": float(found.value.std()),
        "typical_error": float(found.error.mean()),
        "thresholds": list(found.thresholds),
        "highest": [names[at] for at in order[:5]],
        "lowest": [names[at] for at in order[-5:]],
    }
