"""Edits of many rows as few: those of one kind at one hook point are stacked, each for its rows."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from jaxtyping import Bool
from torch import Tensor

from sonde.core.edits import Affine, Edit, Gate, Scope, select_rows
from sonde.core.hooks import HookPoint
from sonde.models.hooking import ScopedEdit
from sonde.models.row_edits import GATE_NUMBERS, NUMBERS, VECTORS, Edits, Placed
from sonde.models.sharing import Level, Sharing

# Of an edit of a row, which places of the pass it reaches; None is all of them.
Reach: TypeAlias = Callable[[int, Placed], Bool[Tensor, "pos"] | None]


@dataclass(frozen=True, slots=True)
class Stack:
    """Edits of one kind at one hook point as one: its row ``i`` is for row ``rows[i]``."""

    edit: Edit
    rows: tuple[int, ...]
    placed: tuple[Placed, ...]

    def scoped(self, shared: Sharing, reach: Reach) -> ScopedEdit | None:
        """Return the edit for the streams of a pass; None where it reaches no place of it."""
        hook, gate = self.edit.hook, self.edit.scope.gate
        level = shared.at(hook.layer)
        items = [item for item, row in enumerate(self.rows) if _stands(level, row)]
        masks = [reach(self.rows[item], self.placed[item]) for item in items]
        reached = [n for n, mask in enumerate(masks) if mask is None or bool(mask.any())]
        items, masks = [items[n] for n in reached], [masks[n] for n in reached]
        if not items:
            return None
        edit = self.edit
        if len(items) < len(self.rows):
            edit = select_rows(edit, torch.tensor(items), len(self.rows))
        rows = [self.rows[item] for item in items]
        at = [level.of[row] for row in rows]
        whole = at == list(range(len(level.rows)))
        own_gate = gate is None or gate.hook == hook
        return ScopedEdit(
            edit,
            _mask(masks),
            rows=None if whole else torch.tensor(at),
            gate_rows=None if own_gate else _at_gate(gate, rows, shared),
        )


def stack(rows: Sequence[Edits], device: torch.device) -> tuple[Stack, ...]:
    """Stack the edits of a batch's rows, in the order in which each row has them."""
    groups: dict[Any, list[tuple[int, Placed]]] = defaultdict(list)
    for row, edits in enumerate(rows):
        seen: dict[HookPoint, int] = defaultdict(int)
        for placed in edits:
            number = seen[placed.edit.hook]
            seen[placed.edit.hook] += 1
            groups[(number, *_kind(placed))].append((row, placed))
    return tuple(
        Stack(
            _stacked([placed for _, placed in group], device),
            tuple(row for row, _ in group),
            tuple(placed for _, placed in group),
        )
        for _, group in sorted(groups.items(), key=lambda item: item[0][0])
    )


def scoped_edits(
    stacks: Sequence[Stack], shared: Sharing, reach: Reach
) -> dict[HookPoint, list[ScopedEdit]]:
    """Return what a pass over the streams of a batch edits, by hook point."""
    found: dict[HookPoint, list[ScopedEdit]] = defaultdict(list)
    for one in stacks:
        scoped = one.scoped(shared, reach)
        if scoped is not None:
            found[one.edit.hook].append(scoped)
    return found


def _kind(placed: Placed) -> tuple[Hashable, ...]:
    """Return what edits that can be stacked have in common."""
    edit, gate = placed.edit, placed.edit.scope.gate
    shape = tuple(getattr(edit, VECTORS[type(edit)][0]).shape)
    # Matrices are too large to be stacked: only rows with the same one go together.
    content = placed.key if isinstance(edit, Affine) else None
    return edit.hook, type(edit), shape, None if gate is None else gate.hook, content


def _stacked(placed: Sequence[Placed], device: torch.device) -> Edit:
    edits = [one.edit for one in placed]
    first = edits[0]
    gate = first.scope.gate
    if isinstance(first, Affine):
        bare = replace(first, bias=first.bias.to(device), matrix=first.matrix.to(device))
        return replace(bare, scope=Scope(gate=gate))
    gates = [edit.scope.gate for edit in edits]
    if gate is not None:
        gate = replace(
            gate,
            weight=_vectors([one.weight for one in gates if one is not None], device),
            **{name: _numbers(gates, name, device) for name in GATE_NUMBERS},
        )
    vectors = {
        name: _vectors([getattr(edit, name) for edit in edits], device)
        for name in VECTORS[type(first)]
    }
    numbers = {name: _numbers(edits, name, device) for name in NUMBERS.get(type(first), ())}
    return replace(first, **vectors, **numbers, scope=Scope(gate=gate))


def _vectors(given: Sequence[Tensor], device: torch.device) -> Tensor:
    """Stack ``[d_model]`` into ``[row, d_model]``, and ``[1, pos, d_model]`` likewise."""
    moved = [one.to(device=device, dtype=torch.float32) for one in given]
    return torch.cat(moved) if moved[0].ndim == 3 else torch.stack(moved)


def _numbers(given: Sequence[Edit | Gate | None], name: str, device: torch.device) -> Tensor:
    return torch.tensor(
        [float(getattr(one, name)) for one in given], dtype=torch.float32, device=device
    )


def _stands(level: Level, row: int) -> bool:
    """Whether a row stands for its stream."""
    return level.representatives[level.of[row]] == row


def _at_gate(gate: Gate | None, rows: Sequence[int], shared: Sharing) -> Tensor:
    assert gate is not None
    level = shared.at(gate.hook.layer)
    return torch.tensor([level.of[row] for row in rows])


def _mask(masks: Sequence[Bool[Tensor, "pos"] | None]) -> Bool[Tensor, "batch pos 1"] | None:
    some = next((mask for mask in masks if mask is not None), None)
    if some is None:
        return None
    return torch.stack([torch.ones_like(some) if mask is None else mask for mask in masks])[
        ..., None
    ]
