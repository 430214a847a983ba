"""Where a dictionary's weights start."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sonde.dictionaries.block import Block
from sonde.dictionaries.dictionary import Dictionary

# Lengths of encoder rows beside the 1 of decoder rows. Begun at 1, reconstructions are too large,
# half of the latents fire, and many die on the way back: an SAE of real activations ended with an
# FVU 4 to 10 % higher, and JumpReLU on known causes with an MCC of .36 rather than .98.
SHORT = 0.3
APART = 0.1  # of a transcoder, whose rows do not yet read what they write
# Tells these draws from others of the same seed: numpy takes (0, 0, 0) and (0, 0) for one stream,
# and a dictionary would start at the causes of activations that were made with its seed.
STREAM = 0xD1C7


@torch.no_grad()
def initialise(
    dictionary: Dictionary, seed: int, centres: Sequence[Float[Tensor, " _"]] = ()
) -> Dictionary:
    """Start the weights of a dictionary, in place, as a function of the seed alone.

    Decoder rows are drawn on the unit sphere. An SAE's encoder is the decoder's transpose, so that
    latents begin by reading what they write (Gao et al. 2024), but shorter; a transcoder's encoder
    rows are drawn apart, and shorter still.
    Biases of latents and skips start at 0, the targets' biases at ``centres``.
    """
    autoencoder = dictionary.architecture.is_autoencoder and not dictionary.architecture.cross_layer
    for number, block in enumerate(dictionary.parts):
        block.decoder.copy_(_directions(block.decoder, (seed, number, 0)))
        if autoencoder:
            block.encoder.copy_(SHORT * block.decoder)
        else:
            block.encoder.copy_(APART * _directions(block.encoder, (seed, number, 1)))
        _rest(block)
    for bias, centre in zip(dictionary.bias, centres, strict=bool(centres)):
        bias.copy_(centre)
    return dictionary


def _directions(like: Tensor, seed: tuple[int, ...]) -> Float[Tensor, "latent d"]:
    drawn = torch.from_numpy(np.random.default_rng([STREAM, *seed]).standard_normal(like.shape))
    return (drawn / drawn.norm(dim=1, keepdim=True)).to(like)


def _rest(block: Block) -> None:
    """Start what belongs to one kind of sparsity alone."""
    block.bias.zero_()
    if hasattr(block, "gate_bias"):
        block.gate_bias.zero_()
        block.log_scale.zero_()
