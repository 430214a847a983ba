"""Activations with their rows: the value that extraction gives and probes take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sonde.activations.origin import Origin
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, parse_hook_point


@dataclass(frozen=True, slots=True)
class RowTable:
    """One entry for each row of the activations, all arrays of equal length.

    ``token`` is the index of the token in its example (the last one where several were pooled),
    ``n_tokens`` how many were pooled, ``start`` and ``end`` the span of characters in the rendered
    text (-1 where unknown), ``group`` the empty string where there is none.
    """

    example: np.ndarray  # str
    position: np.ndarray  # str
    token: np.ndarray  # int32
    token_id: np.ndarray  # int32
    n_tokens: np.ndarray  # int32
    start: np.ndarray  # int32
    end: np.ndarray  # int32
    group: np.ndarray  # str

    def __len__(self) -> int:
        return len(self.example)


@dataclass(frozen=True, slots=True)
class Skipped:
    """An input row that gave no activations, and why."""

    example: str
    reason: str  # a short kind, counted in summaries: "non-finite", "empty text", "too long" …
    detail: str = ""


@runtime_checkable
class Activations(Protocol):
    """What probes and reports need of activations, in memory or on disk."""

    def __len__(self) -> int:
        """Count the rows."""
        ...

    @property
    def hooks(self) -> tuple[HookPoint, ...]:
        """The hook points, in the order of the forward pass."""
        ...

    @property
    def rows(self) -> RowTable:
        """The row table."""
        ...

    @property
    def origin(self) -> Origin:
        """Where the activations come from."""
        ...

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Inputs that gave no activations, and why."""
        ...

    @property
    def truncated(self) -> int:
        """How many examples were shortened to fit the model's context."""
        ...

    def tensor(self, hook: HookPoint | str) -> Float[Tensor, "row ..."]:
        """Return the activations at one hook point, ``[row, d_model]``."""
        ...


@dataclass(frozen=True, slots=True)
class ActivationsInMemory:
    """Activations held as tensors, ``[row, d_model]`` for each hook point."""

    tensors: Mapping[HookPoint, Tensor]
    rows: RowTable
    origin: Origin
    skipped: tuple[Skipped, ...] = ()
    truncated: int = 0  # how many examples were shortened to fit the model's context

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"ActivationsInMemory({len(self)} rows, {len(self.hooks)} hooks)"

    @property
    def hooks(self) -> tuple[HookPoint, ...]:
        """The hook points, in the order of the forward pass."""
        return tuple(sorted(self.tensors, key=lambda hook: hook.depth))

    def tensor(self, hook: HookPoint | str) -> Float[Tensor, "row ..."]:
        """Return the activations at one hook point.

        Raises:
            SondeError: nothing was extracted there.
        """
        point = parse_hook_point(hook) if isinstance(hook, str) else hook
        if point not in self.tensors:
            raise SondeError(
                f"There are no activations at {point}.",
                fix=f"Extracted are {', '.join(map(str, self.hooks))}.",
            )
        return self.tensors[point]
