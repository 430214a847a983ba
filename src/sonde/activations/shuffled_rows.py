"""Which rows a dictionary is not given: attention sinks, and rows with NaN or Inf.

A sink is found by its norm, not by its token: it is a row whose norm at any of the hook points is
at least ``sink_ratio`` times the median norm there. The medians are measured once, on the first
chunks or shards, and hold from then on, so that what is left out does not hang on when.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint

SPARE = 1.25, 1 / 512  # what rounds hold back: this often the share left out, and this on top


@dataclass(frozen=True, slots=True)
class RowLimits:
    """The norm from which a row is a sink, at each hook point, and the share that is left out.

    ``left_out`` is that of the rows they were measured on, separators included where those give
    no rows.
    """

    sink_norm: Mapping[HookPoint, float]
    left_out: float

    @property
    def spare(self) -> float:
        """The share of its rows that a round is not asked for, in [0, 1)."""
        times, more = SPARE
        return min(0.9, times * self.left_out + more) if self.sink_norm or self.left_out else 0.0


def row_norms(x: Float[Tensor, "row *width"]) -> Float[Tensor, " row"]:
    """Return each row's Euclidean norm in float32; NaN or Inf where an entry is."""
    return torch.linalg.vector_norm(x.flatten(1), dim=1, dtype=torch.float32)


def row_limits(
    pieces: Iterable[tuple[Mapping[HookPoint, Tensor], Bool[Tensor, " row"]]],
    sink_ratio: float | None,
) -> RowLimits:
    """Measure from which norm rows are sinks: ``sink_ratio`` times the median norm.

    ``pieces`` are rows, ``[row, d_model]`` at each hook point, and which of them count at all.

    Raises:
        SondeError: none of the rows is finite.
    """
    found: dict[HookPoint, list[Tensor]] = {}
    counted: list[Tensor] = []
    for tensors, counts in pieces:
        counted.append(counts)
        for hook, x in tensors.items():
            found.setdefault(hook, []).append(row_norms(x))
    norms = {hook: torch.cat(each) for hook, each in found.items()}
    counts = torch.cat(counted)
    for norm in norms.values():
        counts = counts & norm.isfinite()
    if not bool(counts.any()):
        raise SondeError(
            "None of the first rows can be used: all hold NaN or Inf, or are separators.",
            fix="Check the model with `sonde doctor`, or load it with dtype=float32.",
        )
    if sink_ratio is None:
        return RowLimits({}, 1 - float(counts.double().mean()))
    medians = {hook: float(norm[counts].median()) for hook, norm in norms.items()}
    limits = {hook: sink_ratio * one if one else float("inf") for hook, one in medians.items()}
    kept = counts
    for hook, norm in norms.items():
        kept = kept & (norm < limits[hook])
    return RowLimits(limits, 1 - float(kept.double().mean()))


def kept_rows(
    tensors: Mapping[HookPoint, Tensor],
    counts: Bool[Tensor, " row"],
    limits: RowLimits,
    counter: Counter[str],
) -> Bool[Tensor, " row"]:
    """Mark the rows to keep among those that count, and count the others by reason."""
    finite = kept = counts
    for hook, x in tensors.items():
        norm = row_norms(x).to(counts.device)
        finite = finite & norm.isfinite()
        kept = kept & (norm < limits.sink_norm.get(hook, float("inf")))
    kept = kept & finite
    read, there, whole, left = (int(one.sum()) for one in (counts | True, counts, finite, kept))
    counter.update(
        {
            "read": read,
            "separator": read - there,
            "non-finite": there - whole,
            "sink": whole - left,
            "kept": left,
        }
    )
    return kept


def refuse_nonfinite(counter: Mapping[str, int], limit: float, of: str = "rows") -> None:
    """Refuse rows of which too many are not finite; ``of`` says which they are.

    Raises:
        SondeError: more than the share ``limit`` of them hold NaN or Inf.
    """
    found, read = counter["non-finite"], counter["read"]
    if found > limit * read:
        raise SondeError(
            f"{found:,} of {read:,} {of} hold NaN or Inf, more than max_nonfinite = {limit:g} "
            "allows.",
            fix="Load the model with dtype=float32 (or bfloat16), check its weights with `sonde "
            "doctor`, or raise max_nonfinite to drop such rows.",
        )
