"""The tracker for Weights & Biases."""

import os
from collections.abc import Mapping
from typing import Any

from sonde.experiments.trackers.naming import run_name
from sonde.experiments.trackers.settings import WandbSettings
from sonde.experiments.trackers.tracker import RunFacts

PROJECT = "sonde"
PRIMARY = "balanced_accuracy"  # what W&B keeps the best of, wherever there are two classes


class WandbTracker:
    """A run of Weights & Biases: grouped by experiment, with a name that says what it is.

    A stage's numbers are drawn over its own step (``acts/step`` are tokens, ``probe/step`` layers),
    because W&B's own step only counts calls.
    """

    def __init__(self, settings: WandbSettings) -> None:
        self._settings = settings
        self._run: Any = None
        self._stages: set[str] = set()

    def begin(self, facts: RunFacts) -> None:
        """Open a run."""
        import wandb  # pyright: ignore[reportMissingImports]

        settings = self._settings
        facts.folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=settings.project or os.environ.get("WANDB_PROJECT") or PROJECT,
            entity=settings.entity,
            group=settings.group or facts.experiment,
            name=run_name(settings.name, facts),
            notes=facts.question or None,
            job_type=facts.purpose or None,
            tags=list(settings.tags) or None,
            mode=settings.mode,
            dir=str(facts.folder),
            config={**(facts.config or {}), "ledger_run": facts.run},
            reinit="create_new",  # a sweep opens one after another
            settings=wandb.Settings(console="off", silent=True),
        )

    def log(self, values: Mapping[str, float], step: int | None) -> None:
        """Hand on the numbers of one step."""
        row: dict[str, Any] = dict(values)
        for stage in {name.partition("/")[0] for name in values}:
            self._define(stage)
            if step is not None:
                row[f"{stage}/step"] = step
        self._run.log(row)

    def finish(self, summary: Mapping[str, float], state: str) -> None:
        """Hand on the summary, and close the run."""
        self._run.summary.update({**summary, "state": state})
        self._run.finish(exit_code=0 if state == "done" else 1)

    def _define(self, stage: str) -> None:
        if stage in self._stages:
            return
        self._stages.add(stage)
        step = f"{stage}/step"
        self._run.define_metric(step, hidden=True)
        self._run.define_metric(f"{stage}/*", step_metric=step)
        self._run.define_metric(f"{stage}/{PRIMARY}", step_metric=step, summary="max")


def is_logged_in() -> bool:
    """Whether a key for the server is at hand, in the environment or in netrc."""
    import netrc
    from urllib.parse import urlsplit

    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
