"""``erase``: take a concept out of activations, and check that a new probe finds nothing."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from sonde.core.files import write_json
from sonde.experiments.result_names import ResultNames
from sonde.experiments.stage import Context, Estimate, Outcome, Reference, Stage
from sonde.experiments.stages.probe import WITH_LABELS, method_of
from sonde.experiments.stages.probe_results import numbers
from sonde.ledger.records import Against, Measured
from sonde.probes.names import SHUFFLED
from sonde.probes.settings import LogisticSettings, ProbeSettings

if TYPE_CHECKING:
    from sonde.experiments.facts import Facts
    from sonde.probes.eraser import Eraser
    from sonde.probes.erasure_results import ErasureCheck, LayerErasure
    from sonde.probes.scored import Scored

FOLDER = "erasers"
FILE = "erasure.json"
UNITS = "units.parquet"


class EraseStage(Stage):
    """Erase labels at every hook point that was read; new probes before and after, cross-fitted."""

    kind: Literal["erase"] = Field(
        default="erase", description="Take a concept out, and look for it again."
    )
    activations: str = Field(description="The stage whose activations are read.")
    labels: str | None = Field(
        default=None,
        description="The stage whose examples carry the labels to erase; none where the "
        "activations carry them, as those of a token task do.",
    )
    erasure: Literal["leace", "orthogonal"] = Field(
        default="leace",
        description="`leace` changes the activations least; `orthogonal` projects out the "
        "directions that covary with the labels.",
    )
    method: ProbeSettings = Field(
        default_factory=LogisticSettings,
        description="The kind of probe that looks for the labels, or a mapping with its settings.",
    )

    version: ClassVar[int] = 1
    gives: ClassVar[str] = "erasers"
    uses_seed: ClassVar[bool] = True
    has_table: ClassVar[bool] = True

    _method = field_validator("method", mode="before")(method_of)

    def inputs(self) -> tuple[Reference, ...]:
        """Return the activations and the labels."""
        read = Reference("activations", self.activations, ("activations",))
        if self.labels is None:
            return (Reference("activations", self.activations, (WITH_LABELS,)),)
        return read, Reference("labels", self.labels, ("examples",))

    def result_names(self) -> ResultNames:
        """Return a name for each place: what a new probe finds there after erasure."""
        return ResultNames(hook_points=True, against=(SHUFFLED,))

    def estimate(self, facts: "Facts") -> Estimate:
        """Count three sweeps: before, and after by either share of the rows."""
        alone = self.method.model_copy(update={"directions": 0, "baseline": False})
        one = facts.probing(self.activations, alone)
        if one.unknown:
            return one
        return Estimate(
            memory=one.memory, disk=one.disk, seconds=3 * one.seconds, basis=f"3 × {one.basis}"
        )

    def run(self, context: Context) -> Outcome:
        """Check, fit the erasers on all rows, save, and summarise."""
        from sonde.probes import erasure_check, fit_erasers
        from sonde.probes.per_unit import write_series

        settings = self.method
        if "seed" not in settings.model_fields_set:
            settings = settings.model_copy(update={"seed": context.seed})
        activations = context.open(self.activations)
        labels = context.open(self.labels) if self.labels else activations.labels
        found = erasure_check(activations, labels, settings, method=self.erasure)
        erasers = fit_erasers(
            activations,
            labels,
            method=self.erasure,
            numbers=settings.says == "number",
            hooks=tuple(dict.fromkeys(layer.hook for layer in found.layers)),
        )
        (context.folder / FOLDER).mkdir(exist_ok=True)
        for eraser in erasers:
            eraser.save(context.folder / FOLDER / _file(str(eraser.hook), eraser.position))
        write_series(_series(found), context.folder / UNITS)
        summary = _summary(found, erasers)
        write_json(context.folder / FILE, summary)
        return Outcome(summary, tuple(_measured(found)))

    def open(self, folder: Path) -> "tuple[Eraser, ...]":
        """Return the erasers, in the order of the forward pass."""
        from sonde.probes import Eraser

        found = [Eraser.load(path) for path in (folder / FOLDER).glob("*.safetensors")]
        return tuple(sorted(found, key=lambda one: (one.hook.depth, one.position)))


def _file(hook: str, position: str) -> str:
    """Return a file name that every system takes."""
    kept = "".join(letter if letter.isalnum() else "_" for letter in position)
    return f"{hook}.{kept}.safetensors"


def _series(found: "ErasureCheck") -> "dict[str, tuple[str, str, Scored]]":
    """Name what was said before and after; the result itself is that of rows not erased by."""
    from sonde.probes.per_unit import repetition

    series: dict[str, tuple[str, str, Scored]] = {}
    for layer in found.layers:
        name, place = found.name_of(layer), (str(layer.hook), layer.position)
        series[name] = (*place, layer.apart.scored)
        series[f"{name}/before"] = (*place, layer.before.scored)
        series[f"{name}/same rows"] = (*place, layer.same.scored)
        for number, one in enumerate(layer.apart.control.scored if layer.apart.control else ()):
            series[repetition(name, SHUFFLED, number)] = (*place, one)
    return series


def _measured(found: "ErasureCheck") -> list[Measured]:
    return [
        Measured(
            name=found.name_of(layer),
            metric=found.metric,
            score=layer.apart.score,
            method=f"{found.kind} after {found.method}",
            controls=_controls(found.name_of(layer), layer),
            units=UNITS,
            series=found.name_of(layer),
            note=f"before erasure {layer.before.score}",
        )
        for layer in found.layers
    ]


def _controls(name: str, layer: "LayerErasure") -> dict[str, Against]:
    from sonde.probes.per_unit import repetition

    control = layer.apart.control
    if control is None:
        return {}
    names = tuple(repetition(name, SHUFFLED, number) for number in range(len(control.scored)))
    return {SHUFFLED: Against(control.score, names)}


def _summary(found: "ErasureCheck", erasers: "tuple[Eraser, ...]") -> dict[str, Any]:
    """Return the numbers that gates read, and the table that people read."""
    fitted = {(one.hook, one.position): one for one in erasers}
    level = f"{found.settings.level * 100:g} %"
    return {
        "method": found.kind,
        "metric": found.metric,
        "erasure": found.method,
        "n": found.n,
        "rows": found.n_rows,
        "gone": all(layer.gone for layer in found.layers),
        "layers": {
            found.name_of(layer): {
                **numbers(layer.apart.score),
                "before": numbers(layer.before.score),
                "same_rows": numbers(layer.same.score),
                "lost": numbers(layer.lost),
                "chance": layer.chance,
                "gone": layer.gone,
                "rank": fitted[layer.hook, layer.position].rank,
                "removed": fitted[layer.hook, layer.position].removed,
            }
            for layer in found.layers
        },
        "failed": [f"{it.hook} {it.position}: {it.reason}" for it in found.failed],
        "table": {
            "title": f"{found.kind} probes before and after {found.method} erasure, {found.metric}",
            "columns": [
                "hook point",
                f"before [{level} interval]",
                "after, other rows",
                "after, same rows",
                "variance taken",
                "",
            ],
            "rows": [_row(found, layer, fitted) for layer in found.layers],
            "note": f"{found.n} units. The eraser was fitted on other rows than the new probe, or "
            "on the same; both are scored on rows that neither has seen.",
        },
    }


def _row(
    found: "ErasureCheck", layer: "LayerErasure", fitted: "dict[Any, Eraser]"
) -> list[str | None]:
    return [
        found.name_of(layer),
        str(layer.before.score),
        str(layer.apart.score),
        str(layer.same.score),
        f"{fitted[layer.hook, layer.position].removed:.2%}",
        "nothing found" if layer.gone else f"still above {layer.chance:.2g}",
    ]
