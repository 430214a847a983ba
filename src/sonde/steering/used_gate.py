"""The gate of a search, as its results keep it."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sonde.core.base import Config

if TYPE_CHECKING:  # results are read and shown without torch
    from sonde.core.edits import Gate


@dataclass(frozen=True, slots=True, eq=False)
class UsedGate:
    """The gate of a search, and at what share of the tokens that could be steered it is open.

    ``open_share`` is of the unsteered answers, 0 to 1; NaN where no such token was written.
    """

    gate: "Gate"
    open_share: float

    def __str__(self) -> str:
        gate = self.gate
        said = f"where x · w + b > {float(gate.threshold):.4g} at {gate.hook}"
        if math.isnan(self.open_share):
            return said
        return f"{said}: at {self.open_share:.1%} of the unsteered answers' tokens"


class GateRecord(Config):
    """A gate as the file of a search has it: x · weight + bias > threshold."""

    hook: str
    weight: tuple[float, ...]
    bias: float
    threshold: float
    open_share: float | None

    @staticmethod
    def of(used: UsedGate) -> "GateRecord":
        """Describe a gate."""
        gate, share = used.gate, used.open_share
        return GateRecord(
            hook=str(gate.hook),
            weight=tuple(gate.weight.double().tolist()),
            bias=float(gate.bias),
            threshold=float(gate.threshold),
            open_share=None if math.isnan(share) else share,
        )

    def used(self) -> UsedGate:
        """Return the gate again."""
        import torch

        from sonde.core.edits import Gate
        from sonde.core.hooks import parse_hook_point

        weight = torch.tensor(self.weight, dtype=torch.float64)
        gate = Gate(parse_hook_point(self.hook), weight, self.bias, self.threshold)
        return UsedGate(gate, math.nan if self.open_share is None else self.open_share)
