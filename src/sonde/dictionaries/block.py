"""A block of latents: encoder, sparsity and decoder, from what it reads to what it writes."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sonde.dictionaries.choosing import batch_top_places, top_places, values_at
from sonde.dictionaries.jumps import jump
from sonde.dictionaries.latents import Latents
from sonde.dictionaries.places import Places
from sonde.dictionaries.products import picked
from sonde.dictionaries.sparsity import BatchTopK, Gated, JumpReLU, ReLU, Sparsity, TopK

MANY = 0.05  # share of active latents from which dense products are the faster


class Block(nn.Module):
    """``latents = sparse(encoder x + bias)``, decoded by the rows of ``decoder``.

    ``encoder`` is ``[d_sae, d_in]`` and ``decoder`` ``[d_sae, d_out]``: a latent's weights lie
    together, so that those of active ones can be touched alone. ``threshold`` is there for
    JumpReLU, one a latent, and for BatchTopK, one for all; ``gate_bias`` and ``log_scale`` for
    gated latents, whose own bias is that of the magnitude.
    """

    def __init__(self, d_in: int, d_out: int, d_sae: int, sparsity: Sparsity) -> None:
        super().__init__()
        self.sparsity = sparsity
        self.encoder = nn.Parameter(torch.zeros(d_sae, d_in))
        self.bias = nn.Parameter(torch.zeros(d_sae))
        self.decoder = nn.Parameter(torch.zeros(d_sae, d_out))
        if isinstance(sparsity, JumpReLU):
            self.threshold = nn.Parameter(torch.full((d_sae,), sparsity.threshold))
        elif isinstance(sparsity, BatchTopK):
            self.register_buffer("threshold", torch.tensor(math.nan))
        elif isinstance(sparsity, Gated):
            self.gate_bias = nn.Parameter(torch.zeros(d_sae))
            self.log_scale = nn.Parameter(torch.zeros(d_sae))

    def encode(self, x: Float[Tensor, "row d_in"]) -> Latents:
        """Return the latents' activations, with gradients where the mode is training.

        Of TopK and BatchTopK no dense gradient is ever made, and of what is dense only the
        pre-activations, which are not kept.
        """
        if isinstance(self.sparsity, TopK | BatchTopK):
            return self.read_at(x, self.choose(self.pre_activations(x)))
        pre = x @ self.encoder.T
        if isinstance(self.sparsity, Gated):
            dense = self._gated(pre)
        elif isinstance(self.sparsity, JumpReLU):
            dense = jump(pre + self.bias, self.threshold, self.sparsity.bandwidth)
        else:
            assert isinstance(self.sparsity, ReLU)
            dense = torch.relu(pre + self.bias)
        return Latents(dense)

    @torch.no_grad()
    def pre_activations(self, x: Float[Tensor, "row d_in"]) -> Float[Tensor, "row d_sae"]:
        """Return ``x encoder' + bias``, without gradients."""
        return torch.addmm(self.bias, x, self.encoder.T)

    @torch.no_grad()
    def choose(self, pre: Float[Tensor, "row d_sae"]) -> tuple[Places, Float[Tensor, " active"]]:
        """Return which latents TopK and BatchTopK take, and their pre-activations."""
        sparsity = self.sparsity
        assert isinstance(sparsity, TopK | BatchTopK)
        score = pre * self.decoder.norm(dim=1) if sparsity.by_norm else pre
        if isinstance(sparsity, TopK):
            places = top_places(score, sparsity.k, positive=sparsity.relu)
        elif self.training or bool(self.threshold.isnan()):
            places = batch_top_places(score, sparsity.k)
        else:
            places = Places.of_mask(score > self.threshold.clamp(min=0))
        if self.training and isinstance(sparsity, BatchTopK) and len(places.latent):
            self._follow(values_at(score, places).min(), sparsity.decay)
        return places, values_at(pre, places)

    def read_at(
        self,
        x: Float[Tensor, "row d_in"],
        chosen: tuple[Places, Float[Tensor, " active"]],
    ) -> Latents:
        """Return chosen latents' activations, with gradients of theirs alone."""
        places, value = chosen
        if torch.is_grad_enabled():
            value = picked(x, self.encoder, self.bias, value, places)
        return Latents(value, places)

    def _follow(self, smallest: Tensor, decay: float) -> None:
        """Move the threshold towards the smallest active value of a batch."""
        first = self.threshold.isnan()
        moved = decay * self.threshold + (1 - decay) * smallest
        self.threshold.copy_(torch.where(first, smallest, moved))

    def _gated(self, pre: Float[Tensor, "row d_sae"]) -> Float[Tensor, "row d_sae"]:
        """Return magnitudes where the gate is open; the gate learns by its own loss alone."""
        magnitude = torch.relu(pre * self.log_scale.exp() + self.bias)
        return torch.where(pre + self.gate_bias > 0, magnitude, 0.0)
