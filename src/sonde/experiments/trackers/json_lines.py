"""The tracker that is always there: one JSON Lines file a run, readable while it grows."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from sonde.core.files import jsonable
from sonde.experiments.trackers.tracker import RunFacts


class JsonLinesTracker:
    """Writes ``<folder>/<run>.jsonl``: a line for the beginning, one a step, one for the end.

    JSON has no NaN and no infinities; they are null. Lines are added to a file that is there, as
    two ledgers number their runs alike.
    """

    def __init__(self) -> None:
        self._file: TextIO | None = None

    def begin(self, facts: RunFacts) -> None:
        """Open the file."""
        facts.folder.mkdir(parents=True, exist_ok=True)
        self._file = path_of(facts).open("a", encoding="utf-8")
        self._write(
            "begin",
            run=facts.run,
            experiment=facts.experiment,
            variant=facts.variant,
            model=facts.model,
            purpose=facts.purpose,
        )

    def log(self, values: Mapping[str, float], step: int | None) -> None:
        """Write one line."""
        self._write("log", step=step, values=dict(values))

    def finish(self, summary: Mapping[str, float], state: str) -> None:
        """Write the last line."""
        self._write("finish", state=state, summary=dict(summary))
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, event: str, **content: Any) -> None:
        if self._file is None:
            return
        line = {"event": event, "time": datetime.now(UTC).isoformat(timespec="milliseconds")}
        self._file.write(json.dumps(jsonable(line | content), ensure_ascii=False) + "\n")
        self._file.flush()


def path_of(facts: RunFacts) -> Path:
    """Return the file of a run."""
    return facts.folder / f"{facts.run}.jsonl"
