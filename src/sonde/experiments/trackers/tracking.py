"""All trackers of a run together: the local file at once, the others on threads of their own."""

import os
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sonde.core.errors import SondeError
from sonde.experiments.cost.cost import Cost
from sonde.experiments.stage import Outcome
from sonde.experiments.trackers.courier import Courier
from sonde.experiments.trackers.json_lines import JsonLinesTracker
from sonde.experiments.trackers.naming import short_model, short_variant
from sonde.experiments.trackers.settings import (
    AnyTracker,
    MlflowSettings,
    TensorboardSettings,
    WandbSettings,
)
from sonde.experiments.trackers.tracker import RunFacts, Tracker
from sonde.experiments.trackers.values import (
    ProgressValues,
    Track,
    Values,
    cost_values,
    result_values,
    summary_values,
)

if TYPE_CHECKING:
    from sonde.experiments.spec import Planned, Specification

METRICS = "metrics"  # the folder beside the results' folders; nothing in it is hashed


class Tracking:
    """Follows one run. Nothing that goes wrong here ends it."""

    def __init__(
        self, trackers: Sequence[AnyTracker], facts: RunFacts, say: Callable[[str], None]
    ) -> None:
        self._say = say
        self._local: JsonLinesTracker | None = JsonLinesTracker()
        self._couriers = [Courier(one.kind, _tracker(one), say) for one in trackers]
        self._summary: Values = {}
        self._finished = False
        self._with_local(lambda local: local.begin(facts))
        for courier in self._couriers:
            courier.begin(facts)

    def track(self, stage: str) -> Track:
        """Return what a stage calls to have its own numbers followed."""

        def track(values: Mapping[str, float], step: int | None = None) -> None:
            self._log({f"{stage}/{name}": value for name, value in values.items()}, step)

        return track

    def progress(self, stage: str) -> ProgressValues:
        """Return the watcher of a stage's progress."""
        return ProgressValues(self.track(stage))

    def stage_ended(self, stage: str, outcome: Outcome, folder: Path, cost: Cost) -> None:
        """Follow what a stage found and took; results that belong to no layer sum the run up."""
        track = self.track(stage)
        try:
            for values, step in result_values(outcome, folder):
                track(values, step)
                if step is None:
                    self._summary |= {f"{stage}/{name}": it for name, it in values.items()}
        except Exception as error:  # whatever it is, the stage itself is done
            self._say(f"The results of {stage} are not followed ({error}). The run goes on.")
        track(summary_values(outcome) | cost_values(cost), None)

    def finish(self, state: str, seconds: float) -> None:
        """Close all trackers. A run that goes on after it ended is not followed any further."""
        if self._finished:
            return
        self._finished = True
        summary = {**self._summary, "seconds": seconds}
        self._with_local(lambda local: local.finish(summary, state))
        for courier in self._couriers:
            courier.finish(summary, state)

    def _log(self, values: Mapping[str, float], step: int | None) -> None:
        if not values or self._finished:
            return
        kept = dict(values)
        self._with_local(lambda local: local.log(kept, step))
        for courier in self._couriers:
            courier.log(kept, step)

    def _with_local(self, work: Callable[[JsonLinesTracker], None]) -> None:
        if self._local is None:
            return
        try:
            work(self._local)
        except (OSError, ValueError) as error:
            self._local = None
            self._say(f"The file of metrics cannot be written ({error}). The run goes on.")


def _tracker(settings: AnyTracker) -> Tracker:
    match settings:
        case WandbSettings():
            from sonde.experiments.trackers.weights_and_biases import WandbTracker

            return WandbTracker(settings)
        case TensorboardSettings():
            from sonde.experiments.trackers.tensorboard import TensorboardTracker

            return TensorboardTracker(settings)
        case MlflowSettings():
            from sonde.experiments.trackers.mlflow import MlflowTracker

            return MlflowTracker(settings)


def facts_of(planned: "Planned", run: int, root: Path) -> RunFacts:
    """Return what trackers are told of a variant's run; ``root`` is the experiment's folder."""
    experiment = planned.experiment
    return RunFacts(
        run=run,
        experiment=experiment.name,
        variant=short_variant(planned.changes),
        model=short_model(experiment.model.name) if experiment.model else "",
        folder=root / METRICS,
        question=experiment.question,
        purpose=experiment.purpose,
        config=experiment.model_dump(mode="json"),
    )


def tracker_problems(spec: "Specification") -> tuple[str, ...]:
    """Return what keeps the experiment's trackers from working, as sentences."""
    wanted = [one for planned in spec.variants for one in planned.experiment.track]
    problems: list[str] = []
    for settings in dict.fromkeys(wanted):
        if not _is_installed(settings.package):
            problems.append(
                f"track: {settings.kind} is not installed. Install the extra: pip install "
                f"'sonde[{settings.kind}]'."
            )
        elif isinstance(settings, WandbSettings):
            problems += _wandb_problems(settings)
    return tuple(dict.fromkeys(problems))


def check_trackers(spec: "Specification") -> None:
    """Refuse to begin with trackers that cannot work.

    Raises:
        SondeError: an extra is not installed, or Weights & Biases knows no key.
    """
    problems = tracker_problems(spec)
    if problems:
        raise SondeError(" ".join(problems))


def _is_installed(package: str) -> bool:
    # A folder that such a tracker leaves in the working directory looks like a package too, but
    # has no file of its own.
    found = find_spec(package)
    return found is not None and found.origin is not None


def _wandb_problems(settings: WandbSettings) -> list[str]:
    from sonde.experiments.trackers.weights_and_biases import is_logged_in

    mode = settings.mode or os.environ.get("WANDB_MODE") or "online"
    if mode != "online" or is_logged_in():
        return []
    return [
        "track: wandb knows no key for its server. Run `wandb login`, or write mode: offline to "
        "keep the run on disk for `wandb sync`."
    ]
