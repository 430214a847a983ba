"""A part of some activations: the rows of some examples, and why the others are left out."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sonde.activations.activations import Activations, RowTable, Skipped
from sonde.activations.origin import Origin
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint


@dataclass(frozen=True, slots=True, eq=False)
class Subset:
    """Some rows of other activations; ``skipped`` has the examples that were left out too.

    ``at`` restricts the hook points; None keeps all.
    """

    whole: Activations
    index: np.ndarray  # int64 [row]
    skipped: tuple[Skipped, ...]
    at: tuple[HookPoint, ...] | None = None

    def __len__(self) -> int:
        return len(self.index)

    @property
    def hooks(self) -> tuple[HookPoint, ...]:
        """The hook points, in the order of the forward pass."""
        return self.whole.hooks if self.at is None else self.at

    @property
    def rows(self) -> RowTable:
        """The row table."""
        rows = self.whole.rows
        return RowTable(*(getattr(rows, field.name)[self.index] for field in fields(RowTable)))

    @property
    def origin(self) -> Origin:
        """Where the activations come from."""
        return self.whole.origin

    @property
    def truncated(self) -> int:
        """How many examples of the whole were shortened."""
        return self.whole.truncated

    def tensor(self, hook: HookPoint | str) -> Float[Tensor, "row ..."]:
        """Return the activations at one hook point, ``[row, d_model]``."""
        return self.whole.tensor(hook)[torch.from_numpy(self.index)]


def in_common(acts: Activations, others: Mapping[str, Activations]) -> Activations:
    """Keep the examples that others have too, so that models are compared on equal items.

    An example that is left out is listed in ``skipped`` with its reason: what extraction gave
    elsewhere (``too long in instruct``), or ``not in instruct``.

    Args:
        acts: the activations to take a part of.
        others: activations that must have the examples, by the name that a reason shows.

    Raises:
        SondeError: no example is left.
    """
    kept = np.ones(len(acts), bool)
    lost: dict[str, str] = {}
    for name, other in others.items():
        here = np.isin(acts.rows.example, other.rows.example)
        skipped = {one.example: one.reason for one in other.skipped}
        for example in dict.fromkeys(acts.rows.example[kept & ~here].tolist()):
            reason = skipped.get(example)
            lost[example] = f"{reason} in {name}" if reason else f"not in {name}"
        kept &= here
    if not lost:
        return acts
    if not kept.any():
        raise SondeError(
            f"None of the {len(lost):,} examples is in {' and in '.join(others)} too.",
            fix="Extract the same data, so that ids match.",
        )
    left_out = tuple(Skipped(example, reason) for example, reason in lost.items())
    return Subset(acts, np.flatnonzero(kept), (*acts.skipped, *left_out))
