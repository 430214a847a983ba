"""What new probes found before and after a concept was erased."""

from dataclasses import dataclass
from typing import Any

from sonde.core.hooks import HookPoint
from sonde.probes.control import Control
from sonde.probes.leace import Method
from sonde.probes.scored import Scored
from sonde.probes.settings import AnyProbeSettings
from sonde.probes.swept import FailedLayer
from sonde.stats.interval import Interval


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What a probe found out of fold: its score, and that of shuffled labels where asked for."""

    score: Interval
    control: Control | None
    scored: Scored


@dataclass(frozen=True, slots=True, eq=False)
class LayerErasure:
    """One hook point and position before and after erasure.

    ``same`` is a new probe fitted on the rows that the eraser was fitted on. A linear one finds
    nothing in them by the theorem, so this shows that the erasure is exact, and a network what is
    there that is not linear. ``apart`` is a new probe fitted on rows that the eraser has not seen,
    as a user of the eraser would meet them. ``lost`` is the score before minus that of ``apart``.
    """

    hook: HookPoint
    position: str
    before: Finding
    same: Finding
    apart: Finding
    lost: Interval
    chance: float

    @property
    def gone(self) -> bool:
        """Whether neither new probe is above chance: no interval lies wholly above it."""
        found = (self.same.score.low, self.apart.score.low)
        return not any(low > self.chance for low in found)


@dataclass(frozen=True, slots=True, eq=False)
class ErasureCheck:
    """New probes at every hook point and position, before and after erasure."""

    kind: str
    metric: str
    method: Method
    layers: tuple[LayerErasure, ...]
    labels: tuple[str, ...]
    n: int
    n_rows: int
    settings: AnyProbeSettings
    failed: tuple[FailedLayer, ...] = ()
    notes: tuple[str, ...] = ()

    def name_of(self, layer: LayerErasure) -> str:
        """Return the name of a layer's result: its hook point, and position if there are several.

        As in ``ProbeResults``.
        """
        several = len({one.position for one in self.layers}) > 1
        return f"{layer.hook} {layer.position}" if several else str(layer.hook)

    def table(self) -> list[dict[str, Any]]:
        """Return one row a layer."""
        return [
            {
                "hook": str(one.hook),
                "layer": one.hook.layer,
                "position": one.position,
                "before": one.before.score.value,
                "same rows": one.same.score.value,
                "other rows": one.apart.score.value,
                "low": one.apart.score.low,
                "high": one.apart.score.high,
                "chance": one.chance,
                "gone": one.gone,
                "n": one.apart.score.n,
            }
            for one in self.layers
        ]

    def __str__(self) -> str:
        lines = [
            f"{self.kind}, {self.metric} over {self.n} units in {self.n_rows} rows, before and "
            f"after {self.method} erasure:"
        ]
        lines += [
            f"  {one.hook} {one.position}: before {one.before.score}; after, eraser and probe on "
            f"the same rows {one.same.score}, on others {one.apart.score}; "
            + ("nothing found" if one.gone else f"still above chance ({one.chance:g})")
            for one in self.layers
        ]
        lines += [f"  failed    {it.hook} {it.position}: {it.reason}" for it in self.failed]
        return "\n".join([*lines, *(f"  note      {text}" for text in self.notes)])
