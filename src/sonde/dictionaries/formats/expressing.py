"""What another format can say of a dictionary, and in which other words."""

from dataclasses import replace
from typing import NoReturn

import torch
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.formats.weights import Weights
from sonde.dictionaries.sparsity import BatchTopK, TopK


def refuse(library: str, what: str, fix: str = "") -> NoReturn:
    """Say what a format cannot hold.

    Raises:
        SondeError: always.
    """
    raise SondeError(
        f"The format of {library} cannot hold {what}.", fix=fix or "Keep it as sonde's own file."
    )


def in_one_scale(dictionary: Dictionary, weights: Weights, library: str) -> Weights:
    """See that a choice by decoder norms is one without them, as it is where they are equal.

    BatchTopK's threshold is brought from scores to pre-activations.

    Raises:
        SondeError: TopK chooses by norms that differ.
    """
    sparsity = dictionary.architecture.sparsity
    if not isinstance(sparsity, TopK | BatchTopK) or not sparsity.by_norm:
        return weights
    norm = weights.one_norm()
    if isinstance(sparsity, BatchTopK):
        if norm is not None and weights.threshold is not None:
            return replace(weights, threshold=weights.threshold / norm)
        return weights  # thresholds of each latent say it; see as_jump_relu
    if norm is None:
        norms = weights.norms()
        refuse(
            library,
            f"a choice of latents by decoder norms that differ ({float(norms.min()):.3g} to "
            f"{float(norms.max()):.3g}) without changing the scale of activations",
        )
    return weights


def trained_threshold(dictionary: Dictionary, weights: Weights) -> Tensor:
    """Return BatchTopK's threshold, which is not negative.

    Raises:
        SondeError: it has none yet.
    """
    assert weights.threshold is not None
    if bool(weights.threshold.isnan()):
        raise SondeError(
            f"This {dictionary.architecture.name} has no threshold yet: BatchTopK learns it while "
            "training.",
            fix="Convert a dictionary that has seen batches.",
        )
    return weights.threshold.clamp(min=0)


def as_jump_relu(dictionary: Dictionary, weights: Weights) -> Weights:
    """Write BatchTopK's one threshold as one of each latent: JumpReLU, the same function.

    Scores by decoder norms become thresholds divided by them: ``p n > t`` is ``p > t / n``.
    """
    sparsity = dictionary.architecture.sparsity
    assert isinstance(sparsity, BatchTopK)
    threshold = trained_threshold(dictionary, weights)
    each = torch.full_like(weights.bias, float(threshold))
    if sparsity.by_norm and weights.one_norm() is None:
        each = torch.where(weights.norms() > 0, each / weights.norms(), torch.inf)
    return replace(weights, threshold=each)


def one_threshold(dictionary: Dictionary, weights: Weights, library: str) -> Tensor:
    """Return the one threshold of BatchTopK for a format that holds one alone.

    Raises:
        SondeError: it is of scores by decoder norms that differ.
    """
    sparsity = dictionary.architecture.sparsity
    assert isinstance(sparsity, BatchTopK)
    if sparsity.by_norm and weights.one_norm() is None:
        refuse(
            library,
            "one threshold of scores by decoder norms that differ",
            "SAELens' holds it, as JumpReLU (--to saelens).",
        )
    return trained_threshold(dictionary, weights)


def without_groups(dictionary: Dictionary, library: str) -> None:
    """See that a dictionary has no Matryoshka groups, which would be lost.

    Raises:
        SondeError: it has.
    """
    if dictionary.architecture.groups:
        sizes = ", ".join(f"{size:,}" for size in dictionary.architecture.groups)
        refuse(
            library,
            f"Matryoshka groups ({sizes}): which latents each prefix has would be lost",
            "To write the whole without its prefixes, add --drop-groups. Of what SAELens has "
            "(--to saelens), its settings keep them as a remark.",
        )
