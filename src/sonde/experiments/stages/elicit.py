"""``elicit``: ask a model which of two tasks it would rather do, in both orders."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from sonde.core.files import canonical_json, write_text
from sonde.experiments.stage import Context, Estimate, Outcome, Reference
from sonde.experiments.stages.comparisons import FILE, comparisons_summary, open_comparisons
from sonde.experiments.stages.with_model import ModelStage
from sonde.probes.elicit_settings import ElicitSettings

if TYPE_CHECKING:
    from sonde.data.comparisons import Comparisons
    from sonde.experiments.facts import Facts
    from sonde.probes.elicitation import Answer
    from sonde.probes.elicited import Elicited

KEPT = "answers.jsonl"


class ElicitStage(ModelStage, ElicitSettings):
    """Elicit preferences between examples, written as comparisons that probes are fitted to."""

    kind: Literal["elicit"] = Field(
        default="elicit", description="Ask the model which of two tasks it would rather do."
    )
    data: str = Field(description="The stage whose examples are the tasks.")

    version: ClassVar[int] = 1
    gives: ClassVar[str] = "comparisons"
    resumes: ClassVar[bool] = True
    uses_seed: ClassVar[bool] = True

    def inputs(self) -> tuple[Reference, ...]:
        """Return the tasks."""
        return (Reference("data", self.data, ("examples",)),)

    def settings(self, seed: int) -> ElicitSettings:
        """Return the settings that are the elicitation's own; the seed is the experiment's."""
        own = self.model_dump(include=set(ElicitSettings.model_fields))
        if "seed" not in self.model_fields_set:
            own["seed"] = seed
        return ElicitSettings.model_validate(own)

    def estimate(self, facts: "Facts") -> Estimate:
        """Count the forward passes: two tasks and the question, in both orders."""
        from sonde.experiments.elicit_estimate import elicit_estimate

        return elicit_estimate(facts, self, self.model, self.data)

    def run(self, context: Context) -> Outcome:
        """Ask; answers that an interrupted run kept are not asked again."""
        from sonde.probes.elicitation import elicit

        kept = context.folder / KEPT

        def keep(pairs: "Sequence[tuple[int, int]]", answers: "Sequence[Answer]") -> None:
            with kept.open("a", encoding="utf-8") as file:
                rows = zip(pairs, answers, strict=True)
                file.write("".join(f"{canonical_json([*pair, *told])}\n" for pair, told in rows))

        found = elicit(
            context.load_model(),
            context.open(self.data),
            self.settings(context.seed),
            known=_known(kept),
            keep=keep,
            progress=context.progress,
        )
        write_text(context.folder / FILE, _lines(found))
        kept.unlink(missing_ok=True)
        for warning in found.warnings:
            context.say(warning)
        return Outcome(_summary(found))

    def open(self, folder: Path) -> "Comparisons":
        """Return the comparisons."""
        return open_comparisons(folder / FILE)


def _known(path: Path) -> "dict[tuple[int, int], Answer]":
    """Read answers kept before; a last line that was cut off is left out."""
    if not path.is_file():
        return {}
    found: dict[tuple[int, int], Answer] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            one, other, first, second, share = json.loads(line)
        except ValueError:
            break
        found[int(one), int(other)] = float(first), float(second), float(share)
    return found


def _lines(found: "Elicited") -> str:
    columns = zip(
        found.comparisons, found.log_odds.tolist(), found.share.tolist(), found.bias, strict=True
    )
    rows = (
        {
            "first": one.first,
            "second": one.second,
            "outcome": one.outcome,
            "weight": one.weight,
            "log_odds": orders,
            "bias": float(bias),
            "share": share,
        }
        for one, orders, share, bias in columns
    )
    return "".join(f"{canonical_json(row)}\n" for row in rows)


def _summary(found: "Elicited") -> dict[str, Any]:
    """Return how clear the preferences are beside the liking for a place."""
    return {
        **comparisons_summary(found.comparisons),
        "preference_spread": float(found.preference.std()),
        "position_bias": float(found.bias.mean()),
        "position_bias_spread": float(found.bias.std()),
        "same_letter_both_orders": found.by_letter,
        "share_of_answers": float(found.share.mean()),
        "warnings": list(found.warnings),
    }
