"""The edits of single rows: checked, put in the order of the pass, told apart by what they hold.

A row's edits have tensors without a batch axis. Rows of one batch have different edits at different
layers, so edits of one kind at one hook point are stacked and reach the rows that have them.
"""

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

import torch
from torch import Tensor

from sonde.core.edits import Ablate, Add, Affine, Clamp, Edit, Gate, Replace, Scope, When
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.models.hooking import check_gate
from sonde.models.model import Model

# Of each kind, the tensors that have a batch axis once rows are stacked.
VECTORS: Mapping[type, tuple[str, ...]] = {
    Add: ("vector",),
    Ablate: ("direction",),
    Clamp: ("direction",),
    Replace: ("value",),
    Affine: ("bias",),
}
NUMBERS: Mapping[type, tuple[str, ...]] = {Add: ("scale",), Clamp: ("low", "high")}
GATE_NUMBERS = ("bias", "threshold")


@dataclass(frozen=True, slots=True)
class Placed:
    """An edit of a row: ``start`` is the block before which rows that have it part from others.

    Two edits of equal ``key`` do the same.
    """

    edit: Edit
    start: int
    key: Hashable


Edits: TypeAlias = tuple[Placed, ...]


def place_edits(
    model: Model, edits: Sequence[Edit], n_tokens: int, known: dict[int, Hashable]
) -> Edits:
    """Return what a row's edits do to a prompt of ``n_tokens``, in the order of the pass.

    Edits that do nothing are left out. ``known`` keeps what tensors hold, by their ids, so that one
    that many rows have is looked at once. What a block returns is what the next one gets, so edits
    at ``resid_post`` move there, and rows part one block later.

    Raises:
        SondeError: the model lacks a hook point, or a tensor has a batch axis or another width.
    """
    ordered = sorted(edits, key=lambda edit: edit.hook.depth)
    return tuple(
        _placed(_moved(edit, model.info.n_layers), known)
        for edit in (_checked(model, edit, n_tokens) for edit in ordered)
        if not _idle(edit)
    )


def below(edits: Edits, block: int | None = None) -> tuple[Hashable, ...]:
    """Return what tells rows apart up to and with a block: the keys of the edits that begin there.

    None is all blocks.

    Rows of one prompt with equal keys have equal activations in that block.
    """
    return tuple(placed.key for placed in edits if block is None or placed.start <= block)


def _placed(edit: Edit, known: dict[int, Hashable]) -> Placed:
    gate = edit.scope.gate
    start = edit.hook.layer if gate is None else min(edit.hook.layer, gate.hook.layer)
    return Placed(edit, start, _content(edit, known))


def _moved(edit: Edit, n_layers: int) -> Edit:
    gate = edit.scope.gate
    if gate is not None:
        hook = _next_block(gate.hook, n_layers)
        edit = replace(edit, scope=replace(edit.scope, gate=replace(gate, hook=hook)))
    return replace(edit, hook=_next_block(edit.hook, n_layers))


def _next_block(hook: HookPoint, n_layers: int) -> HookPoint:
    if hook.site is Site.RESID_POST and hook.layer + 1 < n_layers:
        return HookPoint(hook.layer + 1, Site.RESID_PRE)
    return hook


def _idle(edit: Edit) -> bool:
    if edit.scope.tokens is not None and not bool(edit.scope.tokens.any()):
        return True
    if isinstance(edit, Add):
        return float(edit.scale) == 0 or not bool(edit.vector.any())
    if isinstance(edit, Clamp):
        return float(edit.low) == -torch.inf and float(edit.high) == torch.inf
    return False


def _checked(model: Model, edit: Edit, n_tokens: int) -> Edit:
    model.check(edit.hook)
    check_gate(model, edit)
    width = _width(model, edit.hook)
    for name in VECTORS[type(edit)]:
        value: Tensor = getattr(edit, name)
        if name == "value" and value.ndim == 3:
            _fits(edit, name, value, (1, n_tokens, width))
        else:
            _fits(edit, name, value, (width,))
    for name in NUMBERS.get(type(edit), ()):
        _fits(edit, name, getattr(edit, name), ())
    if isinstance(edit, Affine):
        _fits(edit, "matrix", edit.matrix, (width, width))
    if edit.scope.rows is not None:
        raise SondeError(
            f"An edit of one row at {edit.hook} was given a mask of rows.",
            fix="Leave Scope.rows out, and give the edit to the rows that it is for.",
        )
    if edit.scope.tokens is not None:
        _fits(edit, "scope.tokens", edit.scope.tokens, (1, n_tokens))
    gate = edit.scope.gate
    if gate is not None:
        _fits(edit, "scope.gate.weight", gate.weight, (_width(model, gate.hook),))
        for name in GATE_NUMBERS:
            _fits(edit, f"scope.gate.{name}", getattr(gate, name), ())
    if edit.scope.when is When.GENERATED and by_token(edit):
        raise SondeError(
            f"An edit at {edit.hook} is for generated tokens and names tokens of the prompt.",
            fix="Leave Scope.tokens out, or choose when=prompt.",
        )
    return edit


def _width(model: Model, hook: HookPoint) -> int:
    info = model.info
    return info.n_heads * info.d_head if hook.site is Site.HEAD_OUT else info.d_model


def _fits(edit: Edit, name: str, value: object, shape: tuple[int, ...]) -> None:
    given = tuple(torch.as_tensor(value).shape)
    if given != shape:
        raise SondeError(
            f"An edit of one row at {edit.hook} has {name} of shape {list(given)}, and "
            f"{list(shape)} fits.",
            fix="The tensors of a row's edit have no batch axis: each row has its own.",
        )


def by_token(edit: Edit) -> bool:
    """Whether an edit indexes the tokens of the prompt."""
    return edit.scope.tokens is not None or (isinstance(edit, Replace) and edit.value.ndim == 3)


def _content(item: object, known: dict[int, Hashable]) -> Hashable:
    """Return what tells an edit from others: its kind, and the contents of all its tensors."""
    if isinstance(item, Tensor):
        if id(item) not in known:
            array = item.detach().to("cpu").contiguous().reshape(-1).view(torch.uint8)
            digest = hashlib.sha256(array.numpy().tobytes()).digest()
            known[id(item)] = str(item.dtype), tuple(item.shape), digest
        return known[id(item)]
    if isinstance(item, Add | Ablate | Clamp | Replace | Affine | Scope | Gate):
        values = (_content(getattr(item, field.name), known) for field in fields(item))
        return type(item).__name__, *values
    return item  # a number, a hook point, a phase, a window: values already
