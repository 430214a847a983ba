"""What training begins with: scales, variances and biases from the first rows of its source."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.activations.row_batches import RowSource
from sonde.activations.row_statistics import statistics_of_rows
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, parse_hook_point
from sonde.dictionaries.geometric_median import geometric_median

FIRST = 2_048  # rows that are kept for decoders to start from


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Of each hook point: scale, and of scaled rows the centre and the total variance.

    ``scale`` brings the mean norm to the square root of the width; ``variance`` is the sum of the
    coordinates' variances. ``first`` are some rows, scaled; none where training goes on.
    """

    scale: Mapping[HookPoint, float]
    variance: Mapping[HookPoint, float]
    centre: Mapping[HookPoint, Float[Tensor, " d_model"]]
    first: Mapping[HookPoint, Float[Tensor, "row d_model"]] = field(default_factory=dict)

    def scaled(
        self, tensors: Mapping[HookPoint, Float[Tensor, "row d_model"]]
    ) -> dict[HookPoint, Float[Tensor, "row d_model"]]:
        """Return rows in float32, scaled."""
        return {hook: x.float() * self.scale[hook] for hook, x in tensors.items()}

    @classmethod
    def of_facts(cls, facts: Mapping[str, Mapping[str, float]]) -> "Start":
        """Return what ``facts`` told: scales and variances, for a training that goes on."""
        scale, variance = (
            {parse_hook_point(hook): one for hook, one in facts[name].items()}
            for name in ("scale", "variance")
        )
        return cls(scale, variance, {})

    def facts(self) -> dict[str, dict[str, float]]:
        """Return scales and variances by the names of hook points."""
        return {
            "scale": {str(hook): one for hook, one in self.scale.items()},
            "variance": {str(hook): one for hook, one in self.variance.items()},
        }


def start_of(source: RowSource, bias: str) -> Start:
    """Take scales and centres from the first rows of a source.

    ``bias`` says which centre: ``geometric_median``, ``mean`` or ``zero``.

    Raises:
        SondeError: all rows at a hook point are the same, or one holds NaN or Inf.
    """
    rows = source.first_rows()
    scale: dict[HookPoint, float] = {}
    variance: dict[HookPoint, float] = {}
    centre: dict[HookPoint, Tensor] = {}
    first: dict[HookPoint, Tensor] = {}
    for hook, width in source.widths.items():
        x = rows.tensors[hook].float()
        if not bool(x.isfinite().all()):
            raise SondeError(
                f"Of the {len(x):,} first rows at {hook} some hold NaN or Inf.",
                fix="Look at what is read there with `sonde doctor`.",
            )
        found = statistics_of_rows(x)
        norm, spread = found.mean_norm, found.total_variance
        if bool((x == x[0]).all()):
            raise SondeError(
                f"All {len(x):,} first rows at {hook} are the same, so there is nothing to learn.",
                fix="Look at what is read there with `sonde doctor`.",
            )
        scale[hook] = math.sqrt(width) / norm
        variance[hook] = spread * scale[hook] ** 2
        first[hook] = x[:FIRST] * scale[hook]
        centre[hook] = _centre(x * scale[hook], found.mean * scale[hook], bias)
    return Start(scale, variance, centre, first)


def _centre(x: Float[Tensor, "row d"], mean: Float[Tensor, " d"], bias: str) -> Float[Tensor, " d"]:
    if bias == "geometric_median":
        return geometric_median(x)
    return mean if bias == "mean" else torch.zeros_like(mean)
