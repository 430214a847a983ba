"""``probe``: fit a probe at every layer that was read, with controls, baselines and intervals."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pydantic import Field, field_validator, model_validator

from sonde.core.errors import SondeError
from sonde.experiments.result_names import ResultNames
from sonde.experiments.stage import Context, Estimate, Outcome, Reference, Stage
from sonde.experiments.stages.probe_ranking import (
    PAIRS,
    RANKED,
    RANKING,
    TAU,
    measured_ranking,
    ranking_summary,
    write_ranking,
)
from sonde.experiments.stages.probe_results import FOLDER, measured, probe_summary
from sonde.probes.names import BASELINES, CONTROLS
from sonde.probes.settings import LogisticSettings, ProbeSettings

if TYPE_CHECKING:
    from sonde.experiments.facts import Facts
    from sonde.probes.results import ProbeResults

WITH_LABELS = "activations with labels"  # what a token task gives


def method_of(given: Any) -> Any:
    """Let a kind of probe be named alone, and be logistic where only settings are given."""
    if isinstance(given, str):
        return {"kind": given}
    if isinstance(given, dict):
        return {"kind": "logistic", **cast("dict[str, Any]", given)}
    return given


class ProbeStage(Stage):
    """Fit a probe at every hook point and position of some activations."""

    kind: Literal["probe"] = Field(default="probe", description="Fit a probe at every layer.")
    activations: str = Field(description="The stage whose activations are read.")
    labels: str | None = Field(
        default=None,
        description="The stage whose examples carry labels, groups and texts; none where the "
        "activations carry them, as those of a token task do.",
    )
    comparisons: str | None = Field(
        default=None,
        description="The stage that compares the examples, for `method: bradley_terry`; labels are "
        "then read for groups and texts alone.",
    )
    rank_against: str | None = Field(
        default=None,
        description="A stage of comparisons of the examples. What the probe says of each example, "
        "out of fold, is held against them: the share whose winner it puts ahead, and Kendall's "
        "tau-b with their utilities; both go into the ledger.",
    )
    method: ProbeSettings = Field(
        default_factory=LogisticSettings,
        description="A kind of probe, or a mapping with its settings; the kinds are below.",
    )
    examples_of: tuple[str, ...] = Field(
        default=(),
        description="Extract stages that must have an example too for it to be used: so models "
        "are compared on equal items, and what is left out is listed with its reason.",
    )
    random_weights: str | None = Field(
        default=None,
        description="A stage with the same data, hook points and positions read from "
        "`random:<model>`: the control of a model that learnt nothing.",
    )

    version: ClassVar[int] = 3
    gives: ClassVar[str] = "probe"
    uses_seed: ClassVar[bool] = True

    _method = field_validator("method", mode="before")(method_of)

    @model_validator(mode="after")
    def _comparisons_where_they_are_fitted(self) -> "ProbeStage":
        fits = self.method.kind == "bradley_terry"
        if fits and self.comparisons is None:
            raise ValueError("method: bradley_terry needs comparisons: <stage>")
        if self.comparisons is not None and not fits:
            raise ValueError(f"comparisons are for bradley_terry; the method is {self.method.kind}")
        return self

    @model_validator(mode="after")
    def _ranks_where_one_number_is_said(self) -> "ProbeStage":
        if self.rank_against is not None and self.method.says in ("logits", "utility"):
            raise ValueError(
                "rank_against is for probes that give an example one number, out of fold, such as "
                f"ridge or logistic; the method is {self.method.kind}"
            )
        return self

    def inputs(self) -> tuple[Reference, ...]:
        """Return the activations, those of random weights, the labels and the comparisons."""
        other = self.random_weights
        return (
            Reference("activations", self.activations, (self._reads,)),
            *(Reference("examples_of", name, ("activations",)) for name in self.examples_of),
            *((Reference("random_weights", other, (self._reads,)),) if other else ()),
            *((Reference("labels", self.labels, ("examples",)),) if self.labels else ()),
            *self._compared(),
        )

    def _compared(self) -> tuple[Reference, ...]:
        named = {"comparisons": self.comparisons, "rank_against": self.rank_against}
        return tuple(Reference(key, it, ("comparisons",)) for key, it in named.items() if it)

    @property
    def _reads(self) -> str:
        return "activations" if self.labels or self.comparisons else WITH_LABELS

    def result_names(self) -> ResultNames:
        """Return the score of the choice and of each place, with what they may be held against."""
        return ResultNames(
            ("selected", *(RANKING if self.rank_against else ())),
            hook_points=True,
            against=(*CONTROLS, *BASELINES),
            with_names={"selected": "target"} if self.method.says == "number" else {},
            whole={TAU: PAIRS} if self.rank_against else {},
        )

    def problems(self, base: Path) -> tuple[str, ...]:
        """Return what is missing; a device that is not there is found before anything runs."""
        found = super().problems(base)
        if self.method.device in ("cpu", "auto"):
            return found
        from sonde.models.devices import device_named

        try:
            device_named(self.method.device)
        except SondeError as error:
            return (*found, str(error))
        return found

    def estimate(self, facts: "Facts") -> Estimate:
        """Count the sweep over layers, folds and penalties, and once more for random weights."""
        own = facts.probing(self.activations, self.method)
        if self.random_weights is None:
            return own
        alone = self.method.model_copy(update={"shuffles": 0, "directions": 0, "baseline": False})
        other = facts.probing(self.random_weights, alone)
        return replace(own, seconds=own.seconds + other.seconds)

    def run(self, context: Context) -> Outcome:
        """Fit, save, and summarise."""
        from sonde.activations.subset import in_common
        from sonde.probes import fit, rank_agreement
        from sonde.probes.utilities import UtilitySettings, fit_utilities

        settings = self.method
        if "seed" not in settings.model_fields_set:
            settings = settings.model_copy(update={"seed": context.seed})
        ranked, utilities = None, None
        if self.rank_against:  # before the fit: comparisons that nothing follows from end it early
            ranked = context.open(self.rank_against)
            utilities = fit_utilities(ranked, UtilitySettings(disconnected="largest"))
        activations = context.open(self.activations)
        if self.labels:
            labels = context.open(self.labels)
        else:
            labels = () if self.comparisons else activations.labels
        found = fit(
            in_common(activations, {name: context.open(name) for name in self.examples_of}),
            labels,
            settings,
            random_weights=context.open(self.random_weights) if self.random_weights else None,
            comparisons=context.open(self.comparisons) if self.comparisons else None,
        )
        found.save(context.folder / FOLDER)
        summary, results = probe_summary(found), measured(found)
        if ranked is not None:
            agreement = rank_agreement(found, ranked, utilities)
            write_ranking(agreement, context.folder / RANKED)
            summary |= ranking_summary(agreement)
            results += measured_ranking(agreement, found.kind)
        return Outcome(summary, tuple(results))

    def open(self, folder: Path) -> "ProbeResults":
        """Return the results."""
        from sonde.probes import ProbeResults

        return ProbeResults.load(folder / FOLDER)
