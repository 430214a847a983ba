"""Real forward hooks that read and edit activations, and stop a pass that has gone far enough."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from sonde.core.edits import Edit
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.models.families import Side

if TYPE_CHECKING:
    from sonde.models.model import Model

Reader = Callable[[Tensor], Tensor]


class Stop(BaseException):
    """Everything asked for has been read. Not an ``Exception``: none that is caught may eat it."""


@dataclass(frozen=True, slots=True)
class ScopedEdit:
    """An edit, and the tokens of this pass it reaches as ``[batch or 1, pos or 1, 1]``, or None.

    With ``rows`` the edit and its mask have a batch axis of their own: their row ``i`` is for row
    ``rows[i]`` of the activations, and for row ``gate_rows[i]`` at the gate's hook point.
    """

    edit: Edit
    mask: Tensor | None = None
    rows: Int[Tensor, "chosen"] | None = None
    gate_rows: Int[Tensor, "chosen"] | None = None

    def apply(self, x: Tensor, opened: Tensor | None = None) -> Tensor:
        """Return the edited activations; tokens out of reach keep theirs, bit for bit.

        ``opened`` is where an earlier hook point's gate is open; a gate at the edit's own is
        asked here.
        """
        if self.rows is None:
            return self._edited(x, opened)
        rows = self.rows.to(x.device)
        return x.index_copy(0, rows, self._edited(x.index_select(0, rows), opened))

    def _edited(self, x: Tensor, opened: Tensor | None) -> Tensor:
        gate, mask = self.edit.scope.gate, self.mask
        if gate is not None:
            own = gate.open(x) if opened is None else opened.to(x.device)
            mask = own if mask is None else mask.to(x.device) & own
        edited = self.edit.apply(x)
        return edited if mask is None else torch.where(mask.to(x.device), edited, x)

    def ask_gate(self, x: Tensor) -> Tensor:
        """Return where the gate is open, from the activations at its hook point."""
        gate = self.edit.scope.gate
        assert gate is not None
        rows = self.gate_rows
        return gate.open(x if rows is None else x.index_select(0, rows.to(x.device)))


@dataclass(slots=True)
class Taps:
    """What a pass does on its way: edits first, then captures, at each hook point."""

    edits: Mapping[HookPoint, Sequence[ScopedEdit]]
    captures: Mapping[HookPoint, Reader]
    stop: bool = False  # once everything is captured
    captured: dict[HookPoint, Tensor] = field(default_factory=dict)
    _waiting: dict[HookPoint, list[ScopedEdit]] = field(init=False)  # by their gates' hook points
    _opened: dict[int, Tensor] = field(default_factory=dict)  # by the id of the edit

    def __post_init__(self) -> None:
        self._waiting = {}
        for scoped in (scoped for edits in self.edits.values() for scoped in edits):
            gate = scoped.edit.scope.gate
            if gate is not None and gate.hook != scoped.edit.hook:
                self._waiting.setdefault(gate.hook, []).append(scoped)

    @property
    def hooks(self) -> list[HookPoint]:
        """The hook points where something is done, in the order of the pass."""
        found = {*self.edits, *self.captures, *self._waiting}
        return sorted(found, key=lambda hook: hook.depth)

    def run(self, hook: HookPoint, x: Tensor) -> Tensor:
        """Edit and capture at one hook point: captures and gates see what the edits made."""
        for scoped in self.edits.get(hook, ()):
            x = scoped.apply(x, self._opened.get(id(scoped)))
        for scoped in self._waiting.get(hook, ()):
            self._opened[id(scoped)] = scoped.ask_gate(x)
        reader = self.captures.get(hook)
        if reader is not None:
            self.captured[hook] = reader(x)
        return x

    @property
    def finished(self) -> bool:
        """Whether the rest of the pass is of no use."""
        return self.stop and len(self.captured) == len(self.captures)


@contextmanager
def hooked(model: "Model", taps: Taps) -> Generator[None]:
    """Put hooks on the modules that the taps need, and remove them whatever happens."""
    handles = []
    stations: dict[tuple[int, str, Side], list[HookPoint]] = {}
    for hook in taps.hooks:
        place = model.family.place(hook.site)
        stations.setdefault((hook.layer, place.module, place.side), []).append(hook)
    try:
        for (layer, path, side), hooks in stations.items():
            module = model.module(layer, path)
            if side is Side.INPUT:
                handles.append(module.register_forward_pre_hook(_on_input(taps, hooks)))
            else:
                handles.append(
                    module.register_forward_hook(_on_output(taps, hooks, model.family.neutral_gain))
                )
        yield
    finally:
        for handle in handles:
            handle.remove()


def _on_input(taps: Taps, hooks: Sequence[HookPoint]) -> Callable[..., Any]:
    def pre_hook(_module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        given: Tensor = args[0]
        x = given
        for hook in hooks:
            edited = taps.run(hook, x)
            if hook.site is Site.RESID_MID and edited is not x:
                # The block keeps this very tensor for the sum after the MLP, so handing the norm
                # another one would leave the residual as it was.
                edited = x.copy_(edited)
            x = edited
        if taps.finished:
            raise Stop
        return None if x is given else (x, *args[1:])

    return pre_hook


def _on_output(taps: Taps, hooks: Sequence[HookPoint], neutral: float) -> Callable[..., Any]:
    def hook_fn(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        given: Tensor = output[0] if isinstance(output, tuple) else output
        x = given
        for hook in hooks:
            if hook.site is Site.MLP_NORMED_UNGAINED:
                ungained = without_gain(module, args[0], neutral)
                edited = taps.run(hook, ungained)
                if edited is not ungained:
                    # Coordinates that an edit left alone keep the norm's own rounding.
                    x = torch.where(edited == ungained, x, with_gain(module, edited, neutral))
            else:
                x = taps.run(hook, x)
        if taps.finished:
            raise Stop
        if x is given:
            return None
        return (x, *output[1:]) if isinstance(output, tuple) else x

    return hook_fn


def check_gate(model: "Model", edit: Edit) -> None:
    """Refuse an edit whose gate the model lacks, or comes to after the edit.

    Raises:
        SondeError: it does.
    """
    gate = edit.scope.gate
    if gate is None:
        return
    model.check(gate.hook)
    if gate.hook.depth > edit.hook.depth:
        raise SondeError(
            f"An edit at {edit.hook} has a gate at {gate.hook}, which the pass comes to later.",
            fix="Put the gate at the edit's own hook point or at an earlier one.",
        )


def without_gain(norm: nn.Module, x: Tensor, neutral: float) -> Tensor:
    """Run a norm on ``x`` with a gain of one and no bias.

    The norm's own code runs, on a shallow copy whose parameters are neutral and which has no
    hooks.
    """
    twin = copy(norm)
    twin.__dict__ |= {
        "_parameters": {
            name: torch.full_like(parameter, neutral if name == "weight" else 0.0, device=x.device)
            for name, parameter in norm.named_parameters(recurse=False)
        },
        "_forward_hooks": {},
        "_forward_pre_hooks": {},
    }
    return twin(x)


def with_gain(norm: nn.Module, ungained: Tensor, neutral: float) -> Tensor:
    """Apply a norm's gain, and bias where it has one, to its output without them."""
    parameters = dict(norm.named_parameters(recurse=False))
    gained = ungained.float() * (parameters["weight"].float() + (1.0 - neutral))
    if "bias" in parameters:
        gained = gained + parameters["bias"].float()
    return gained.to(ungained.dtype)
