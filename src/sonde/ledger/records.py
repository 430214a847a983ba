"""What is written into the ledger and read out of it, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sonde.stats.interval import Interval

# States of runs and stages.
RUNNING, DONE, FAILED, SKIPPED = "running", "done", "failed", "skipped"
REUSED = "reused"  # a stage whose result an earlier run had left
INTERRUPTED = "interrupted"  # stopped by hand; also shown for a running run whose process is gone
RESOLVED = "resolved"  # shown for a run without a result that another run makes up for
SUPERSEDED = "superseded"  # shown for a done run that another run replaces
STATES = (RUNNING, DONE, FAILED, SKIPPED, INTERRUPTED, RESOLVED, SUPERSEDED)

# Purposes of runs. A smoke run may make no claim.
SMOKE, EXPLORATORY, CONFIRMATORY = "smoke", "exploratory", "confirmatory"
PURPOSES = (SMOKE, EXPLORATORY, CONFIRMATORY)

# Statuses of results. Those of a superseded run are shown as superseded.
REPRODUCED, NOVEL, INCONCLUSIVE = "reproduced", "novel", "inconclusive"
STATUSES = (REPRODUCED, NOVEL, INCONCLUSIVE, SUPERSEDED)

VERDICTS = ("confirmed", "refuted", "inconclusive", "partial")


@dataclass(frozen=True, slots=True)
class Against:
    """A control or a baseline of a result.

    ``series`` names its rows in the result's file of units; several (such as several shuffles of
    the labels) are averaged in ``score``.
    """

    score: Interval
    series: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """One result: a number with its interval, or the reason why there is none.

    ``metric`` is a name in ``stats.METRICS``, or ``kendall_tau``, which keeps no scores of single
    units. ``units`` is the Parquet file in the stage's folder that holds a row for each prediction,
    and ``series`` names this result's rows in it.
    """

    name: str  # "selected", "blocks.12.resid_post"
    metric: str
    score: Interval | None  # None: not applicable
    method: str = ""  # "logistic"
    controls: Mapping[str, Against] = field(default_factory=dict[str, Against])
    baselines: Mapping[str, Against] = field(default_factory=dict[str, Against])
    units: str = ""
    series: str = ""
    note: str = ""
    not_applicable: str = ""  # the reason, where score is None


@dataclass(frozen=True, slots=True)
class RunStart:
    """What is known of a run when it begins. ``facts`` are columns of one's own, in words."""

    name: str
    variant: str
    question: str
    seed: int
    spec_path: str
    spec_text: str
    overrides: tuple[str, ...]
    resolved: Mapping[str, Any]
    spec_hash: str
    folder: str
    commit_hash: str | None = None
    dirty: bool | None = None
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    hardware: Mapping[str, Any] = field(default_factory=dict[str, Any])
    purpose: str = EXPLORATORY
    facts: Mapping[str, str] = field(default_factory=dict[str, str])  # "model", "data", …
    planned: Mapping[str, Any] = field(default_factory=dict[str, Any])  # estimates


@dataclass(frozen=True, slots=True)
class StageStart:
    """What is known of a stage when its turn comes."""

    name: str
    kind: str
    key: str
    folder: str
    made_of: Mapping[str, Any] = field(default_factory=dict[str, Any])
    planned: Mapping[str, Any] = field(default_factory=dict[str, Any])  # estimates


@dataclass(frozen=True, slots=True)
class StageEnd:
    """How a stage ended. The files of units that results name are read from ``folder``."""

    state: str
    reason: str = ""
    seconds: float = 0.0
    outputs: Mapping[str, str] = field(default_factory=dict[str, str])
    summary: Mapping[str, Any] = field(default_factory=dict[str, Any])
    results: tuple[Measured, ...] = ()
    cost: Mapping[str, Any] = field(default_factory=dict[str, Any])
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """What a result is, beside what was known: reproduced, novel, inconclusive or superseded."""

    stage: str
    result: str
    status: str
    why: str = ""
    reference: Mapping[str, Any] | None = None  # value, tolerance and source it was held against


@dataclass(frozen=True, slots=True)
class ClaimStart:
    """A claim to be registered. ``hash`` is of what decides it; ``after_results`` if too late."""

    experiment: str
    name: str
    content: Mapping[str, Any]
    hash: str
    spec_hash: str
    after_results: bool
    variant: str = ""
    purpose: str = EXPLORATORY  # of the experiment; smoke is refused


@dataclass(frozen=True, slots=True)
class Registration:
    """A registered claim. ``replaces`` is an earlier one of the same name that said otherwise."""

    id: int
    experiment: str
    name: str
    hash: str
    registered: str  # UTC, ISO 8601
    content: Mapping[str, Any]
    spec_hash: str
    after_results: bool
    replaces: int | None
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run said of a registered claim."""

    claim: int  # the registration's id
    variant: str
    verdict: str  # confirmed, refuted, inconclusive or partial
    statement: str
    effect: Interval | None
    boundary: float | None
    p: float | None
    p_adjusted: float | None
    design: str
    n: int
    why: str  # one sentence with the numbers
    advice: str  # what would decide
    inputs: str  # hash of the keys of the stages it was judged on
    post_hoc: bool


@dataclass(frozen=True, slots=True)
class VerdictRow(Verdict):
    """A verdict as the ledger keeps it, with the run that gave it and the claim's name."""

    id: int
    run: int
    experiment: str
    name: str
    recorded: str  # UTC, ISO 8601


@dataclass(frozen=True, slots=True)
class Supersession:
    """That one run replaces another, or makes up for it, and why."""

    old: int
    new: int
    why: str
    recorded: str  # UTC, ISO 8601


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A result as the ledger keeps it, with the stage it belongs to."""

    id: int
    stage: str
    name: str
    metric: str
    score: Interval | None
    method: str
    controls: Mapping[str, Against]
    baselines: Mapping[str, Against]
    units: str
    units_hash: str  # SHA-256 of the file of units; empty where none was kept
    series: str
    note: str
    not_applicable: str
    status: str = ""
    status_why: str = ""
    reference: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to list; what is None does not matter. ``*`` stands for any text."""

    name: str | None = None  # "news-*"
    state: str | None = None  # as shown
    purpose: str | None = None
    model: str | None = None  # "*gemma*"
    text: str | None = None  # somewhere in the question, a reason or a note; case is ignored
    since: str | None = None  # started on this day or at this time (UTC, ISO 8601) or later
    until: str | None = None  # started before the end of this day, or by this time


@dataclass(frozen=True, slots=True)
class RunRow:
    """One line of ``sonde ledger list``."""

    id: int
    name: str
    variant: str
    state: str
    reason: str
    started: str
    seconds: float | None
    headline: str  # the first result in words, empty without one
    purpose: str = EXPLORATORY
    model: str = ""
    value: float | None = None  # the first result's
    replaced_by: int | None = None  # the run that supersedes or resolves it


@dataclass(frozen=True, slots=True)
class RunDetail:
    """Everything the ledger knows of a run.

    ``run`` and ``stages`` are the columns of their rows (among them what was planned and what it
    cost), ``claims`` the registered claims of the run's experiment, ``verdicts`` those of the run.
    """

    run: Mapping[str, Any]
    stages: tuple[Mapping[str, Any], ...]
    results: tuple[ResultRow, ...]
    claims: tuple[Registration, ...] = ()
    verdicts: tuple[VerdictRow, ...] = ()
    supersessions: tuple[Supersession, ...] = ()
