"""Real forward hooks that read and edit activations, and stop a pass that has gone far enough."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sonde.core.edits import Edit
from sonde.core.hooks import HookPoint, Site
from sonde.models.families import Side

if TYPE_CHECKING:
    from sonde.models.model import Model

Reader = Callable[[Tensor], Tensor]


class Stop(BaseException):
    """Everything asked for has been read. Not an ``Exception``: none that is caught may eat it."""


@dataclass(frozen=True, slots=True)
class ScopedEdit:
    """An edit, and the tokens of this pass it reaches as ``[batch or 1, pos or 1, 1]``, or None."""

    edit: Edit
    mask: Tensor | None = None

    def apply(self, x: Tensor) -> Tensor:
        """Return the edited activations; tokens out of reach keep theirs, bit for bit."""
        edited = self.edit.apply(x)
        return edited if self.mask is None else torch.where(self.mask.to(x.device), edited, x)


@dataclass(slots=True)
class Taps:
    """What a pass does on its way: edits first, then captures, at each hook point."""

    edits: Mapping[HookPoint, Sequence[ScopedEdit]]
    captures: Mapping[HookPoint, Reader]
    stop: bool = False  # once everything is captured
    captured: dict[HookPoint, Tensor] = field(default_factory=dict)

    def run(self, hook: HookPoint, x: Tensor) -> Tensor:
        """Edit and capture at one hook point: a capture sees what the edits made."""
        for scoped in self.edits.get(hook, ()):
            x = scoped.apply(x)
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
    for hook in sorted({*taps.edits, *taps.captures}, key=lambda hook: hook.depth):
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
