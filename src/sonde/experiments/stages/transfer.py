"""``transfer``: fit on one data set, model, variant or layer, and score on every other."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from sonde.core.base import Config
from sonde.core.files import read_json, write_json
from sonde.experiments.result_names import ResultNames
from sonde.experiments.stage import Context, Outcome, Reference, Stage
from sonde.experiments.stages.probe import WITH_LABELS, method_of
from sonde.experiments.stages.probe_results import numbers
from sonde.ledger.records import Measured
from sonde.probes.settings import LogisticSettings, ProbeSettings

if TYPE_CHECKING:
    import numpy as np

    from sonde.probes.elsewhere import Source
    from sonde.probes.transferring import Transfer, TransferCell

FILE = "transfer.json"
UNITS = "units.parquet"


class TransferSource(Config):
    """Activations with labels, to train on and to test on.

    ``labels`` names the stage whose examples carry them; a token task carries its own. ``hook`` is
    the hook point to read, such as ``blocks.12.resid_post``; without it the training rows choose.
    """

    activations: str
    labels: str | None = None
    hook: str | None = None


class TransferStage(Stage):
    """Score probes where they were not fitted. What two sources share is read out of fold."""

    kind: Literal["transfer"] = Field(
        default="transfer", description="Fit on each source, and score on every other."
    )
    sources: dict[str, TransferSource] = Field(
        description="By name: activations, labels (a token task has its own), perhaps a hook point."
    )
    train: tuple[str, ...] | None = Field(
        default=None, description="The sources to train on; all by default."
    )
    test: tuple[str, ...] | None = Field(
        default=None, description="The sources to test on; all by default."
    )
    method: ProbeSettings = Field(
        default_factory=LogisticSettings,
        description="The kind of probe, or a mapping with its settings.",
    )

    version: ClassVar[int] = 1
    gives: ClassVar[str] = "transfer"
    uses_seed: ClassVar[bool] = True
    has_table: ClassVar[bool] = True

    _method = field_validator("method", mode="before")(method_of)

    @field_validator("sources")
    @classmethod
    def _two_at_least(cls, given: dict[str, TransferSource]) -> dict[str, TransferSource]:
        if len(given) < 2:
            raise ValueError("name two sources at least, one to train on and one to test on")
        return given

    @model_validator(mode="after")
    def _names_are_sources(self) -> Self:
        for field in ("train", "test"):
            for name in getattr(self, field) or ():
                if name not in self.sources:
                    raise ValueError(
                        f"{field} names {name!r}; sources are {', '.join(self.sources)}"
                    )
        return self

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """What is trained on, and what is tested on."""
        every = tuple(self.sources)
        return tuple((one, other) for one in self.train or every for other in self.test or every)

    def inputs(self) -> tuple[Reference, ...]:
        """Return the activations and labels of every source."""
        found: list[Reference] = []
        for name, it in self.sources.items():
            reads = "activations" if it.labels else WITH_LABELS
            found.append(Reference(f"sources.{name}.activations", it.activations, (reads,)))
            if it.labels:
                found.append(Reference(f"sources.{name}.labels", it.labels, ("examples",)))
        return tuple(found)

    def result_names(self) -> ResultNames:
        """Return a name for each pair: ``base to instruct``."""
        return ResultNames(tuple(f"{one} to {other}" for one, other in self.pairs))

    def run(self, context: Context) -> Outcome:
        """Fit and score every pair."""
        from sonde.probes.per_unit import write_series
        from sonde.probes.transferring import transfer

        settings = self.method
        if "seed" not in settings.model_fields_set:
            settings = settings.model_copy(update={"seed": context.seed})
        sources = {name: _source(it, context) for name, it in self.sources.items()}
        found = transfer(
            {name: sources[name] for name in self.train or sources},
            {name: sources[name] for name in self.test or sources},
            settings,
        )
        series = {_name(it): ("", "", it.scored) for it in found.cells if it.scored is not None}
        if series:
            write_series(series, context.folder / UNITS)
        summary = _summary(found)
        write_json(context.folder / FILE, summary)
        return Outcome(summary, tuple(_measured(found)))

    def open(self, folder: Path) -> dict[str, Any]:
        """Return the summary."""
        return read_json(folder / FILE)


def _source(given: TransferSource, context: Context) -> "Source":
    from sonde.core.hooks import parse_hook_point
    from sonde.probes.elsewhere import Source

    activations = context.open(given.activations)
    labels = context.open(given.labels) if given.labels else _of_tokens(activations.labels)
    hook = parse_hook_point(given.hook) if given.hook else None
    return Source(activations, labels, hook)


def _of_tokens(labels: "np.ndarray") -> "np.ndarray":
    """Name the target's class alike in every token task: one is asked what another one learnt."""
    import numpy as np

    from sonde.activations.token_rows import OTHER

    return np.where(labels == OTHER, OTHER, "target")


def _name(cell: "TransferCell") -> str:
    return f"{cell.train} to {cell.test}"


def _measured(found: "Transfer") -> list[Measured]:
    return [
        Measured(
            name=_name(cell),
            metric=found.metric,
            score=cell.score,
            method=found.kind,
            units=UNITS if cell.scored is not None else "",
            series=_name(cell) if cell.scored is not None else "",
            note=cell.note if cell.score is not None else "",
            not_applicable="" if cell.score is not None else cell.note,
        )
        for cell in found.cells
    ]


def _summary(found: "Transfer") -> dict[str, Any]:
    """Return the numbers that gates and the report read, and the table that people read."""
    return {
        "metric": found.metric,
        "table": {
            "title": f"{found.kind} probes where they were not fitted, {found.metric}",
            "columns": ["trained on", "tested on", "score [95 % interval]", "n", "note"],
            "rows": [
                [
                    cell.train,
                    cell.test,
                    None if cell.score is None else str(cell.score),
                    None if cell.score is None else cell.score.n,
                    cell.note,
                ]
                for cell in found.cells
            ],
            "note": "",
        },
        "cells": [
            {
                "train": cell.train,
                "test": cell.test,
                "score": None if cell.score is None else numbers(cell.score),
                "shared": cell.shared,
                "note": cell.note,
            }
            for cell in found.cells
        ],
    }
