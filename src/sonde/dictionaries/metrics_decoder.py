"""How alike the latents of a dictionary are: the cosine of each decoder row with its nearest."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

CHUNK = 1 << 24  # cosines at once: 64 MiB
ALIKE = 0.9  # cosine from which two latents say nearly the same


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The largest cosine of each decoder row with another latent's, and which that is.

    A row of zeros has cosine 0 with all. ``shared`` is the share of latents whose nearest has a
    cosine of at least 0.9: latents that were learnt twice.
    """

    cosine: Float[Tensor, " latent"]
    latent: Int[Tensor, " latent"]

    @property
    def mean(self) -> float:
        """The mean over latents, in [-1, 1]."""
        return float(self.cosine.double().mean())

    @property
    def shared(self) -> float:
        """The share of latents with a near twin."""
        return float((self.cosine >= ALIKE).double().mean())

    def quantile(self, share: float) -> float:
        """Return the cosine below which that share of latents lie."""
        return float(self.cosine.double().quantile(share))


@torch.no_grad()
def nearest_latents(decoder: Float[Tensor, "latent d"]) -> Nearest:
    """Return max over j != i of cos(decoder_i, decoder_j) for every latent i, some rows at a time.

    Blind to the length of each row. A dictionary of one latent has none other: its cosine is NaN
    and its nearest itself.
    """
    n = len(decoder)
    if n < 2:
        return Nearest(torch.full((n,), torch.nan), torch.arange(n))
    rows = decoder.detach().float()
    tiny = torch.finfo(rows.dtype).tiny
    unit = rows / rows.norm(dim=1, keepdim=True).clamp(min=tiny)
    cosines, latents = [], []
    size = max(1, CHUNK // n)
    for start in range(0, n, size):
        found = unit[start : start + size] @ unit.T
        own = torch.arange(len(found), device=found.device)
        found[own, start + own] = -torch.inf
        value, latent = found.max(dim=1)
        cosines.append(value.clamp(-1, 1))
        latents.append(latent)
    return Nearest(torch.cat(cosines).cpu(), torch.cat(latents).cpu())
