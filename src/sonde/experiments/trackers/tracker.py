"""The tracker protocol: begin with what a run is, log numbers, finish with how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a tracker is told of a run. ``folder`` is where it may keep files of its own."""

    run: int  # its number in the ledger
    experiment: str
    variant: str  # in short, for names: "layers5-seed1"; empty without a sweep
    model: str  # in short: "gemma-3-270m"; empty where none is used
    folder: Path
    question: str = ""
    purpose: str = ""
    config: Mapping[str, Any] | None = None  # the experiment as resolved, JSON values


class Tracker(Protocol):
    """Somewhere to follow the numbers of a run. Any method may fail; the run goes on without it.

    Names of values are ``<stage>/<what>``. A step belongs to its stage: tokens that were read, the
    layer of a result; None for what is measured once.
    """

    def begin(self, facts: RunFacts) -> None:
        """Open a run."""
        ...

    def log(self, values: Mapping[str, float], step: int | None) -> None:
        """Take some numbers of one step. NaN and infinities are numbers."""
        ...

    def finish(self, summary: Mapping[str, float], state: str) -> None:
        """Take the numbers that sum the run up, and close it; ``state`` is as in the ledger."""
        ...
