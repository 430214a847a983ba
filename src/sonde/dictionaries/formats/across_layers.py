"""A cross-layer transcoder from the weights of its layers."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.formats.content import Content
from sonde.dictionaries.formats.foreign_hooks import Chosen
from sonde.dictionaries.formats.weights import described
from sonde.dictionaries.sparsity import JumpReLU, ReLU


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What one layer's latents read, and write into their own and all later layers."""

    encoder: Float[Tensor, "latent d"]
    bias: Float[Tensor, " latent"]
    decoder: Float[Tensor, "latent layer d"]
    out_bias: Float[Tensor, " d"]
    threshold: Float[Tensor, " latent"] | None = None
    skip: Float[Tensor, "d d"] | None = None


def across(content: Content, hooks: Chosen, layers: Sequence[Layer]) -> Dictionary:
    """Return the dictionary of these layers: JumpReLU where they have thresholds, else ReLU.

    Raises:
        SondeError: there is one layer alone, or a hook point is named twice.
    """
    d_sae, d = layers[0].encoder.shape
    has_skip = any(layer.skip is not None for layer in layers)
    architecture = described(
        content,
        hooks,
        d_in=int(d),
        d_out=int(d),
        d_sae=int(d_sae),
        sparsity=ReLU() if layers[0].threshold is None else JumpReLU(),
        skip=has_skip,
        cross_layer=True,
    )
    found = Dictionary(architecture)
    for number, (block, layer) in enumerate(zip(found.parts, layers, strict=True)):
        given = {
            "encoder": layer.encoder,
            "bias": layer.bias,
            "decoder": layer.decoder.reshape(len(layer.decoder), -1),
        }
        if layer.threshold is not None:
            given["threshold"] = layer.threshold
        block.load_state_dict(given)
        found.bias[number].data.copy_(layer.out_bias)
        if found.skip is not None and layer.skip is not None:
            found.skip[number].data.copy_(layer.skip)
    return found.eval()
