"""Fold scales of inputs and targets into the weights: saved ones take raw activations."""

from collections.abc import Sequence

import torch

from sonde.core.errors import SondeError
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.sparsity import BatchTopK, TopK


@torch.no_grad()
def folded(
    dictionary: Dictionary, scale_in: Sequence[float], scale_out: Sequence[float] = ()
) -> Dictionary:
    """Return the dictionary of raw activations that does what this one does of scaled ones.

    It was trained on ``scale_in[i] * source_i`` to give ``scale_out[j] * target_j``; scales of
    targets that are sources are those of the sources. Pre-activations, and so which latents are
    active and how much, stay the same.

    Raises:
        SondeError: there is not one positive scale for each source and target, an SAE or crosscoder
            is given other scales out than in, or latents are chosen by decoder norms that different
            scales would change.
    """
    architecture = dictionary.architecture
    scales_out = tuple(scale_out) or tuple(scale_in)
    _check(architecture, tuple(scale_in), scales_out)
    made = Dictionary(architecture).to(next(dictionary.parameters()))
    made.load_state_dict(dictionary.state_dict())
    for block, reach in zip(made.parts, architecture.reaches, strict=True):
        read = [architecture.d_in[one] for one in reach.sources]
        written = [architecture.widths_out[one] for one in reach.targets]
        columns = zip(block.encoder.split(read, dim=1), reach.sources, strict=True)
        for part, source in columns:
            part.mul_(scale_in[source])
        for part, target in zip(block.decoder.split(written, dim=1), reach.targets, strict=True):
            part.div_(scales_out[target])
    for target, bias in enumerate(made.bias):
        bias.div_(scales_out[target])
        if made.skip is not None:
            own = [target] if architecture.cross_layer else range(len(architecture.sources))
            parts = made.skip[target].split([architecture.d_in[one] for one in own], dim=1)
            for part, source in zip(parts, own, strict=True):
                part.mul_(scale_in[source] / scales_out[target])
    return made


@torch.no_grad()
def rescaled(dictionary: Dictionary, factor: float) -> Dictionary:
    """Return the dictionary with activations ``factor`` times as large, and the same targets.

    A common factor changes neither which latents are active nor what they make.
    """
    made = Dictionary(dictionary.architecture).to(next(dictionary.parameters()))
    made.load_state_dict(dictionary.state_dict())
    for block in made.parts:
        block.encoder.mul_(factor)
        block.bias.mul_(factor)
        block.decoder.div_(factor)
        for name in ("threshold", "gate_bias"):
            if hasattr(block, name):
                getattr(block, name).mul_(factor)
    return made


@torch.no_grad()
def without_norms(dictionary: Dictionary) -> Dictionary:
    """Return a dictionary that chooses latents without norms, and does what this one does.

    Where latents are chosen by pre-activations times norms of decoder rows (``by_norm``), the norms
    go into encoder and bias, and decoder rows of length 1 are left. Others are returned as they
    are.
    """
    architecture, sparsity = dictionary.architecture, dictionary.architecture.sparsity
    if not isinstance(sparsity, TopK | BatchTopK) or not sparsity.by_norm:
        return dictionary
    plain = sparsity.model_copy(update={"by_norm": False})
    made = Dictionary(architecture.model_copy(update={"sparsity": plain}))
    made = made.to(next(dictionary.parameters()))
    made.load_state_dict(dictionary.state_dict())
    for block in made.parts:
        norm = block.decoder.norm(dim=1)
        block.encoder.mul_(norm[:, None])
        block.bias.mul_(norm)
        block.decoder.div_(norm[:, None].clamp(min=torch.finfo(norm.dtype).tiny))
    return made


def _check(
    architecture: Architecture, scale_in: tuple[float, ...], scale_out: tuple[float, ...]
) -> None:
    counts = (len(architecture.sources), len(architecture.outputs))
    given = (len(scale_in), len(scale_out))
    if given != counts or not all(0 < one < float("inf") for one in (*scale_in, *scale_out)):
        raise SondeError(
            f"Scales {list(scale_in)} and {list(scale_out)} do not fit {counts[0]} sources and "
            f"{counts[1]} targets.",
            fix="Give one positive number for each.",
        )
    if architecture.is_autoencoder and scale_in != scale_out:
        raise SondeError(
            f"The sources of a {architecture.name} are its targets, and are scaled by "
            f"{list(scale_in)} in and {list(scale_out)} out.",
            fix="Leave scale_out away.",
        )
    sparsity = architecture.sparsity
    by_norm = isinstance(sparsity, TopK | BatchTopK) and sparsity.by_norm
    if by_norm and len(set(scale_out)) > 1:
        raise SondeError(
            "Latents chosen by the norms of decoder rows would be others once targets of different "
            f"scales, {list(scale_out)}, are folded in.",
            fix="Scale all targets alike, or fold the norms first (without_norms).",
        )
