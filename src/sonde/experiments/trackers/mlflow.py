"""The tracker for MLflow: a server, or its store of files."""

import os
import re
import time
from collections.abc import Mapping
from typing import Any, cast

from sonde.core.files import canonical_json
from sonde.experiments.trackers.naming import run_name
from sonde.experiments.trackers.settings import MlflowSettings
from sonde.experiments.trackers.tracker import RunFacts

STATUS = {"done": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
LONGEST = 500  # characters of a parameter that every version takes
# Newer versions of MLflow want to be asked for files by this variable besides the address.
ALLOW_FILES = "MLFLOW_ALLOW_FILE_STORE"
AT_ONCE = 100  # parameters, and numbers, of one request


class MlflowTracker:
    """A run of MLflow, opened through a client of its own: no global run is touched."""

    def __init__(self, settings: MlflowSettings) -> None:
        self._settings = settings
        self._client: Any = None
        self._run = ""

    def begin(self, facts: RunFacts) -> None:
        """Open a run in the experiment, which is made if it is not there."""
        from mlflow.tracking import MlflowClient  # pyright: ignore[reportMissingImports]

        settings = self._settings
        uri = settings.uri or os.environ.get("MLFLOW_TRACKING_URI")
        uri = uri or (facts.folder / "mlruns").as_uri()
        if "://" not in uri or uri.startswith("file:"):
            os.environ.setdefault(ALLOW_FILES, "true")
        self._client = MlflowClient(tracking_uri=uri)
        name = settings.experiment or facts.experiment
        found = self._client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self._client.create_experiment(name)
        tags = {
            "group": settings.group or facts.experiment,
            "variant": facts.variant,
            "purpose": facts.purpose,
            "ledger_run": str(facts.run),
            "mlflow.note.content": facts.question,
        }
        run = self._client.create_run(
            experiment,
            tags={name: value for name, value in tags.items() if value},
            run_name=run_name(settings.name, facts),
        )
        self._run = run.info.run_id
        self._log_parameters(facts)

    def log(self, values: Mapping[str, float], step: int | None) -> None:
        """Hand on the numbers of one step."""
        from mlflow.entities import Metric  # pyright: ignore[reportMissingImports]

        now = int(time.time() * 1000)
        metrics = [Metric(_name(name), value, now, step or 0) for name, value in values.items()]
        for start in range(0, len(metrics), AT_ONCE):
            self._client.log_batch(self._run, metrics=metrics[start : start + AT_ONCE])

    def finish(self, summary: Mapping[str, float], state: str) -> None:
        """Hand on the summary, and close the run."""
        self.log({f"summary/{name}": value for name, value in summary.items()}, None)
        self._client.set_terminated(self._run, status=STATUS.get(state, "FAILED"))

    def _log_parameters(self, facts: RunFacts) -> None:
        from mlflow.entities import Param  # pyright: ignore[reportMissingImports]

        found = [
            Param(_name(key), _shortened(value)) for key, value in _flat(facts.config or {}, "")
        ]
        for start in range(0, len(found), AT_ONCE):
            self._client.log_batch(self._run, params=found[start : start + AT_ONCE])


def _flat(value: Any, path: str) -> list[tuple[str, Any]]:
    """Return the values inside mappings by dotted path; lists are values."""
    if isinstance(value, Mapping) and value:
        items = cast("Mapping[str, Any]", value).items()
        return [pair for key, item in items for pair in _flat(item, f"{path}.{key}")]
    return [(path.lstrip("."), value)]


def _shortened(value: Any) -> str:
    text = value if isinstance(value, str) else canonical_json(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _name(text: str) -> str:
    """Return a name with only the characters that MLflow takes."""
    return re.sub(r"[^\w\-. /]", "_", text)
