"""What is followed of a stage: how far it has come, what it found, what it took."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, parse_hook_point
from sonde.core.progress import Step
from sonde.experiments.cost.cost import Cost
from sonde.experiments.stage import Outcome
from sonde.ledger.records import Measured

Values = dict[str, float]
Track = Callable[[Mapping[str, float], int | None], None]

EVERY = 2.0  # seconds between two numbers of progress
TWO_CLASSES = ("auroc", "balanced_accuracy", "accuracy")


class ProgressValues:
    """Turns steps of progress into ``tokens``, ``tokens_per_second`` and ``share``, now and then.

    Speed is that since the numbers before. The last step of all is always told.
    """

    def __init__(self, track: Track, every: float = EVERY) -> None:
        self._track = track
        self._every = every
        self._told: dict[str, tuple[float, int]] = {}

    def __call__(self, step: Step) -> None:
        """Take one step."""
        now = time.monotonic()
        before = self._told.setdefault(step.label, (now, step.done))
        elapsed = now - before[0]
        if elapsed < self._every and step.done < step.total:
            return
        self._told[step.label] = (now, step.done)
        values = {step.unit: step.done, "share": step.done / max(1, step.total)}
        if elapsed > 0 and step.done > before[1]:
            values[f"{step.unit}_per_second"] = (step.done - before[1]) / elapsed
        self._track(values, step.done)


def result_values(outcome: Outcome, folder: Path) -> Iterator[tuple[Values, int | None]]:
    """Yield the numbers of each result: over the layer where it belongs to one, else by its name.

    Where there are two classes, the balanced accuracy comes first whatever the result's own metric
    is, and the four counts of the confusion matrix follow, from the rows in the file of units.
    """
    places = {result.name: _place(result.name) for result in outcome.results}
    known = [place for place in places.values() if place is not None]
    several_sites = len({hook.site for hook, _ in known}) > 1
    several_positions = len({position for _, position in known}) > 1
    for result in outcome.results:
        if result.score is None:
            continue
        place = places[result.name]
        parts, step = [result.name], None
        if place is not None:
            hook, position = place
            step = hook.layer
            parts = [str(hook.site)] * several_sites + [position] * several_positions
        prefix = "".join(f"{part}/" for part in parts)
        values = {**_two_classes(result, folder), **_score(result)}
        yield {f"{prefix}{name}": value for name, value in values.items()}, step


def summary_values(outcome: Outcome) -> Values:
    """Return the plain numbers of a stage's summary: rows, examples, counts."""
    return {
        name: float(value)
        for name, value in outcome.summary.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def cost_values(cost: Cost) -> Values:
    """Return what a stage took; what was not reported is left out."""
    found: dict[str, float | None] = {
        "seconds": cost.seconds,
        "device_seconds": cost.device_seconds,
        "memory_bytes": float(max(cost.device_memory.values(), default=cost.memory)),
        "disk_bytes": float(cost.disk),
        "joules": cost.joules,
        "dollars": cost.dollars,
    }
    return {f"cost/{name}": value for name, value in found.items() if value is not None}


def _place(name: str) -> tuple[HookPoint, str] | None:
    """Read a result's name as a hook point and perhaps a position; None for other names."""
    hook, _, position = name.partition(" ")
    try:
        return parse_hook_point(hook), position
    except SondeError:
        return None


def _score(result: Measured) -> Values:
    assert result.score is not None
    score, metric = result.score, result.metric
    against = {**result.controls, **result.baselines}
    return {
        metric: score.value,
        f"{metric}_low": score.low,
        f"{metric}_high": score.high,
        **{f"{metric}_{_key(name)}": one.score.value for name, one in against.items()},
    }


def _two_classes(result: Measured, folder: Path) -> Values:
    if result.metric not in TWO_CLASSES or not (result.units and result.series):
        return {}
    from sonde.ledger.units import read_scores
    from sonde.stats.metrics import balanced_accuracy

    scores = read_scores(folder / result.units, result.series, result.metric)
    assert scores.truth is not None
    positive, said = scores.truth > 0.5, scores.predicted > 0
    return {
        "balanced_accuracy": float(balanced_accuracy(scores.truth, scores.predicted)),
        "true_positives": float((positive & said).sum()),
        "false_positives": float((~positive & said).sum()),
        "true_negatives": float((~positive & ~said).sum()),
        "false_negatives": float((positive & ~said).sum()),
    }


def _key(name: str) -> str:
    return name.replace(" ", "_")
