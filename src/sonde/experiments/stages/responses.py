"""``responses``: a trait's scenarios answered by the model, vetted, as examples of both sides."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from sonde.core.errors import SondeError
from sonde.data.examples import Example
from sonde.experiments.stage import Context, Estimate, Outcome, Reference, Stage
from sonde.experiments.stages.data import EXAMPLES, open_examples, write_examples
from sonde.experiments.stages.judging import (
    check_judges,
    judge_in,
    judge_inputs,
    judge_layers,
)
from sonde.experiments.stages.traits import trait_at, with_rule
from sonde.experiments.stages.with_model import ModelStage
from sonde.judges.settings import JudgeSettings
from sonde.steering.responding import ResponseSettings

if TYPE_CHECKING:
    from sonde.data.traits import Trait
    from sonde.experiments.facts import Facts
    from sonde.steering.responding import Responses

STAND_IN = "word "  # of a response that is not written yet


class ResponsesStage(ModelStage, ResponseSettings):
    """Answer the scenarios of a trait where no response is given, and keep those that pass."""

    kind: Literal["responses"] = Field(
        default="responses", description="Let the model answer a trait's scenarios, and vet it."
    )
    trait: str = Field(description="A trait's folder, a file of pairs, or one that sonde ships.")
    judge: JudgeSettings | None = Field(
        default=None, description="Who vets the responses; the trait's own rule if none is named."
    )

    version: ClassVar[int] = 1
    gives: ClassVar[str] = "examples"
    resumes: ClassVar[bool] = True
    uses_seed: ClassVar[bool] = True

    def inputs(self) -> tuple[Reference, ...]:
        """Return the probe that judges, if one does."""
        return judge_inputs({"judge": self.judge})

    def check_inputs(self, stages: Mapping[str, Stage]) -> None:
        """Refuse a probe that cannot judge.

        Raises:
            SondeError: it says no probability.
        """
        check_judges({"judge": self.judge}, stages)

    def asked_layers(self, stages: Mapping[str, Stage]) -> Mapping[str, tuple[int, ...]]:
        """Return the block whose probe judges, if it is named."""
        return judge_layers({"judge": self.judge})

    def files(self, base: Path) -> Mapping[str, Path]:
        """Return where the trait lies, and the rules that a judge goes by."""
        return trait_at(self.trait, self.judge, base)

    def problems(self, base: Path) -> tuple[str, ...]:
        """Return what is wrong with the trait or its rules."""
        try:
            trait = self._trait(base)
            if self.judge is not None:
                with_rule(self.judge, trait, base)
        except SondeError as error:
            return (str(error),)
        return ()

    def foreseen(self, base: Path) -> tuple[Example, ...]:
        """Return the scenarios with responses of the greatest length, for counting tokens.

        Raises:
            SondeError: the trait cannot be read.
        """
        text = STAND_IN * self.max_new_tokens
        return tuple(one.example(one.response or text) for one in self._trait(base).scenarios) * (
            self.per_scenario
        )

    def settings(self, seed: int) -> ResponseSettings:
        """Return the settings that are the responses' own; the seed is the experiment's."""
        own = self.model_dump(include=set(ResponseSettings.model_fields))
        if "seed" not in self.model_fields_set:
            own["seed"] = seed
        return ResponseSettings.model_validate(own)

    def estimate(self, facts: "Facts") -> Estimate:
        """Count the tokens that are written, and read by a local judge."""
        from sonde.experiments.judging_estimate import with_judges
        from sonde.experiments.steering_estimate import Written, generation_estimate

        scenarios = self._trait(facts.planned.base).scenarios
        prompts = tuple(one.prompt for one in scenarios if one.response is None)
        rows = len(prompts) * self.per_scenario
        written = Written(prompts, rows, rows * self.max_new_tokens, budget=self.token_budget)
        found = Estimate(basis="all responses are given")
        if rows:
            found = generation_estimate(facts, self.model, written)
        answers = rows + len(scenarios) - len(prompts)
        length = written.prompt + self.max_new_tokens
        return with_judges(found, facts, (self.judge,), answers, length)

    def run(self, context: Context) -> Outcome:
        """Answer and vet; what did not pass is kept apart with the reason.

        What the model wrote is kept: where the judge was lost, the next run only judges.
        """
        from sonde.steering.responding import responses

        trait = self._trait(context.base)
        judge = None
        if self.judge is not None:
            judge = judge_in(context, "judge", self.judge, "trait", trait)
        settings = self.settings(context.seed)
        found = responses(context.load_model(), trait, settings, judge, context.folder)
        context.say(f"{context.name}: {found}")
        write_examples(found.examples, context.folder / EXAMPLES)
        return Outcome(_summary(found))

    def open(self, folder: Path) -> tuple[Example, ...]:
        """Return the responses that passed."""
        return open_examples(folder / EXAMPLES)

    def _trait(self, base: Path) -> "Trait":
        from sonde.data.traits import read_trait

        return read_trait(trait_at(self.trait, None, base)["trait"])


def _summary(found: "Responses") -> dict[str, Any]:
    return {
        "n": len(found.examples),
        "labelled": len(found.examples),
        "groups": len({one.group for one in found.examples if one.group is not None}),
        "labels": dict(found.kept),
        "written": dict(found.written),
        "skipped": dict(found.dropped),
        "vetted_by": found.vetted_by,
        "threshold": found.threshold,
        "says": str(found),
    }
