"""``held_out``: each group of the data scored by probes that were fitted on all the others."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from sonde.core.errors import SondeError, nearest
from sonde.core.files import read_json, write_json
from sonde.experiments.result_names import ResultNames
from sonde.experiments.stage import Context, Outcome, Reference, Stage
from sonde.experiments.stages.probe import WITH_LABELS, method_of
from sonde.experiments.stages.probe_results import numbers
from sonde.ledger.records import Measured
from sonde.probes.settings import LogisticSettings, ProbeSettings
from sonde.stats.interval import Interval

if TYPE_CHECKING:
    from sonde.activations.activations import Activations
    from sonde.data.examples import Example
    from sonde.probes.scored import Scored
    from sonde.probes.transferring import Transfer

FILE = "held_out.json"
UNITS = "units.parquet"
ALL = "all"  # the result of all parts together
PART = "without"  # "without sports": the score on sports of probes that saw none of it
MOST = 50  # parts that are held out without being named: each takes a sweep of its own


class HeldOutStage(Stage):
    """Hold out groups in turn, to see whether what was learnt on other ones carries over."""

    kind: Literal["held_out"] = Field(
        default="held_out", description="Fit without a group, and score on it; each in turn."
    )
    activations: str = Field(description="The stage whose activations are read.")
    labels: str | None = Field(
        default=None,
        description="The stage whose examples carry labels and groups; none for a token task, "
        "whose groups are documents.",
    )
    parts: str | None = Field(
        default=None,
        description="A stage with the same examples whose labels say which part each belongs to, "
        "such as its topic; by default its group.",
    )
    groups: tuple[str, ...] | None = Field(
        default=None,
        description="Hold out these alone, each in turn, and train on all the rest; by default "
        f"every one, if there are no more than {MOST}.",
    )
    method: ProbeSettings = Field(
        default_factory=LogisticSettings,
        description="The kind of probe, or a mapping with its settings.",
    )

    version: ClassVar[int] = 1
    gives: ClassVar[str] = "held_out"
    uses_seed: ClassVar[bool] = True
    has_table: ClassVar[bool] = True

    _method = field_validator("method", mode="before")(method_of)

    @field_validator("method")
    @classmethod
    def _of_rows(cls, given: ProbeSettings) -> ProbeSettings:
        if given.says == "utility":
            raise ValueError("comparisons have two items, of different groups; fit utilities first")
        return given

    def inputs(self) -> tuple[Reference, ...]:
        """Return the activations, the labels, and what names the parts."""
        reads = "activations" if self.labels else WITH_LABELS
        named = {"labels": self.labels, "parts": self.parts}
        return (
            Reference("activations", self.activations, (reads,)),
            *(Reference(key, it, ("examples",)) for key, it in named.items() if it),
        )

    def result_names(self) -> ResultNames:
        """Return the name of all together, and one for each part: ``without sports``."""
        return ResultNames((ALL,), with_names={PART: "group"})

    def run(self, context: Context) -> Outcome:
        """Fit without each part, and score on it."""
        from sonde.probes.held_out import all_held_out, held_out_groups
        from sonde.probes.per_unit import write_series

        settings = self.method
        if "seed" not in settings.model_fields_set:
            settings = settings.model_copy(update={"seed": context.seed})
        activations = context.open(self.activations)
        labels = context.open(self.labels) if self.labels else activations.labels
        parts = self._parts(context, activations, labels if self.labels else ())
        found = held_out_groups(activations, labels, parts, settings)
        whole = all_held_out(found)
        series = {f"{PART} {it.test}": it.scored for it in found.cells if it.scored is not None}
        series |= {} if whole is None else {ALL: whole}
        if series:
            write_series({name: ("", "", one) for name, one in series.items()},
                         context.folder / UNITS)  # fmt: skip
        pooled = None if whole is None else _interval(whole, settings)
        summary = _summary(found, pooled)
        write_json(context.folder / FILE, summary)
        return Outcome(summary, tuple(_measured(found, pooled)))

    def open(self, folder: Path) -> dict[str, Any]:
        """Return the summary."""
        return read_json(folder / FILE)

    def _parts(
        self, context: Context, activations: "Activations", labels: "tuple[Example, ...]"
    ) -> Mapping[str, str]:
        """Return the part of each example that is held out at some time.

        Raises:
            SondeError: a group that is named does not exist, or there are too many to hold out.
        """
        rows = activations.rows
        if self.parts:
            examples: tuple[Example, ...] = context.open(self.parts)
            parts = {one.id: str(one.label) for one in examples if one.label is not None}
        else:
            parts = dict(zip(rows.example.tolist(), rows.group.tolist(), strict=True))
            parts |= {one.id: one.group for one in labels if one.group}
        parts = {example: part for example, part in parts.items() if part}
        known = sorted(set(parts.values()))
        for name in self.groups or ():
            if name not in known:
                raise SondeError(
                    f"stages.{context.name}.groups names {name!r}, which no example belongs to."
                    f"{nearest(name, known)}",
                    fix=f"Groups are {', '.join(known[:8])}{' …' if len(known) > 8 else ''}.",
                )
        if not known:
            raise SondeError(
                f"The examples of stages.{context.name} have no groups that could be held out.",
                fix="Name the column of groups in the data (`columns: {group: …}`), or in `parts` "
                "a stage whose labels say which part each example belongs to.",
            )
        if self.groups is None and len(known) > MOST:
            raise SondeError(
                f"The examples fall into {len(known)} groups, such as {known[0]!r}; holding out "
                "each would take as many sweeps.",
                fix="Name some in `groups`, or larger parts in `parts`.",
            )
        wanted = set(known if self.groups is None else self.groups)
        return {example: part for example, part in parts.items() if part in wanted}


def _interval(scored: "Scored", settings: ProbeSettings) -> Interval:
    from sonde.stats.effects import interval_of

    return interval_of(scored.scores(settings.metric), settings.bootstrap)


def _measured(found: "Transfer", pooled: Interval | None) -> list[Measured]:
    """Return the score of all parts together, where there is one, and of each."""
    together = (
        Measured(ALL, found.metric, pooled, found.kind, units=UNITS, series=ALL,
                 note="each row read by the fit that had not seen its group")
        if pooled is not None
        else Measured(ALL, found.metric, None, found.kind,
                      not_applicable="several targets, or no group could be scored")
    )  # fmt: skip
    return [
        together,
        *(
            Measured(
                name=f"{PART} {cell.test}",
                metric=found.metric,
                score=cell.score,
                method=found.kind,
                units=UNITS if cell.scored is not None else "",
                series=f"{PART} {cell.test}" if cell.scored is not None else "",
                note=cell.note if cell.score is not None else "",
                not_applicable="" if cell.score is not None else cell.note,
            )
            for cell in found.cells
        ),
    ]


def _summary(found: "Transfer", pooled: Interval | None) -> dict[str, Any]:
    """Return the numbers that gates read, and the table that people read."""
    rows = [
        [it.test, None if it.score is None else str(it.score),
         None if it.score is None else it.score.n, it.note]
        for it in found.cells
    ]  # fmt: skip
    if pooled is not None:
        rows.append(["all together", str(pooled), pooled.n, ""])
    return {
        "metric": found.metric,
        ALL: None if pooled is None else numbers(pooled),
        "groups": {it.test: None if it.score is None else numbers(it.score) for it in found.cells},
        "notes": {it.test: it.note for it in found.cells if it.note},
        "table": {
            "title": f"{found.kind} probes on groups that they were not fitted on, {found.metric}",
            "columns": ["held out", "score [95 % interval]", "n", "note"],
            "rows": rows,
            "note": "Each group was scored by probes fitted on all the others, layer and penalty "
            "chosen there.",
        },
    }
