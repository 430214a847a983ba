"""From a dictionary of scaled rows, which is trained, to one of raw rows, which is kept."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from sonde.core.hooks import HookPoint, parse_hook_point
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.folding import folded, rescaled, without_norms
from sonde.dictionaries.latents import Latents
from sonde.dictionaries.sparsity import BatchTopK, TopK


@dataclass(frozen=True, slots=True)
class RawUnits:
    """Scales of rows by hook point, and what they mean for weights and activations.

    A dictionary of raw rows has activations in units of raw targets: decoder rows of length 1 stay
    so where there is one target; of several targets the scales' geometric mean is taken.
    """

    architecture: Architecture
    scale: Mapping[HookPoint, float]

    @property
    def unit(self) -> float:
        """What a raw activation is multiplied by to give that of scaled rows."""
        scales = self._of(self.architecture.outputs)
        return math.prod(scales) ** (1 / len(scales))

    def dictionary(self, scaled: Dictionary) -> Dictionary:
        """Return a dictionary of scaled rows as one of raw rows, which does not train."""
        inputs, outputs = self._of(self.architecture.sources), self._of(self.architecture.outputs)
        apart = () if self.architecture.is_autoencoder else outputs
        return rescaled(folded(without_norms(scaled), inputs, apart), 1 / self.unit).eval()

    @torch.no_grad()
    def activations(self, scaled: Dictionary, latents: Sequence[Latents]) -> list[Latents]:
        """Return activations of scaled rows as those that ``dictionary`` has of raw ones."""
        sparsity = self.architecture.sparsity
        by_norm = isinstance(sparsity, TopK | BatchTopK) and sparsity.by_norm
        found = []
        for block, one in zip(scaled.parts, latents, strict=True):
            value = one.value / self.unit
            if by_norm and one.places is not None:
                value = value * block.decoder.norm(dim=1)[one.places.latent]
            found.append(Latents(value, one.places))
        return found

    def _of(self, hooks: Sequence[str]) -> list[float]:
        return [self.scale[parse_hook_point(hook)] for hook in hooks]
