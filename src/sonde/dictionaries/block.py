"""A block of latents: encoder, sparsity and decoder, from what it reads to what it writes."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sonde.dictionaries.choosing import Above, Chosen, Picker, TopOfBatch
from sonde.dictionaries.jumps import count_active, jump
from sonde.dictionaries.latents import Latents
from sonde.dictionaries.parallel.share import WHOLE, Share
from sonde.dictionaries.products import picked
from sonde.dictionaries.sparsity import BatchTopK, Gated, JumpReLU, ReLU, Sparsity, TopK

# Pre-activations at a time: 32 MiB, in one place that every chunk uses again. Larger ones take
# fresh pages each time; of smaller ones the product is slower.
CHUNK = 1 << 23
NEARLY = 0.8  # of the threshold so far: below, a batch's k highest scores hardly ever lie


@dataclass(frozen=True, slots=True, eq=False)
class Spare:
    """The ``k`` highest of some latents, chosen beside the active ones: dead ones, to revive."""

    k: int
    among: Int[Tensor, " some"]


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """What a block makes of rows while it trains.

    ``quiet`` is what its sparsity penalises: a mean over rows of the sum of activations times
    decoder norms (ReLU, and the gate of gated latents) or of the number of active latents
    (JumpReLU); None for the TopK family. ``gate`` are the gate's own activations. ``spare`` are
    those of latents that were asked for beside.
    """

    latents: Latents
    quiet: Float[Tensor, ""] | None = None
    gate: Latents | None = None
    spare: Latents | None = None


class Block(nn.Module):
    """``latents = sparse(encoder x + bias)``, decoded by the rows of ``decoder``.

    ``encoder`` is ``[d_sae, d_in]`` and ``decoder`` ``[d_sae, d_out]``: a latent's weights lie
    together, so that those of active ones can be touched alone. ``threshold`` is there for
    JumpReLU, one a latent, and for BatchTopK, one for all; ``gate_bias`` and ``log_scale`` for
    gated latents, whose own bias is that of the magnitude. Of a dictionary that several processes
    share, these are the latents that are here.
    """

    def __init__(
        self, d_in: int, d_out: int, d_sae: int, sparsity: Sparsity, share: Share = WHOLE
    ) -> None:
        super().__init__()
        self.sparsity = sparsity
        self.share = share
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
        pre-activations of some rows at a time, which are not kept.
        """
        return self.encode_for_training(x).latents

    def encode_for_training(
        self, x: Float[Tensor, "row d_in"], spare: Spare | None = None, k: int | None = None
    ) -> Encoded:
        """Encode, and return what a loss needs besides.

        ``k`` takes the place of that of TopK and BatchTopK, whose ``spare`` latents are chosen
        from the same pre-activations.
        """
        if isinstance(self.sparsity, TopK | BatchTopK):
            chosen, beside = self.choose(x, spare, k)
            extra = None if beside is None else self.read_at(x, beside)
            return Encoded(self.read_at(x, chosen), spare=extra)
        pre = x @ self.encoder.T
        if isinstance(self.sparsity, Gated):
            return self._gated(pre)
        pre = pre + self.bias
        if isinstance(self.sparsity, JumpReLU):
            bandwidth = self.sparsity.bandwidth
            latents = Latents(jump(pre, self.threshold, bandwidth))
            if not torch.is_grad_enabled():
                return Encoded(latents)
            active = count_active(pre.relu(), self.threshold, bandwidth)
            return Encoded(latents, quiet=active.sum(dim=1).mean())
        assert isinstance(self.sparsity, ReLU)
        dense = pre.relu()
        return Encoded(Latents(dense), quiet=self._length(dense))

    @torch.no_grad()
    def choose(
        self, x: Float[Tensor, "row d_in"], spare: Spare | None = None, k: int | None = None
    ) -> tuple[Chosen, Chosen | None]:
        """Return the latents that TopK or BatchTopK takes, and those chosen beside."""
        sparsity = self.sparsity
        assert isinstance(sparsity, TopK | BatchTopK)
        positive = not isinstance(sparsity, TopK) or sparsity.relu
        share = self.share
        beside = None if spare is None else share.top_among(spare.k, spare.among)
        own = k or sparsity.k
        if isinstance(sparsity, TopK):
            picker: Picker = share.top_of_rows(own, positive, self.bias)
        elif not self.training and not bool(self.threshold.isnan()):
            picker = Above(float(self.threshold.clamp(min=0)))
        else:
            bound = NEARLY * float(self.threshold.nan_to_num())
            picker = share.top_of_batch(own, len(x), bound)
        self._show(x, [picker] if beside is None else [picker, beside])
        if isinstance(picker, TopOfBatch):
            if picker.fell_short:
                picker = share.top_of_batch(own, len(x))
                self._show(x, [picker])
            self._follow(picker.smallest())
        return picker.chosen(), None if beside is None else beside.chosen()

    def read_at(self, x: Float[Tensor, "row d_in"], chosen: Chosen) -> Latents:
        """Return chosen latents' activations, with gradients of theirs alone."""
        value = chosen.value
        if torch.is_grad_enabled():
            value = picked(x, self.encoder, self.bias, value, chosen.places)
        return Latents(value, chosen.places)

    def _show(self, x: Float[Tensor, "row d_in"], pickers: list[Picker]) -> None:
        """Let pickers look at the pre-activations, some rows at a time."""
        sparsity = self.sparsity
        by_norm = isinstance(sparsity, TopK | BatchTopK) and sparsity.by_norm
        norm = self.decoder.norm(dim=1) if by_norm else None
        chunks = max(1, math.ceil(len(x) * len(self.bias) / CHUNK))
        size = math.ceil(len(x) / chunks)
        mixed = torch.is_autocast_enabled(x.device.type)
        rooms = () if mixed else x.new_empty(1 if norm is None else 2, size, len(self.bias))
        for part in x.split(size):
            out = [one[: len(part)] for one in rooms] or [None, None]
            pre = torch.addmm(self.bias, part, self.encoder.T, out=out[0])
            pre = pre.float() if mixed else pre  # scores and thresholds in float32
            score = pre if norm is None else torch.mul(pre, norm, out=out[1])
            for picker in pickers:
                picker.add(pre, score)

    def _follow(self, smallest: Float[Tensor, ""] | None) -> None:
        """Move the threshold of BatchTopK towards the smallest active value of a batch."""
        if not self.training or smallest is None:
            return
        assert isinstance(self.sparsity, BatchTopK)
        decay, first = self.sparsity.decay, self.threshold.isnan()
        moved = decay * self.threshold + (1 - decay) * smallest
        self.threshold.copy_(torch.where(first, smallest, moved))

    def _gated(self, pre: Float[Tensor, "row d_sae"]) -> Encoded:
        """Return magnitudes where the gate is open; the gate learns by its own loss alone."""
        gate = torch.relu(pre + self.gate_bias)
        magnitude = torch.relu(pre * self.log_scale.exp() + self.bias)
        latents = Latents(torch.where(gate > 0, magnitude, 0.0))
        return Encoded(latents, quiet=self._length(gate), gate=Latents(gate))

    def _length(self, activations: Float[Tensor, "row d_sae"]) -> Float[Tensor, ""]:
        """Return the sum of activations times decoder norms, a mean over rows.

        Rows are summed first: no product that autocast would take in bfloat16, and no dense copy.
        """
        return (activations.sum(dim=0) * self.decoder.norm(dim=1)).sum() / len(activations)
