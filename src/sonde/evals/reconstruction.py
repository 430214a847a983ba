"""Evaluate a dictionary with its model on held-out text: reconstruction, and what it costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.activations.row_batches import RowBatch
from sonde.activations.shuffled_rows import RowLimits
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.metrics_quality import Quality, quality_of
from sonde.dictionaries.metrics_sums import ReconstructionSums
from sonde.evals.arms import DICTIONARY, Arm, dictionary_arm, hooks_of, linear_arm, untrained_arm
from sonde.evals.patched_pass import captures, measured_limits
from sonde.evals.reconstruction_loss import Losses, losses
from sonde.evals.texts import EvalTexts
from sonde.models.model import Model

SINK_RATIO = 10.0
MAX_NONFINITE = 0.01  # share of rows: more are no accident
NUMBERS = 1 << 27  # of the rows that comparisons are fitted on: half a gigabyte in float32


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """Of each arm how well it reconstructs; the losses with each in place, where asked for.

    ``n_rows`` were measured, of ``n_tokens`` read; the rest are first tokens, separators,
    ``n_sinks`` attention sinks and ``n_nonfinite`` rows with NaN or Inf, which keep their
    activations. ``means`` are those of the targets.
    """

    quality: Mapping[str, Quality]
    losses: Losses | None
    means: tuple[Float[Tensor, " _"], ...]
    n_rows: int
    n_tokens: int
    n_sinks: int
    n_nonfinite: int
    limits: RowLimits


def rows_to_fit(
    model: Model, texts: EvalTexts, dictionary: Dictionary, n: int, sink_ratio: float | None
) -> RowBatch:
    """Return up to ``n`` rows at a dictionary's hook points, sinks apart, fewer where it is wide.

    Raises:
        SondeError: there are none, or the model lacks a hook point.
    """
    sources, targets = hooks_of(dictionary.architecture)
    hooks = list(dict.fromkeys([*sources, *targets]))
    limits = measured_limits(model, texts, hooks, sink_ratio)
    wide = sum(dictionary.architecture.d_in) + sum(dictionary.architecture.widths_out)
    wanted = max(1, min(n, NUMBERS // wide))
    found: list[RowBatch] = []
    for one in captures(model, texts, hooks, limits):
        found.append(one.rows)
        if sum(map(len, found)) >= wanted:
            break
    tensors = {hook: torch.cat([one.tensors[hook] for one in found])[:wanted] for hook in hooks}
    return RowBatch(tensors, torch.cat([one.token for one in found])[:wanted])


def comparisons(dictionary: Dictionary, rows: RowBatch, seed: int = 0) -> tuple[Arm, ...]:
    """Return what a dictionary is held against: itself untrained, and the best linear map.

    The linear map has as many components as the dictionary has active latents a row on average, so
    both describe a row by as many numbers; a dictionary chooses which anew for each row.
    """
    arm = dictionary_arm(dictionary)
    sources, _ = hooks_of(dictionary.architecture)
    fired = sum(
        float(latents.fired().sum())
        for _, made in arm.pieces([rows.tensors[hook] for hook in sources])
        for latents in made.latents
    )
    linear = linear_arm(dictionary.architecture, rows, round(fired / len(rows)))
    untrained = untrained_arm(dictionary.architecture, rows, seed)
    return (untrained, *(() if linear is None else (linear,)))


def evaluate(
    model: Model,
    dictionary: Dictionary,
    texts: EvalTexts,
    *,
    others: Sequence[Arm] = (),
    loss_tokens: int | None = None,
    sink_ratio: float | None = SINK_RATIO,
) -> Evaluated:
    """Measure a dictionary on texts that it was not trained on.

    Args:
        model: the model whose activations it reads.
        dictionary: the dictionary, on the model's device.
        texts: what is read.
        others: what else is measured on the same rows; see ``comparisons``.
        loss_tokens: how many tokens are read again with reconstructions in place, evenly from
            all texts; None: all, 0: none.
        sink_ratio: times the median norm from which a row is a sink; None keeps all.

    Raises:
        SondeError: the model lacks a hook point or is of another width, no row counts, or more than
            one in a hundred hold NaN or Inf.
    """
    hooks = sources, targets = hooks_of(dictionary.architecture)
    _check_widths(model, dictionary)
    limits = measured_limits(model, texts, [*sources, *targets], sink_ratio)
    arms = [dictionary_arm(dictionary), *others]
    sums, n_nonfinite = _summed(model, texts, hooks, limits, arms)
    named = dictionary.architecture.outputs
    quality = {name: quality_of(one, named, texts.unit) for name, one in sums.items()}
    means, lost = sums[DICTIONARY].means(), None
    if loss_tokens != 0:
        read = texts if loss_tokens is None else texts.spread(loss_tokens)
        lost = losses(model, read, hooks, arms, means, limits)
    n_rows = quality[DICTIONARY].n_rows
    n_sinks = int(texts.counts.sum()) - n_rows - n_nonfinite
    return Evaluated(quality, lost, means, n_rows, texts.n_tokens, n_sinks, n_nonfinite, limits)


def _summed(
    model: Model,
    texts: EvalTexts,
    hooks: tuple[list[HookPoint], list[HookPoint]],
    limits: RowLimits,
    arms: Sequence[Arm],
) -> tuple[dict[str, ReconstructionSums], int]:
    """Add up what every arm makes of all rows, and count those with NaN or Inf, of which none."""
    sums = {arm.name: arm.sums() for arm in arms}
    n_nonfinite = 0
    sources, targets = hooks
    for found in captures(model, texts, [*sources, *targets], limits):
        rows = found.rows
        n_nonfinite += found.n_nonfinite
        unit = texts.document.ravel()[rows.token.cpu().numpy()]
        there = [rows.tensors[hook] for hook in targets]
        for arm in arms:
            for here, made in arm.pieces([rows.tensors[hook] for hook in sources]):
                sums[arm.name].add(made, [x[here] for x in there], unit[here])
    _refuse_nonfinite(n_nonfinite, int(texts.counts.sum()))
    return sums, n_nonfinite


def _refuse_nonfinite(found: int, n: int) -> None:
    if found > MAX_NONFINITE * n:
        raise SondeError(
            f"{found:,} of {n:,} rows of held-out text hold NaN or Inf.",
            fix="Load the model with dtype=float32 (or bfloat16), or check its weights with `sonde "
            "doctor`.",
        )


def _check_widths(model: Model, dictionary: Dictionary) -> None:
    from sonde.activations.shuffled_room import hook_widths

    architecture = dictionary.architecture
    sources, targets = hooks_of(architecture)
    asked: dict[HookPoint, int] = dict(
        zip([*sources, *targets], [*architecture.d_in, *architecture.widths_out], strict=True)
    )
    there = hook_widths(model, tuple(model.check(hook) for hook in asked))
    wrong = [hook for hook, width in asked.items() if there[hook] != width]
    if wrong:
        raise SondeError(
            f"The dictionary's width at {wrong[0]} is {asked[wrong[0]]:,}, and {model.info.name} "
            f"has {there[wrong[0]]:,} there.",
            fix="Give the model that it was trained on.",
        )
