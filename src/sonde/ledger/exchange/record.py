"""A run as it leaves one ledger and enters another: everything but the ledger's own numbers.

In place of numbers stand an ``origin``, which names a run in whatever ledger it is, and hashes.
"""

from datetime import datetime
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from sonde.core.base import Config
from sonde.ledger.intervals import against_read, interval_read
from sonde.ledger.records import (
    DONE,
    EXPLORATORY,
    FAILED,
    INTERRUPTED,
    PURPOSES,
    RESOLVED,
    REUSED,
    RUNNING,
    SKIPPED,
    STATUSES,
    SUPERSEDED,
    VERDICTS,
    ResultRow,
)
from sonde.ledger.results import result_row

VERSION = 1
_STATES = (RUNNING, DONE, FAILED, SKIPPED, INTERRUPTED)  # that are recorded


def _against(value: dict[Any, Any]) -> dict[Any, Any]:
    """Refuse what the ledger could not show as controls or baselines."""
    try:
        against_read(value)
    except (KeyError, TypeError, ValueError, AssertionError):
        raise ValueError("not scores by name, each with value, low, high, n and level") from None
    return value


def _interval(value: Any) -> Any:
    try:
        interval_read(value)
    except (KeyError, TypeError, ValueError):
        raise ValueError("not an interval: value, low, high, n and level") from None
    return value


def _moment(value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("not a time such as 2026-06-21T14:30:00.000+00:00") from None
    return value


def _one_of(*known: str) -> AfterValidator:
    def check(value: str) -> str:
        if value not in known:
            raise ValueError(f"not one of {', '.join(known)}")
        return value

    return AfterValidator(check)


Count: TypeAlias = Annotated[int, Field(ge=-(2**63), lt=2**63)]  # what a database holds
# Keys may hold half of a surrogate pair, which pydantic's texts may not.
Mapping: TypeAlias = dict[Any, Any]
Moment: TypeAlias = Annotated[str, AfterValidator(_moment)]
Against: TypeAlias = Annotated[Mapping, AfterValidator(_against)]
State: TypeAlias = Annotated[str, _one_of(*_STATES)]
StageState: TypeAlias = Annotated[str, _one_of(*_STATES, REUSED)]


class StatusRecord(Config):
    """What a result was said to be: by its run, or by hand."""

    status: Annotated[str, _one_of(*STATUSES)]
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
    n: Count | None = None
    controls: Against = Field(default_factory=Mapping)
    baselines: Against = Field(default_factory=Mapping)
    units: str = ""
    units_hash: str | None = None
    series: str = ""
    note: str = ""
    not_applicable: str = ""
    statuses: tuple[StatusRecord, ...] = ()

    @model_validator(mode="after")
    def _has_a_score_or_a_reason(self) -> "ResultRecord":
        if not self.not_applicable and (self.n is None or self.level is None):
            raise ValueError("a result has n and level, or says in not_applicable why it has none")
        return self

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
    state: StageState = DONE
    reason: str = ""
    started: str = ""
    seconds: float | None = None
    made_of: Mapping = Field(default_factory=Mapping)
    outputs: Mapping = Field(default_factory=Mapping)
    summary: Mapping = Field(default_factory=Mapping)
    folder: str = ""
    planned: Mapping = Field(default_factory=Mapping)
    cost: Mapping = Field(default_factory=Mapping)
    results: tuple[ResultRecord, ...] = ()


class ClaimRecord(Config):
    """A registered claim. ``replaces`` is the hash of the one before it of the same name."""

    experiment: str
    name: str
    variant: str
    content: Mapping
    hash: str
    spec_hash: str
    registered: str
    after_results: bool
    replaces: str | None = None


class VerdictRecord(Config):
    """A verdict. The claim is named by its name, variant, hash and time of registration."""

    claim: str
    claim_variant: str
    claim_hash: str
    claim_registered: str = ""  # without it, the newest of that hash
    variant: str
    verdict: Annotated[str, _one_of(*VERDICTS)]
    statement: str
    effect: Annotated[Any, AfterValidator(_interval)] = None
    boundary: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    design: str
    n: Count
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

    size: Count
    content: str | None = None


class RunRecord(Config):
    """One run with its stages, results, claims, verdicts and what replaced it."""

    version: int = VERSION
    origin: str
    label: str  # what people call it: "demo-12", or the id in a table that is kept by hand
    name: str = ""
    variant: str = ""
    purpose: Annotated[str, _one_of(*PURPOSES)] = EXPLORATORY
    model: str = ""
    state: State = DONE  # as recorded; see `shown`
    reason: str = ""
    question: str = ""
    started: Moment
    beat: Moment | None = None
    ended: str | None = None
    seconds: float | None = None
    seed: Count = 0
    spec_hash: str = ""
    folder: str = ""
    commit_hash: str | None = None
    dirty: Annotated[int, Field(ge=0, le=1)] | None = None
    process: Mapping = Field(default_factory=Mapping)
    spec_path: str = ""
    spec_text: str = ""
    overrides: list[Any] = Field(default_factory=list[Any])
    resolved: Mapping = Field(default_factory=Mapping)
    versions: Mapping = Field(default_factory=Mapping)
    hardware: Mapping = Field(default_factory=Mapping)
    facts: Mapping = Field(default_factory=Mapping)
    planned: Mapping = Field(default_factory=Mapping)
    cost: Mapping = Field(default_factory=Mapping)
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
