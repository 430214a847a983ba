"""A run as it leaves one ledger and enters another: everything but the ledger's own numbers.

In place of numbers stand an ``origin``, which names a run in whatever ledger it is, and hashes.
"""

from typing import Any

from pydantic import Field

from sonde.core.base import Config
from sonde.ledger.records import DONE, EXPLORATORY, RESOLVED, SUPERSEDED, ResultRow
from sonde.ledger.results import result_row

VERSION = 1


class StatusRecord(Config):
    """What a result was said to be: by its run, or by hand."""

    status: str
    why: str = ""
    reference: Any = None
    recorded: str = ""
    by_hand: bool = False


class ResultRecord(Config):
    """A result. ``units_hash`` is a key of the run's ``units``."""

    name: str
    method: str = ""
    metric: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    n: int | None = None
    controls: Any = Field(default_factory=dict[str, Any])
    baselines: Any = Field(default_factory=dict[str, Any])
    units: str = ""
    units_hash: str | None = None
    series: str = ""
    note: str = ""
    not_applicable: str = ""
    statuses: tuple[StatusRecord, ...] = ()

    def row(self, stage: str, *, superseded: bool) -> ResultRow:
        """Return the result as the ledger shows it."""
        status = None
        if self.statuses:
            newest = self.statuses[-1]
            names = ("status", "why", "reference")
            status = {name: getattr(newest, name) for name in names}
        return result_row({"id": 0, **self.model_dump()}, stage, status, superseded)


class StageRecord(Config):
    """A stage with its results; a reused one has those that it reused."""

    name: str
    kind: str
    key: str = ""
    state: str = DONE
    reason: str = ""
    started: str = ""
    seconds: float | None = None
    made_of: Any = Field(default_factory=dict[str, Any])
    outputs: Any = Field(default_factory=dict[str, Any])
    summary: Any = Field(default_factory=dict[str, Any])
    folder: str = ""
    planned: Any = Field(default_factory=dict[str, Any])
    cost: Any = Field(default_factory=dict[str, Any])
    results: tuple[ResultRecord, ...] = ()


class ClaimRecord(Config):
    """A registered claim. ``replaces`` is the hash of the one before it of the same name."""

    experiment: str
    name: str
    variant: str
    content: Any
    hash: str
    spec_hash: str
    registered: str
    after_results: bool
    replaces: str | None = None


class VerdictRecord(Config):
    """A verdict. The claim is named by its name, variant and hash."""

    claim: str
    claim_variant: str
    claim_hash: str
    variant: str
    verdict: str
    statement: str
    effect: Any = None
    boundary: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    design: str
    n: int
    why: str
    advice: str
    inputs: str
    post_hoc: bool
    recorded: str


class ReplacedRecord(Config):
    """The run that supersedes or resolves a run, and why."""

    by: str  # its origin
    label: str = ""
    why: str
    recorded: str = ""


class UnitsRecord(Config):
    """A file of units: its size, and its content in base64 where that was asked for."""

    size: int
    content: str | None = None


class RunRecord(Config):
    """One run with its stages, results, claims, verdicts and what replaced it."""

    version: int = VERSION
    origin: str
    label: str  # what people call it: "demo-12", or the id in a table that is kept by hand
    name: str = ""
    variant: str = ""
    purpose: str = EXPLORATORY
    model: str = ""
    state: str = DONE  # as recorded; see `shown`
    reason: str = ""
    question: str = ""
    started: str
    beat: str | None = None
    ended: str | None = None
    seconds: float | None = None
    seed: int = 0
    spec_hash: str = ""
    folder: str = ""
    commit_hash: str | None = None
    dirty: int | None = None
    process: Any = Field(default_factory=dict[str, Any])
    spec_path: str = ""
    spec_text: str = ""
    overrides: Any = Field(default_factory=list[str])
    resolved: Any = Field(default_factory=dict[str, Any])
    versions: Any = Field(default_factory=dict[str, Any])
    hardware: Any = Field(default_factory=dict[str, Any])
    facts: Any = Field(default_factory=dict[str, str])
    planned: Any = Field(default_factory=dict[str, Any])
    cost: Any = Field(default_factory=dict[str, Any])
    stages: tuple[StageRecord, ...] = ()
    claims: tuple[ClaimRecord, ...] = ()
    verdicts: tuple[VerdictRecord, ...] = ()
    replaced: tuple[ReplacedRecord, ...] = ()  # oldest first; the newest counts
    units: dict[str, UnitsRecord] = Field(default_factory=dict[str, UnitsRecord])

    @property
    def shown(self) -> str:
        """The state in which the run is shown."""
        if self.replaced:
            return SUPERSEDED if self.state == DONE else RESOLVED
        return self.state

    def results(self) -> tuple[ResultRow, ...]:
        """Return the results of all stages as the ledger shows them."""
        superseded = bool(self.replaced)
        return tuple(
            result.row(stage.name, superseded=superseded)
            for stage in self.stages
            for result in stage.results
        )
