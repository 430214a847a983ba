"""``probe``: fit a probe at every layer that was read, with control, baseline and intervals."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pydantic import Field, field_validator

from sonde.experiments.stage import Context, Estimate, Outcome, Reference, Stage
from sonde.ledger.records import Measured
from sonde.probes.settings import LogisticSettings, ProbeSettings
from sonde.stats.interval import Interval

if TYPE_CHECKING:
    from sonde.experiments.facts import Facts
    from sonde.probes.results import LayerResult, ProbeResults

FOLDER = "probe"
SMALL = 1000  # rows
UNITS = f"{FOLDER}/out_of_fold.parquet"


class ProbeStage(Stage):
    """Fit a probe at every hook point and position of some activations."""

    kind: Literal["probe"] = Field(default="probe", description="Fit a probe at every layer.")
    activations: str = Field(description="The stage whose activations are read.")
    labels: str = Field(description="The stage whose examples carry labels, groups and texts.")
    method: ProbeSettings = Field(
        default_factory=LogisticSettings,
        description="`logistic`, `ridge` or `mean_difference`, or a mapping with its settings.",
    )

    version: ClassVar[int] = 1
    gives: ClassVar[str] = "probe"
    uses_seed: ClassVar[bool] = True

    @field_validator("method", mode="before")
    @classmethod
    def _a_name_is_enough(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"kind": given}
        if isinstance(given, dict):
            return {"kind": "logistic", **cast("dict[str, Any]", given)}
        return given

    def inputs(self) -> tuple[Reference, ...]:
        """Return the activations and the labels."""
        return (
            Reference("activations", self.activations, ("activations",)),
            Reference("labels", self.labels, ("examples",)),
        )

    def estimate(self, facts: "Facts") -> Estimate:
        """Count the sweep over layers, folds and penalties."""
        return facts.probing(self.activations, self.method)

    def run(self, context: Context) -> Outcome:
        """Fit, save, and summarise."""
        from sonde.probes import fit

        settings = self.method
        if "seed" not in settings.model_fields_set:
            settings = settings.model_copy(update={"seed": context.seed})
        activations = context.open(self.activations)
        with _threads_for(len(activations.rows)):
            found = fit(activations, context.open(self.labels), settings)
        found.save(context.folder / FOLDER)
        return Outcome(probe_summary(found), tuple(_measured(found)))

    def open(self, folder: Path) -> "ProbeResults":
        """Return the results."""
        from sonde.probes import ProbeResults

        return ProbeResults.load(folder / FOLDER)


@contextmanager
def _threads_for(rows: int) -> Generator[None]:
    """Let small problems run on one thread.

    Their thousands of small products gain nothing from more, and where other work shares the
    cores the threads wait for each other: 360 rows of 576 took two to four times as long on two.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1 if rows < SMALL else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def probe_summary(found: "ProbeResults") -> dict[str, Any]:
    """Return the numbers that gates and tables read."""
    best = found.best_layer
    positions = dict.fromkeys(layer.position for layer in found.layers)
    return {
        "method": found.kind,
        "metric": found.metric,
        "n": found.n,
        "rows": found.n_rows,
        "selected": numbers(found.selected),
        "control": numbers(found.selection.control),
        "baseline": None if found.baseline is None else numbers(found.baseline),
        "best": {
            "hook": str(best.hook),
            "layer": best.hook.layer,
            "position": best.position,
            "penalty": best.penalty,
            **numbers(best.score),
        },
        "layers": {
            _place(layer, len(positions)): {
                **numbers(layer.score),
                "control": numbers(layer.control),
                "penalty": layer.penalty,
            }
            for layer in found.layers
        },
        "join": str(found.join),
        "failed": len(found.failed),
        "warnings": list(found.warnings),
    }


def numbers(interval: Interval) -> dict[str, Any]:
    """Return an interval as JSON values."""
    return {name: getattr(interval, name) for name in ("value", "low", "high", "n")}


def _place(layer: "LayerResult", n_positions: int) -> str:
    hook = str(layer.hook)
    return hook if n_positions == 1 else f"{hook} {layer.position}"


def _measured(found: "ProbeResults") -> list[Measured]:
    metric = f"{found.kind} {found.metric}"
    selection = found.selection
    chosen = Measured(
        "selected", metric, found.selected, selection.control, found.baseline, UNITS,
        "hook point, position and penalty chosen inside the training folds",
    )  # fmt: skip
    n_positions = len(dict.fromkeys(layer.position for layer in found.layers))
    return [chosen] + [
        Measured(
            _place(layer, n_positions), metric, layer.score, layer.control, found.baseline, UNITS,
            "; ".join(layer.warnings),
        )
        for layer in found.layers
    ]  # fmt: skip
