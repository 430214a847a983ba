"""How good a dictionary is on rows: every metric with its sums by unit, hence with intervals."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from sonde.activations.row_batches import RowBatch
from sonde.core.errors import SondeError, nearest
from sonde.core.hooks import parse_hook_point
from sonde.dictionaries import metrics_sums as of
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.metrics import DENSE
from sonde.dictionaries.metrics_sums import ReconstructionSums
from sonde.stats.scores import Scores

if TYPE_CHECKING:
    from sonde.stats.bootstrap import Bootstrap
    from sonde.stats.interval import Interval

PRE_ACTIVATIONS = 1 << 26  # numbers at once, rows times latents: 256 MiB in float32

UnitOf = Callable[[Int[Tensor, " row"]], Int[np.ndarray, " row"]]
Named = Callable[[Int[np.ndarray, " unit"]], np.ndarray]


def numbered(units: Int[np.ndarray, " unit"]) -> np.ndarray:
    """Return the numbers of units as their names."""
    return units.astype(str)


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """Metrics of a dictionary on rows, as ratios of sums by unit.

    ``by_target`` holds for each target ``variance_explained``, ``fvu``, ``fvu_prefix_<n>`` where
    there are several prefixes, ``norm_ratio``, ``reconstruction_bias`` and ``cosine``;
    ``of_latents`` holds ``l0`` and ``l1``. ``docs/reference/dictionary-metrics.md`` has the
    formulas. ``fired`` counts the rows in which each latent is active, of ``n_rows``.
    """

    by_target: Mapping[str, Mapping[str, Scores]]
    of_latents: Mapping[str, Scores]
    n_rows: int
    fired: Int[np.ndarray, " latent"]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all metrics."""
        return (*next(iter(self.by_target.values())), *self.of_latents)

    def parts(self, name: str) -> tuple[Scores, ...]:
        """Return a metric's scores: of each target, or of the latents.

        Raises:
            SondeError: there is no such metric.
        """
        if name not in self.names:
            raise SondeError(
                f"{name!r} is no metric of a dictionary.{nearest(name, self.names)}",
                fix=f"They are {', '.join(self.names)}.",
            )
        if name in self.of_latents:
            return (self.of_latents[name],)
        return tuple(scores[name] for scores in self.by_target.values())

    def value(self, name: str) -> float:
        """Return a metric; of several targets their mean, so that none counts for its scale.

        Raises:
            SondeError: there is no such metric.
        """
        return float(np.mean([one.value for one in self.parts(name)]))

    def interval(self, name: str, bootstrap: "Bootstrap | None" = None) -> "Interval":
        """Return a metric with its interval over units; of several targets, of their mean.

        Raises:
            SondeError: there is no such metric.
        """
        from sonde.stats.effects import combination, interval_of

        parts = self.parts(name)
        if len(parts) == 1:
            return interval_of(parts[0], bootstrap)
        return combination(parts, [1 / len(parts)] * len(parts), bootstrap).interval

    @property
    def dead(self) -> Int[np.ndarray, " some"]:
        """The latents that are active in none of the rows; more rows may show some of them."""
        return np.flatnonzero(self.fired == 0)

    @property
    def dense(self) -> Int[np.ndarray, " some"]:
        """The latents that are active in more than a tenth of the rows."""
        return np.flatnonzero(self.fired > DENSE * self.n_rows)


@torch.no_grad()
def quality(
    dictionary: Dictionary, batches: Iterable[RowBatch], unit_of: UnitOf | None = None
) -> Quality:
    """Measure a dictionary on rows that it was not trained on.

    ``unit_of`` gives the number of each row's document from its token; without it every row is
    taken for independent, which rows of one text are not.

    Raises:
        SondeError: there are no rows, they lack a hook point, or something is not finite.
    """
    architecture = dictionary.architecture
    sources = [parse_hook_point(one) for one in architecture.sources]
    targets = [parse_hook_point(one) for one in architecture.outputs]
    n_latents = architecture.d_sae * len(architecture.reaches)
    sums = ReconstructionSums(architecture.widths_out, len(architecture.prefixes), n_latents)
    like = dictionary.bias[0]
    for batch in batches:
        _check_hooks(batch, [*sources, *targets])
        unit = batch.token.cpu().numpy() if unit_of is None else unit_of(batch.token)
        size = max(1, PRE_ACTIVATIONS // architecture.d_sae)
        for start in range(0, len(batch), size):
            here = slice(start, start + size)
            rows = {hook: x[here].to(like.device) for hook, x in batch.tensors.items()}
            made = dictionary(*(rows[hook].to(like.dtype) for hook in sources))
            sums.add(made, [rows[hook] for hook in targets], unit[here])
    return quality_of(sums, architecture.outputs)


def quality_of(
    sums: ReconstructionSums, targets: Sequence[str], named: Named = numbered
) -> Quality:
    """Return the metrics of sums; units without rows are left out, and the others named.

    Raises:
        SondeError: nothing was added.
    """
    rows, l0, l1 = sums.latents.of(sums.n_units)
    there = rows > 0
    if not there.any():
        raise SondeError(
            "There are no rows to measure a dictionary on.",
            fix="Give more texts, or hold a larger part of them out.",
        )
    unit = named(np.flatnonzero(there))

    def scores(above: np.ndarray, below: np.ndarray) -> Scores:
        return Scores("ratio", unit, above[there], below[there])

    by_target: dict[str, dict[str, Scores]] = {}
    for name, one in zip(targets, sums.targets, strict=True):
        errors, variance = one.errors(sums.n_units), one.variance(rows)
        other = one.others(sums.n_units)
        found = {
            "variance_explained": scores(variance - errors[-1], variance),
            "fvu": scores(errors[-1], variance),
            "norm_ratio": scores(other[of.MADE_LENGTH], other[of.LENGTH]),
            "reconstruction_bias": scores(other[of.MADE], other[of.BOTH]),
            "cosine": scores(other[of.COSINE], rows),
        }
        for number in range(len(errors) if len(errors) > 1 else 0):
            found[f"fvu_prefix_{number + 1}"] = scores(errors[number], variance)
        by_target[name] = found
    of_latents = {"l0": scores(l0, rows), "l1": scores(l1, rows)}
    return Quality(by_target, of_latents, int(rows.sum()), sums.latents.fired)


def _check_hooks(batch: RowBatch, hooks: Sequence[object]) -> None:
    missing = [str(hook) for hook in hooks if hook not in batch.tensors]
    if missing:
        raise SondeError(
            f"A dictionary reads and writes {', '.join(missing)}, of which there are no rows.",
            fix=f"There are rows of {', '.join(map(str, batch.tensors))}.",
        )
