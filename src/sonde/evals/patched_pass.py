"""Forward passes over texts: activations at some hook points, and losses with others in place."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sonde.activations.budgets import CPU_TOKENS
from sonde.activations.row_batches import RowBatch
from sonde.activations.shuffled_rows import RowLimits, row_limits, row_norms
from sonde.core.edits import Replace
from sonde.core.hooks import HookPoint
from sonde.evals.texts import EvalTexts
from sonde.models.batch import TokenBatch
from sonde.models.forward import forward
from sonde.models.hooking import ScopedEdit, Taps, hooked
from sonde.models.model import Model

GPU_TOKENS = 16_384
MEASURED = 4_096  # tokens on which sinks are measured


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """What a pass gave: ``[text, pos, width]`` at each hook point, and which tokens give rows.

    Of the tokens that count ``n_nonfinite`` are not kept since they hold NaN or Inf.
    """

    activations: Mapping[HookPoint, Tensor]
    kept: Bool[Tensor, "text pos"]
    n_nonfinite: int
    which: Int[np.ndarray, " text"]  # of the texts
    token: Int[Tensor, "text pos"]  # text * context + pos
    hidden: Float[Tensor, "text pos d_model"] | None = None  # after the final norm

    @property
    def rows(self) -> RowBatch:
        """The rows that are kept."""
        return RowBatch(
            {hook: x[self.kept] for hook, x in self.activations.items()}, self.token[self.kept]
        )


def token_batches(model: Model, texts: EvalTexts) -> Iterator[tuple[np.ndarray, TokenBatch]]:
    """Yield the texts in pieces that a pass takes."""
    budget = CPU_TOKENS if model.device.type == "cpu" else GPU_TOKENS
    many = max(1, budget // texts.context)
    for which in np.split(np.arange(len(texts)), range(many, len(texts), many)):
        longest = int(texts.lengths[which].max())
        ids = torch.from_numpy(texts.ids[which, :longest]).to(model.device)
        yield which, TokenBatch(ids, torch.from_numpy(texts.lengths[which]).to(model.device))


def measured_limits(
    model: Model, texts: EvalTexts, hooks: Sequence[HookPoint], sink_ratio: float | None
) -> RowLimits:
    """Measure on the first texts from which norm a row is an attention sink.

    Raises:
        SondeError: no row is finite, or the model lacks a hook point.
    """
    first = texts.spread(MEASURED)
    passes = captures(model, first, hooks, RowLimits({}, 0.0))
    return row_limits(
        ((found.rows.tensors, torch.ones(len(found.rows), dtype=torch.bool, device=model.device))
         for found in passes),
        sink_ratio,
    )  # fmt: skip


def captures(
    model: Model,
    texts: EvalTexts,
    hooks: Sequence[HookPoint],
    limits: RowLimits,
    *,
    hidden: bool = False,
) -> Iterator[Captured]:
    """Yield activations of the unedited model; a row is kept that counts, is finite and no sink.

    With ``hidden`` passes go to the end, and give what the language-model head reads.

    Raises:
        SondeError: the model lacks a hook point.
    """
    points = [model.check(hook) for hook in dict.fromkeys(hooks)]
    for which, batch in token_batches(model, texts):
        last = None
        if hidden:
            found, last = hidden_pass(model, batch, points)
        else:
            found = forward(model, batch, capture=points).activations
        found = {hook: x.flatten(2) for hook, x in found.items()}
        longest = batch.ids.shape[1]
        counts = torch.from_numpy(texts.counts[which, :longest]).to(model.device)
        token = torch.from_numpy(which[:, None] * texts.context + np.arange(longest))
        finite, kept = _kept(found, counts, limits)
        nonfinite = int((counts & ~finite).sum())
        yield Captured(found, kept, nonfinite, which, token.to(model.device), last)


def hidden_pass(
    model: Model,
    batch: TokenBatch,
    capture: Sequence[HookPoint] = (),
    values: Mapping[HookPoint, Tensor] | None = None,
    where: Bool[Tensor, "text pos"] | None = None,
) -> tuple[dict[HookPoint, Tensor], Float[Tensor, "text pos d_model"]]:
    """Run the model to its final norm, with values in the place of activations at some tokens.

    Returns what was captured, and what the language-model head reads. The vocabulary is left to
    the caller, who may take a few tokens at a time.
    """
    mask = None if where is None else where[..., None]
    edits = {
        model.check(hook): [ScopedEdit(Replace(hook, value), mask)]
        for hook, value in (values or {}).items()
    }
    taps = Taps(edits=edits, captures=dict.fromkeys(capture, _same))
    with torch.no_grad(), hooked(model, taps):
        out = model.decoder(input_ids=batch.ids, use_cache=False)
    return taps.captured, out.last_hidden_state


def _same(x: Tensor) -> Tensor:
    return x


def _kept(
    found: Mapping[HookPoint, Tensor], counts: Bool[Tensor, "text pos"], limits: RowLimits
) -> tuple[Bool[Tensor, "text pos"], Bool[Tensor, "text pos"]]:
    """Mark the tokens that are finite at all hook points, and those that give rows."""
    finite = torch.ones_like(counts)
    kept = counts
    for hook, x in found.items():
        norm = row_norms(x.flatten(0, 1)).view(counts.shape).to(counts.device)
        finite = finite & norm.isfinite()
        kept = kept & (norm < limits.sink_norm.get(hook, float("inf")))
    return finite, kept & finite
