"""Edits: changes to activations during a forward pass, as values.

An edit says where (hook point), what (the transformation) and to which rows and tokens it applies.
``sonde.models`` applies edits; nothing here touches a model. Tensors may be shared by the whole
batch, ``[d_model]``, or differ for each row of it, ``[batch, d_model]``; the same holds for
scales and values, ``[]`` or ``[batch]``. At ``head_out`` ``d_model`` stands for
``n_heads * d_head``, heads laid out one after another. Projections run in float32, and sums in the
activations' dtype.
"""
# pyright: basic
# (tensors rule here)

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint

Vector: TypeAlias = Float[Tensor, "d_model"] | Float[Tensor, "batch d_model"]
PerRow: TypeAlias = float | Float[Tensor, "batch"]


class When(StrEnum):
    """Which tokens of a generation an edit reaches."""

    PROMPT = "prompt"
    GENERATED = "generated"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Gate:
    """A condition on activations, such as a linear probe: x · weight + bias > threshold.

    An edit with a gate reaches a token only where the condition holds at that token, at the gate's
    hook point. That is the edit's own, where the gate reads what earlier edits there made, or one
    that the pass comes to before, where it reads what all edits there made.

    Raises:
        SondeError: the weight, the bias or the threshold is not finite.
    """

    hook: HookPoint
    weight: Vector
    bias: PerRow = 0.0
    threshold: PerRow = 0.0

    def __post_init__(self) -> None:
        _check_tensor(self.weight)
        for given in (self.weight, self.bias, self.threshold):
            if not bool(torch.as_tensor(given).isfinite().all()):
                raise SondeError(
                    f"A gate at {self.hook} has NaN or Inf in its weight, bias or threshold.",
                    fix="Check the probe that it was made from.",
                )

    def open(self, x: Float[Tensor, "batch pos d_model"]) -> Bool[Tensor, "batch pos 1"]:
        """Return at which tokens the condition holds."""
        score = (x.float() * _vector(self.weight, x)).sum(-1, keepdim=True) + _rows(self.bias, x)
        return score > _rows(self.threshold, x)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """To whom an edit applies: the rows of the batch, the tokens of a pass, the phase.

    ``rows`` None is every row; ``tokens`` None is every token. ``tokens`` indexes the tokens of
    the prompt, so it does not reach generated tokens. ``steps`` is a window of generated tokens,
    from the first up to and without the second, counted from 0; None is all of them. The edit at
    generated token n acts on the choice of token n + 1 and what follows. ``gate`` is a condition
    that each token must meet.

    Raises:
        SondeError: the window is empty, or is given for an edit of the prompt alone.
    """

    rows: Bool[Tensor, "batch"] | None = None
    tokens: Bool[Tensor, "batch pos"] | None = None
    when: When = When.BOTH
    steps: tuple[int, int | None] | None = None
    gate: Gate | None = None

    def __post_init__(self) -> None:
        if self.steps is None:
            return
        start, end = self.steps
        if start < 0 or (end is not None and end <= start):
            raise SondeError(
                f"An edit was given the window {self.steps} of generated tokens, which is empty.",
                fix="Write (0, 5) for the first five, or (5, None) for all from the sixth on.",
            )
        if self.when is When.PROMPT:
            raise SondeError(
                f"An edit of the prompt was given the window {self.steps} of generated tokens.",
                fix="Leave steps out, or choose when=generated.",
            )

    def reaches_step(self, step: int) -> bool:
        """Whether generated token ``step``, counted from 0, lies in the window."""
        start, end = self.steps or (0, None)
        return self.when is not When.PROMPT and start <= step and (end is None or step < end)


@dataclass(frozen=True, slots=True)
class Add:
    """x + scale · vector."""

    hook: HookPoint
    vector: Vector
    scale: PerRow = 1.0
    scope: Scope = field(default_factory=Scope)

    def __post_init__(self) -> None:
        _check_tensor(self.vector)
        scale = torch.as_tensor(self.scale)
        if not (bool(self.vector.isfinite().all()) and bool(scale.isfinite().all())):
            raise SondeError(
                f"An edit at {self.hook} adds NaN or Inf.",
                fix="Check the vector and the scale: a division by a norm of zero gives NaN.",
            )

    def apply(self, x: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos d_model"]:
        """Return the edited activations."""
        return x + (_rows(self.scale, x) * _vector(self.vector, x)).to(x.dtype)


@dataclass(frozen=True, slots=True)
class Ablate:
    """Project a direction out: x − (x·v) v, with v scaled to unit length."""

    hook: HookPoint
    direction: Vector
    scope: Scope = field(default_factory=Scope)

    def __post_init__(self) -> None:
        _check_direction(self.direction)

    def apply(self, x: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos d_model"]:
        """Return the edited activations."""
        unit = _unit(self.direction, x)
        along = (x.float() * unit).sum(-1, keepdim=True)
        return (x.float() - along * unit).to(x.dtype)


@dataclass(frozen=True, slots=True)
class Clamp:
    """Bring the projection on a direction into [low, high]; low = high sets it to one value."""

    hook: HookPoint
    direction: Vector
    low: PerRow
    high: PerRow
    scope: Scope = field(default_factory=Scope)

    def __post_init__(self) -> None:
        _check_direction(self.direction)
        _check_ends(self.low, self.high)

    def apply(self, x: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos d_model"]:
        """Return the edited activations."""
        unit = _unit(self.direction, x)
        along = (x.float() * unit).sum(-1, keepdim=True)
        wanted = torch.minimum(torch.maximum(along, _rows(self.low, x)), _rows(self.high, x))
        return (x.float() + (wanted - along) * unit).to(x.dtype)


@dataclass(frozen=True, slots=True)
class Replace:
    """Put other activations in place: ``[d_model]``, ``[batch, d_model]`` or one for each token."""

    hook: HookPoint
    value: Vector | Float[Tensor, "batch pos d_model"]
    scope: Scope = field(default_factory=Scope)

    def apply(self, x: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos d_model"]:
        """Return the edited activations."""
        if self.value.ndim == 3 and self.value.shape != x.shape:
            raise SondeError(
                f"An edit at {self.hook} has values {list(self.value.shape)}, and the activations "
                f"there are {list(x.shape)}.",
                fix="Give one value for each token of the batch, or one vector for all.",
            )
        value = self.value if self.value.ndim == 3 else _vector(self.value, x)
        return value.to(device=x.device, dtype=x.dtype).expand_as(x)


@dataclass(frozen=True, slots=True)
class Affine:
    """x @ matrix + bias, with matrix ``[d_model, d_model]`` and bias ``[d_model]``."""

    hook: HookPoint
    matrix: Float[Tensor, "d_model d_model"]
    bias: Vector
    scope: Scope = field(default_factory=Scope)

    def apply(self, x: Float[Tensor, "batch pos d_model"]) -> Float[Tensor, "batch pos d_model"]:
        """Return the edited activations."""
        if self.matrix.shape != (x.shape[-1], x.shape[-1]):
            raise SondeError(
                f"An edit at {self.hook} has a matrix {list(self.matrix.shape)}, and the "
                f"activations there have width {x.shape[-1]}.",
                fix="Give a square matrix of that width.",
            )
        matrix = self.matrix.to(device=x.device, dtype=torch.float32)
        return (x.float() @ matrix + _vector(self.bias, x)).to(x.dtype)


Edit: TypeAlias = Add | Ablate | Clamp | Replace | Affine


def cap(hook: HookPoint, direction: Vector, high: PerRow, scope: Scope | None = None) -> Clamp:
    """Return the edit that brings a projection above ``high`` down to it, and leaves others."""
    return Clamp(hook, direction, -torch.inf, high, scope or Scope())


# Which fields may differ by row, and from how many dimensions on they do.
_PER_ROW = {"vector": 2, "direction": 2, "bias": 2, "value": 2, "scale": 1, "low": 1, "high": 1}
_PER_ROW_GATE = {"weight": 2, "bias": 1, "threshold": 1}


def select_rows(edit: Edit, rows: Int[Tensor, "chosen"], n_rows: int) -> Edit:
    """Return the edit for some rows of a batch of ``n_rows``, in the order given.

    Raises:
        SondeError: a tensor of the edit has another number of rows.
    """

    def chosen(given: Tensor) -> Tensor:
        if given.shape[0] != n_rows:
            raise SondeError(
                f"An edit at {edit.hook} has {given.shape[0]} rows, and the batch has {n_rows}.",
                fix="Give one value for each row of the batch, or one for all.",
            )
        return given.index_select(0, rows.to(given.device))

    def by_row(item: object, fields: dict[str, int]) -> dict[str, Tensor]:
        return {
            name: chosen(given)
            for name, n_dims in fields.items()
            if isinstance(given := getattr(item, name, None), Tensor) and given.ndim >= n_dims
        }

    scope = replace(edit.scope, **by_row(edit.scope, {"rows": 1, "tokens": 2}))
    if scope.gate is not None:
        scope = replace(scope, gate=replace(scope.gate, **by_row(scope.gate, _PER_ROW_GATE)))
    return replace(edit, **by_row(edit, _PER_ROW), scope=scope)


def _check_tensor(given: object) -> None:
    if not isinstance(given, Tensor):
        raise SondeError(
            f"An edit was given a {type(given).__name__} where a tensor is expected.",
            fix="Write torch.as_tensor(…) around it.",
        )


def _check_direction(direction: Tensor) -> None:
    _check_tensor(direction)
    length = direction.float().norm(dim=-1)
    if not bool(((length > 0) & length.isfinite()).all()):
        raise SondeError("An edit's direction is zero or not finite, so it has no direction.")


def _vector(vector: Tensor, x: Tensor) -> Tensor:
    """Broadcast ``[d_model]`` or ``[batch, d_model]`` against ``[batch, pos, d_model]``."""
    _check_tensor(vector)
    if vector.ndim not in (1, 2) or vector.shape[-1] != x.shape[-1]:
        raise SondeError(
            f"An edit's vector has shape {list(vector.shape)}, and the activations there have "
            f"width {x.shape[-1]}.",
            fix="Give [d_model], or [batch, d_model] for a vector of its own for each row.",
        )
    if vector.ndim == 2 and vector.shape[0] != x.shape[0]:
        raise SondeError(
            f"An edit has vectors for {vector.shape[0]} rows, and the batch has {x.shape[0]}.",
            fix="Give one vector for each row of the batch, or one for all.",
        )
    vector = vector.to(device=x.device, dtype=torch.float32)
    return vector if vector.ndim == 1 else vector[:, None, :]


def _check_ends(low: float | Tensor, high: float | Tensor) -> None:
    lows, highs = torch.as_tensor(low), torch.as_tensor(high)
    if lows.ndim and highs.ndim and lows.shape != highs.shape:
        raise SondeError(
            f"A clamp was given low ends of shape {list(lows.shape)} and high ends of shape "
            f"{list(highs.shape)}.",
            fix="Give one of each for each row of the batch, or one for all.",
        )
    lows, highs = torch.broadcast_tensors(lows.to(highs.device), highs)
    wrong = ~(lows <= highs)  # NaN is in no order
    if bool(wrong.any()):
        first = int(wrong.flatten().nonzero()[0])
        row = f" in row {first}" if wrong.ndim else ""
        ends = float(lows.flatten()[first]), float(highs.flatten()[first])
        raise SondeError(
            f"A clamp needs its low end at or below its high end; given{row}: low {ends[0]:g}, "
            f"high {ends[1]:g}.",
            fix="Swap them, or give both the same number to set the projection to it.",
        )


def _unit(direction: Tensor, x: Tensor) -> Tensor:
    vector = _vector(direction, x)
    return vector / vector.norm(dim=-1, keepdim=True)


def _rows(value: float | Tensor, x: Tensor) -> Tensor:
    number = torch.as_tensor(value, device=x.device, dtype=torch.float32)
    if number.ndim == 0:
        return number
    if number.shape != x.shape[:1]:
        raise SondeError(
            f"An edit has {list(number.shape)} values, and the batch has {x.shape[0]} rows.",
            fix="Give one value for each row of the batch, or one for all.",
        )
    return number[:, None, None]
