"""What a dictionary is trained to make small, of one batch of scaled rows.

Every part is scale-free, and a mean over rows: that of a batch is the mean of its parts'.

    reconstruction   mean over targets and prefixes of |target - made|² / variance      (FVU)
    aux              the same of what is left over, made by dead latents (Gao et al. 2024)
    penalty          l1 * sum of activations times decoder norms / typical norm of targets, or
                     l0 * number of active latents
    gate             the FVU of what the gate's activations make, decoder fixed
                     (Rajamanoharan et al. 2024, "Improving dictionary learning ...")
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import mse_loss

from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.block import Encoded, Spare
from sonde.dictionaries.dictionary import Dictionary, Reconstruction
from sonde.dictionaries.sparsity import Gated, JumpReLU, ReLU


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the loss of one step is made of.

    ``variance`` is each target's, summed over coordinates: one number for the whole training.
    ``penalty`` weighs what the sparsity penalises, None where that is nothing; it is a tensor, so
    that a compiled loss need not be compiled again while it rises. ``spare`` are each block's dead
    latents, or none for any, and ``aux`` weighs what they leave over. ``k`` takes the place of the
    sparsity's own.
    """

    variance: tuple[float, ...]
    penalty: Float[Tensor, ""] | None = None
    spare: tuple[Spare, ...] = ()
    aux: float = 0.0
    k: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """The loss, its parts by name, and what was made."""

    total: Float[Tensor, ""]
    parts: dict[str, Float[Tensor, ""]]
    made: Reconstruction


def loss_of(
    dictionary: Dictionary,
    sources: Sequence[Float[Tensor, "row _"]],
    targets: Sequence[Float[Tensor, "row _"]],
    wanted: Wanted,
) -> Loss:
    """Return the loss of a batch, with gradients."""
    architecture = dictionary.architecture
    spares: Sequence[Spare | None] = wanted.spare or (None,) * len(dictionary.parts)
    encoded = [
        block.encode_for_training(x, spare, wanted.k)
        for block, x, spare in zip(dictionary.parts, dictionary.read(sources), spares, strict=True)
    ]
    prefixes = dictionary.decode([one.latents for one in encoded], sources)
    parts = {"reconstruction": _unexplained(prefixes, targets, wanted.variance)}
    if wanted.spare:
        parts["aux"] = wanted.aux * _left_over(dictionary, encoded, prefixes, targets, wanted)
    if wanted.penalty is not None:
        parts["penalty"] = wanted.penalty * _penalty(architecture, encoded, wanted.variance)
    if encoded[0].gate is not None:
        parts["gate"] = _by_gate(dictionary, encoded, sources, targets, wanted)
    made = Reconstruction(
        tuple(one.latents for one in encoded), tuple(one[-1] for one in prefixes), prefixes
    )
    return Loss(torch.stack(list(parts.values())).sum(), parts, made)


def penalty_weight(architecture: Architecture) -> float:
    """Return how strongly the sparsity penalises activity; 0 for the TopK family."""
    sparsity = architecture.sparsity
    if isinstance(sparsity, ReLU | Gated):
        return sparsity.l1
    return sparsity.l0 if isinstance(sparsity, JumpReLU) else 0.0


def _unexplained(
    made: Sequence[Float[Tensor, "prefix row _"]],
    targets: Sequence[Float[Tensor, "row _"]],
    variances: Sequence[float],
) -> Float[Tensor, ""]:
    """Return the mean over targets and prefixes of the squared error beside the variance."""
    each = [
        mse_loss(one, target.expand_as(one), reduction="sum")
        / (one.shape[0] * one.shape[1] * variance)
        for one, target, variance in zip(made, targets, variances, strict=True)
    ]
    return torch.stack(each).mean()


def _left_over(
    dictionary: Dictionary,
    encoded: Sequence[Encoded],
    prefixes: Sequence[Float[Tensor, "prefix row _"]],
    targets: Sequence[Float[Tensor, "row _"]],
    wanted: Wanted,
) -> Float[Tensor, ""]:
    """Return what dead latents do not explain of the error of the whole dictionary.

    The error is fixed, so that this trains the dead latents alone: their decoder rows, and through
    their activations their encoder rows. Few dead latents count in proportion to their number.
    """
    error = [(target - one[-1]).detach() for one, target in zip(prefixes, targets, strict=True)]
    spares = [one.spare for one in encoded if one.spare is not None]
    made = dictionary.written(spares, nested=False)
    here = sum(len(one.among) for one in wanted.spare)
    dead = dictionary.share.latents.count(here)
    share = min(1.0, dead / sum(one.k for one in wanted.spare))
    return share * _unexplained(made, error, wanted.variance)


def _penalty(
    architecture: Architecture, encoded: Sequence[Encoded], variances: Sequence[float]
) -> Float[Tensor, ""]:
    quiet = []
    for one, reach in zip(encoded, architecture.reaches, strict=True):
        assert one.quiet is not None
        norm = sum(variances[target] for target in reach.targets) ** 0.5
        quiet.append(one.quiet / (1.0 if isinstance(architecture.sparsity, JumpReLU) else norm))
    return torch.stack(quiet).sum()


def _by_gate(
    dictionary: Dictionary,
    encoded: Sequence[Encoded],
    sources: Sequence[Float[Tensor, "row _"]],
    targets: Sequence[Float[Tensor, "row _"]],
    wanted: Wanted,
) -> Float[Tensor, ""]:
    """Return what the gate's own activations leave unexplained; no gradient for the decoder."""
    gates = [one.gate for one in encoded if one.gate is not None]
    made = dictionary.decode(gates, sources, fixed=True)
    return _unexplained(made, targets, wanted.variance)
