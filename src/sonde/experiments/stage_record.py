"""One running stage in the ledger: what it takes is measured until it ends, however it ends."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sonde.experiments.cost import Cost, Expected
from sonde.experiments.cost.stopwatch import Stopwatch
from sonde.experiments.folder import Done
from sonde.experiments.stage import Outcome
from sonde.experiments.trackers import Tracking
from sonde.ledger.records import DONE, StageEnd

if TYPE_CHECKING:
    from sonde.ledger.ledger import Ledger


@dataclass(slots=True)
class StageRecord:
    """A stage that has its row in the ledger and runs."""

    ledger: "Ledger"
    number: int  # of the stage's row
    name: str
    folder: Path
    expected: Expected
    stopwatch: Stopwatch
    tracking: Tracking
    cost: Cost | None = None  # once it has ended

    def done(self, done: Done, outcome: Outcome, seconds: float) -> Cost:
        """Record that the stage is finished, and what it took; return that."""
        self.cost = self.stopwatch.read(self.folder)
        self.ledger.end_stage(
            self.number,
            StageEnd(
                DONE,
                seconds=seconds,
                outputs=done.files,
                summary=done.summary,
                results=outcome.results,
                cost=self.cost.to_json(),
                folder=self.folder,
            ),
        )
        self.tracking.stage_ended(self.name, outcome, self.folder, self.cost)
        return self.cost

    def stopped(self, state: str, reason: str) -> None:
        """Record that the stage did not come to its end, and what it took until then."""
        self.cost = self.cost or self.stopwatch.read(self.folder)
        end = StageEnd(state, reason, self.cost.seconds, cost=self.cost.to_json())
        self.ledger.end_stage(self.number, end)
