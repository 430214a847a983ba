"""Where a search is made: the model, the task, and the journal that it goes on from."""

from pathlib import Path
from typing import Any

from sonde.models.model import Model
from sonde.steering.answering import Session
from sonde.steering.journal import Journal
from sonde.steering.settings import SearchSettings
from sonde.steering.task import SteeringTask

JOURNAL = "journal.jsonl"


def open_session(
    model: Model,
    task: SteeringTask,
    settings: SearchSettings | None = None,
    *,
    folder: str | Path | None = None,
) -> Session:
    """Begin a search, or go on with the one whose journal lies in ``folder``.

    Without a folder nothing is written, and a stopped search starts again.

    Raises:
        SondeError: the folder holds the journal of a search of another model, task or way to
            generate.
    """
    chosen = settings or SearchSettings()
    path = None if folder is None else Path(folder) / JOURNAL
    return Session(model, task, chosen, Journal(path, _identity(model, task, chosen)))


def _identity(model: Model, task: SteeringTask, settings: SearchSettings) -> dict[str, Any]:
    """Say what every answer hangs on; the lengths of texts stand with each answer."""
    return {
        "journal": "steering",
        "model": described(model),
        "task": task.key,
        "generation": {
            name: getattr(settings, name)
            for name in ("temperature", "top_p", "seed", "template", "chunk")
        },
    }


def described(model: Model) -> dict[str, str]:
    """Return what identifies a model."""
    info = model.info
    return {
        "name": info.name,
        "revision": info.revision,
        "fingerprint": info.fingerprint,
        "dtype": info.dtype,
    }
