"""One forward pass that captures and edits activations and runs no further than it must."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.core.edits import Edit, Scope, When
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.models.batch import TokenBatch, pad_batch
from sonde.models.gather import Gather
from sonde.models.hooking import Reader, ScopedEdit, Stop, Taps, check_gate, hooked
from sonde.models.model import Model

__all__ = [
    "Gather",
    "Pass",
    "TokenBatch",
    "blocks_needed",
    "differentiable_forward",
    "forward",
    "pad_batch",
]


@dataclass(frozen=True, slots=True)
class Pass:
    """What a forward pass gave.

    ``activations`` are ``[row, d_model]`` with a gather and ``[batch, pos, d_model]`` without, at
    ``head_out`` ``n_heads d_head`` in place of ``d_model``; padded places hold what the model
    made of the padding. ``logits`` are ``[batch, pos, d_vocab]``.
    """

    activations: dict[HookPoint, Tensor]
    logits: Float[Tensor, "batch pos d_vocab"] | None = None


def forward(
    model: Model,
    batch: TokenBatch,
    *,
    capture: Sequence[HookPoint] = (),
    gather: Gather | None = None,
    edits: Sequence[Edit] = (),
    logits: bool = False,
) -> Pass:
    """Run the model once, without gradients, and return what was asked for.

    Edits at one hook point apply in the order given, and a capture at the same hook point sees the
    edited value. Without ``logits`` the pass ends at the deepest captured hook point and the
    language-model head does not run. All hooks are gone afterwards, also after an exception.

    Raises:
        SondeError: nothing was asked for, the model lacks a hook point, an edit does not fit the
            batch, or the batch is longer than the model's context or mixes lengths that the model
            reads differently.
    """
    with torch.no_grad():
        return differentiable_forward(
            model, batch, capture=capture, gather=gather, edits=edits, logits=logits
        )


def differentiable_forward(
    model: Model,
    batch: TokenBatch,
    *,
    capture: Sequence[HookPoint] = (),
    gather: Gather | None = None,
    edits: Sequence[Edit] = (),
    logits: bool = False,
) -> Pass:
    """Do as ``forward`` does, in the caller's gradient mode.

    Captured activations are part of the graph, so gradients can be taken with respect to them
    (without a gather) and to the tensors of edits.

    Raises:
        SondeError: as ``forward``.
    """
    if not capture and not logits:
        raise SondeError("A pass was asked for nothing.", fix="Give capture=, or logits=True.")
    if batch.ids.shape[1] > model.info.context:
        raise SondeError(
            f"The batch has rows of {batch.ids.shape[1]} tokens, and {model.info.name} reads "
            f"{model.info.context}.",
            fix="Shorten the texts.",
        )
    switch = model.rope_switch
    if switch is not None and batch.ids.shape[1] > switch >= int(batch.lengths.min()):
        raise SondeError(
            f"A batch has rows on both sides of {switch} tokens, where {model.info.name} changes "
            "its rotary frequencies for the whole batch.",
            fix="Put longer and shorter rows into batches of their own.",
        )
    taps = Taps(
        edits=_scoped(model, batch, edits),
        captures=_readers(model, capture, gather),
        stop=not logits,
    )
    out = None
    run = model.hf if logits else model.decoder
    with hooked(model, taps), suppress(Stop):
        out = run(input_ids=batch.ids, use_cache=False)
    captured = {hook: taps.captured[hook] for hook in sorted(taps.captured, key=_depth)}
    return Pass(activations=captured, logits=out.logits if logits and out is not None else None)


def blocks_needed(hooks: Sequence[HookPoint]) -> int:
    """Return how many blocks a pass that captures these hook points starts.

    ``resid_pre`` of block L needs blocks 0 to L-1; any other site of block L needs block L too,
    as far as that site.
    """
    return max(hook.layer + (hook.site is not Site.RESID_PRE) for hook in hooks)


def _depth(hook: HookPoint) -> tuple[int, int]:
    return hook.depth


def _readers(
    model: Model, capture: Sequence[HookPoint], gather: Gather | None
) -> dict[HookPoint, Reader]:
    heads = (model.info.n_heads, model.info.d_head)

    def read(x: Tensor) -> Tensor:
        return x if gather is None else gather.take(x)

    def read_heads(x: Tensor) -> Tensor:
        return read(x).unflatten(-1, heads)

    return {
        model.check(hook): read_heads if hook.site is Site.HEAD_OUT else read for hook in capture
    }


def _scoped(
    model: Model, batch: TokenBatch, edits: Sequence[Edit]
) -> dict[HookPoint, list[ScopedEdit]]:
    scoped: dict[HookPoint, list[ScopedEdit]] = defaultdict(list)
    for edit in edits:
        if edit.scope.when is When.GENERATED:
            raise SondeError(
                f"An edit at {edit.hook} is for generated tokens, and a forward pass has none.",
                fix="Name the tokens with Scope.tokens, or use generate.",
            )
        if edit.scope.steps is not None:
            raise SondeError(
                f"An edit at {edit.hook} has a window of generated tokens, and a forward pass has "
                "none.",
                fix="Name the tokens with Scope.tokens, or use generate.",
            )
        check_gate(model, edit)
        mask = scope_mask(edit.scope, batch.ids.shape[0], batch.ids.shape[1])
        scoped[model.check(edit.hook)].append(ScopedEdit(edit, mask))
    return scoped


def scope_mask(scope: Scope, n_rows: int, n_tokens: int) -> Tensor | None:
    """Return the tokens that a scope reaches, ``[batch or 1, pos or 1, 1]``, or None for all.

    Raises:
        SondeError: a mask has another shape than the batch.
    """
    mask = None
    for given, shape in ((scope.rows, (n_rows,)), (scope.tokens, (n_rows, n_tokens))):
        if given is None:
            continue
        if tuple(given.shape) != shape:
            raise SondeError(
                f"An edit's mask has shape {list(given.shape)}, and the batch has {list(shape)}.",
                fix="Give Scope.rows one value a row and Scope.tokens one a token.",
            )
        part = given.reshape(*shape, *[1] * (3 - len(shape)))
        mask = part if mask is None else mask & part.to(mask.device)
    return mask
