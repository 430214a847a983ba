"""The weights of a dictionary of one block, as formats give and take them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.core.base import validated
from sonde.core.errors import SondeError
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.formats.content import Content
from sonde.dictionaries.formats.foreign_hooks import Chosen

ALIKE = 1e-5  # decoder norms that differ less, relatively, are one norm


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """One block: a latent's encoder and decoder rows together.

    ``out_bias`` is the decoder's; ``skip`` is ``[d_out, d_in]``. What a sparsity has not is None.
    """

    encoder: Float[Tensor, "latent d_in"]
    bias: Float[Tensor, " latent"]
    decoder: Float[Tensor, "latent d_out"]
    out_bias: Float[Tensor, " d_out"]
    threshold: Tensor | None = None
    gate_bias: Float[Tensor, " latent"] | None = None
    log_scale: Float[Tensor, " latent"] | None = None
    skip: Float[Tensor, "d_out d_in"] | None = None

    def norms(self) -> Float[Tensor, " latent"]:
        """Return the norms of the decoder's rows."""
        return self.decoder.norm(dim=1)

    def one_norm(self) -> float | None:
        """Return the norm of all decoder rows, if they have one."""
        norms = self.norms()
        low, high = float(norms.min()), float(norms.max())
        return (low + high) / 2 if low > 0 and high <= low * (1 + ALIKE) else None


def described(
    content: Content, hooks: Chosen, *, d_in: int, d_out: int, **choices: Any
) -> Architecture:
    """Return the architecture that files describe, of the same width at each of its hook points.

    Raises:
        SondeError: what they say does not go together, as k above the number of latents.
    """
    given = {
        "sources": hooks.sources,
        "targets": hooks.targets,
        "d_in": (d_in,) * len(hooks.sources),
        "d_out": (d_out,) * len(hooks.targets),
        **choices,
    }
    try:
        return validated(Architecture, given, where=content.where)
    except SondeError as error:
        fix = "Check that settings and weights belong together, or copy them again."
        raise SondeError(error.what, fix=fix) from None


def made(architecture: Architecture, weights: Weights) -> Dictionary:
    """Return the dictionary of one block with these weights."""
    dictionary = Dictionary(architecture)
    block = dictionary.parts[0]
    own = block.state_dict()
    given = {name: getattr(weights, name).reshape(there.shape) for name, there in own.items()}
    block.load_state_dict(given)
    dictionary.bias[0].data.copy_(weights.out_bias)
    if dictionary.skip is not None:
        assert weights.skip is not None
        dictionary.skip[0].data.copy_(weights.skip)
    return dictionary.eval()


def taken(dictionary: Dictionary) -> Weights:
    """Return the weights of a dictionary of one block, in float32 and on the CPU.

    Raises:
        SondeError: it has several sources or targets.
    """
    architecture = dictionary.architecture
    if len(architecture.sources) > 1 or len(architecture.outputs) > 1:
        raise SondeError(
            f"A {architecture.name} has {len(architecture.sources)} sources and "
            f"{len(architecture.outputs)} targets, and this format holds one of each.",
            fix="Keep it as sonde's own file.",
        )
    block = dictionary.parts[0]
    found = {name: _plain(tensor) for name, tensor in block.state_dict().items()}
    skip = None if dictionary.skip is None else _plain(dictionary.skip[0])
    return Weights(**found, out_bias=_plain(dictionary.bias[0]), skip=skip)


def recentred(weights: Weights, *, centred: bool, wanted: bool) -> Weights:
    """Move ``encoder out_bias`` between biases, so that the same latents are encoded.

    ``(x - b) W' + c = x W' + (c - b W')``: a format that always, or never, takes the decoder's bias
    off its input can say either.
    """
    if centred == wanted:
        return weights
    shift = (weights.encoder.double() @ weights.out_bias.double()) * (1 if wanted else -1)
    if weights.gate_bias is None:
        return replace(weights, bias=_moved(weights.bias, shift))
    assert weights.log_scale is not None
    return replace(
        weights,
        bias=_moved(weights.bias, shift * weights.log_scale.double().exp()),
        gate_bias=_moved(weights.gate_bias, shift),
    )


def rescaled(weights: Weights, scale: Float[Tensor, " latent"]) -> Weights:
    """Multiply activations by ``scale`` and divide decoder rows by it: the same is made of rows."""
    scale = scale.double()

    def times(one: Tensor) -> Tensor:
        return (one.double() * scale).float()

    threshold, gate = weights.threshold, weights.gate_bias
    return replace(
        weights,
        encoder=(weights.encoder.double() * scale[:, None]).float(),
        bias=times(weights.bias),
        decoder=(weights.decoder.double() / scale[:, None]).float(),
        threshold=times(threshold) if threshold is not None and threshold.ndim else threshold,
        gate_bias=None if gate is None else times(gate),
    )


def _moved(bias: Tensor, shift: Tensor) -> Tensor:
    return (bias.double() + shift).float()


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", torch.float32).contiguous().clone()


def made_like(architecture: Any, tensors: Mapping[str, Tensor]) -> Dictionary:
    """Return the dictionary of an architecture, as settings or whole, with these tensors.

    Raises:
        SondeError: the settings are none of an architecture.
    """
    dictionary = Dictionary(validated(Architecture, architecture, where="The dictionary"))
    dictionary.load_state_dict({name: one.clone() for name, one in tensors.items()})
    return dictionary.eval()
