"""What a solver is prepared with: rows of some layers, what to predict of them, and their folds."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Layers of one width at one position, with their labels and folds.

    ``x`` are raw activations. ``y`` holds numbers, 0 and 1, class numbers or item numbers, as the
    kind of probe wants them: repetition 0 are the labels, the others their shuffles; several
    targets are predicted together (such as latitude and longitude). ``example`` numbers the
    example that a row is of; rows of one example follow one another in the order of its tokens.
    """

    x: Float[Tensor, "layer row d_model"]
    y: Float[Tensor, "row repetition target"]
    folds: Int[Tensor, " row"]
    example: Int[Tensor, " row"]

    @classmethod
    def plain(
        cls,
        x: Float[Tensor, "layer row d_model"],
        y: Float[Tensor, " row"] | Float[Tensor, "row repetition"],
        folds: Int[Tensor, " row"] | None = None,
    ) -> "Problem":
        """Take labels of one target, each row an example of its own; one fold if none are given."""
        rows = torch.arange(x.shape[1])
        y = y[:, None, None] if y.ndim == 1 else y[..., None]
        return cls(x, y, torch.zeros_like(rows) if folds is None else folds, rows)

    @property
    def n_folds(self) -> int:
        """How many folds there are."""
        return int(self.folds.max()) + 1

    def outside(self, left_out: Sequence[int]) -> Bool[Tensor, " row"]:
        """Mark the rows that lie in none of the folds ``left_out``."""
        wanted = torch.tensor(list(left_out), dtype=self.folds.dtype, device=self.folds.device)
        return ~torch.isin(self.folds, wanted)
