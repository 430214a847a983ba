"""The tracker for TensorBoard: one folder of event files a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sonde.core.files import canonical_json
from sonde.experiments.trackers.naming import file_name, run_name
from sonde.experiments.trackers.settings import TensorboardSettings
from sonde.experiments.trackers.tracker import RunFacts


class TensorboardTracker:
    """Writes ``<folder>/<group>/<run's name>-<number>``, the group being a folder as well."""

    def __init__(self, settings: TensorboardSettings) -> None:
        self._settings = settings
        self._writer: Any = None

    def begin(self, facts: RunFacts) -> None:
        """Open an event file."""
        from torch.utils.tensorboard import SummaryWriter  # pyright: ignore[reportMissingImports]

        settings = self._settings
        base = (
            Path(settings.folder).expanduser() if settings.folder else facts.folder / "tensorboard"
        )
        group = file_name(settings.group or facts.experiment)
        name = file_name(f"{run_name(settings.name, facts)}-{facts.run}")
        self._writer = SummaryWriter(str(base / group / name))
        self._writer.add_text("question", facts.question or "(none)")
        self._writer.add_text("experiment", f"```json\n{canonical_json(facts.config or {})}\n```")

    def log(self, values: Mapping[str, float], step: int | None) -> None:
        """Write the numbers of one step."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, 0 if step is None else step)
        self._writer.flush()

    def finish(self, summary: Mapping[str, float], state: str) -> None:
        """Write the summary, and close the file."""
        for name, value in summary.items():
            self._writer.add_scalar(f"summary/{name}", value, 0)
        self._writer.add_text("state", state)
        self._writer.close()
