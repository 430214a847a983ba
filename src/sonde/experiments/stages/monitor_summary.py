"""What a monitor says in its table: mean projections, and their changes by steering."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sonde.experiments.stages.steer_results import PROMPT, UNSTEERED

if TYPE_CHECKING:
    from sonde.stats.interval import Interval
    from sonde.steering.projections import Projections

BY = ", read by "


def read_by(name: str, model: str) -> str:
    """Return what texts are called that a second model reads: ``unsteered, read by base``."""
    return f"{name}{BY}{model.rsplit('/', maxsplit=1)[-1]}"


def is_steered(name: str) -> bool:
    """Whether texts of this name were written while a vector steered."""
    return name.split(BY, maxsplit=1)[0] not in (UNSTEERED, PROMPT)


def monitor_summary(
    read: "Mapping[str, Projections]", along: Sequence[str], stage: str
) -> dict[str, Any]:
    """Return the mean projection of generated tokens, and its change, in typical norms.

    Steered texts are held against the unsteered ones, texts that a second model reads against the
    first one's reading of the same. ``stage`` is that of the vectors.
    """
    rows: list[list[Any]] = []
    means: dict[str, dict[str, float | None]] = {}
    for name, found in read.items():
        values = found.means()
        units = [one.typical_norm or math.nan for one in found.vectors]
        mean = (values.mean(axis=0) / units).tolist()
        means[name] = {
            vector: value if math.isfinite(value) else None
            for vector, value in zip(along, mean, strict=True)
        }
        before = read.get(name.split(BY)[0] if BY in name else UNSTEERED)
        changes = found.minus(before) if before is not None and before is not found else None
        for at, vector in enumerate(along):
            change = "–" if changes is None else _change(changes[at].interval, units[at])
            rows.append([name, vector, _signed(mean[at]), change])
    return {
        "table": {
            "title": "Projections of generated tokens",
            "columns": ["steered by", "projected on", "mean", "change"],
            "rows": rows,
            "note": _note(stage, second=any(BY in name for name in read)),
        },
        "means": means,
    }


def _note(stage: str, *, second: bool) -> str:
    against = "changes from the unsteered answers to the same questions"
    if second:
        against += ", of a second model from the first one's reading of the same text"
    return (
        f"Vectors of the stage {stage}. In typical norms of the vector's layer; means over "
        f"answers, {against}. What a vector adds at its own layer counts."
    )


def _signed(value: float) -> str:
    return f"{value:+.3f}" if math.isfinite(value) else "–"


def _change(found: "Interval", unit: float) -> str:
    """Write a change in typical norms; where no answer's differs there is no interval."""
    value, low, high = (end / unit for end in (found.value, found.low, found.high))
    if math.isnan(value):
        return "–"
    return f"{value:+.3f}" + ("" if math.isnan(low) else f" [{low:+.3f}, {high:+.3f}]")
