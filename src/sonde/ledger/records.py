"""What is written into the ledger and read out of it, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sonde.stats.interval import Interval

RUNNING, DONE, FAILED, SKIPPED = "running", "done", "failed", "skipped"
REUSED = "reused"  # a stage whose result an earlier run had left
INTERRUPTED = "interrupted"  # shown for a running run whose process is gone


@dataclass(frozen=True, slots=True)
class Measured:
    """One result: a number with its interval, its control and its baseline.

    ``units`` is the file in the stage's folder that holds the score of each independent unit.
    """

    name: str
    metric: str
    score: Interval
    control: Interval | None = None
    baseline: Interval | None = None
    units: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class RunStart:
    """What is known of a run when it begins."""

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


@dataclass(frozen=True, slots=True)
class StageStart:
    """What is known of a stage when its turn comes."""

    name: str
    kind: str
    key: str
    folder: str
    made_of: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class StageEnd:
    """How a stage ended."""

    state: str
    reason: str = ""
    seconds: float = 0.0
    outputs: Mapping[str, str] = field(default_factory=dict[str, str])
    summary: Mapping[str, Any] = field(default_factory=dict[str, Any])
    results: tuple[Measured, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A result as the ledger keeps it, with the stage it belongs to."""

    stage: str
    name: str
    metric: str
    score: Interval
    control: Interval | None
    baseline: Interval | None
    units: str
    note: str


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


@dataclass(frozen=True, slots=True)
class RunDetail:
    """Everything the ledger knows of a run: the columns of its row, its stages, its results."""

    run: Mapping[str, Any]
    stages: tuple[Mapping[str, Any], ...]
    results: tuple[ResultRow, ...]
