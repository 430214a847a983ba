"""Which latents are dead, and how dead ones begin again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.dictionaries.block import Spare
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.latents import Latents
from sonde.dictionaries.parallel.share import WHOLE, Share
from sonde.dictionaries.sparsity import JumpReLU
from sonde.dictionaries.training.settings import AuxK, Resampling


@dataclass(slots=True, eq=False)
class Living:
    """How many rows ago each latent of each block was active last; ``dead_after`` is the limit."""

    since: list[Int[Tensor, " latent"]]
    dead_after: int
    share: Share = WHOLE

    @classmethod
    def of(cls, dictionary: Dictionary, dead_after: int) -> "Living":
        """Begin with all latents alive."""
        return cls(
            [
                torch.zeros(len(block.bias), dtype=torch.long, device=block.bias.device)
                for block in dictionary.parts
            ],
            dead_after,
            dictionary.share,
        )

    def saw(self, latents: Sequence[Latents], rows: int) -> None:
        """Count the rows of a batch."""
        for since, own in zip(self.since, latents, strict=True):
            since.add_(rows)
            since.masked_fill_(self.share.rows.sum(own.fired()) > 0, 0)

    def dead(self) -> list[Int[Tensor, " dead"]]:
        """Return the numbers of each block's dead latents."""
        return [(since >= self.dead_after).nonzero().flatten() for since in self.since]

    def spares(self, aux: AuxK, widths: Sequence[int]) -> tuple[Spare, ...]:
        """Return what an auxiliary loss picks from, nothing where no latent is dead.

        ``widths`` are those of what the blocks read.
        """
        dead = self.dead()
        if not self.share.latents.count(sum(len(one) for one in dead)):
            return ()
        return tuple(
            Spare(aux.k or max(1, width // 2), among)
            for among, width in zip(dead, widths, strict=True)
        )

    @property
    def n_dead(self) -> int:
        """How many latents are dead."""
        return self.share.latents.count(sum(len(one) for one in self.dead()))


@torch.no_grad()
def resample(
    dictionary: Dictionary,
    living: Living,
    read: Sequence[Float[Tensor, "row d_in"]],
    missed: Sequence[Float[Tensor, "row d_out"]],
    settings: Resampling,
    seed: tuple[int, int],
) -> list[Int[Tensor, " dead"]]:
    """Let dead latents begin again; return their numbers, whose moments are to be forgotten.

    Each takes a row of the batch, drawn with a probability proportional to its squared error
    squared: its decoder row gets the direction of what was ``missed`` there, its encoder row that
    of what the block ``read``, times ``share`` of the mean norm of living encoder rows. No row is
    taken twice, since two latents that begin alike stay alike; dead latents beyond the rows wait.
    Where an error is not finite none begins again: the loss is not finite either, which is for the
    loop to tell.
    """
    dead = living.dead()
    revived = []
    for number, (block, silent, x, error) in enumerate(
        zip(dictionary.parts, dead, read, missed, strict=True)
    ):
        chance = error.double().square().sum(dim=1).square().cpu().numpy()
        rng = np.random.default_rng([*seed, number])
        finite = bool(np.isfinite(chance).all())
        if finite and not chance.any():
            chance = np.ones_like(chance)
        among = silent[: np.count_nonzero(chance) if finite else 0]
        revived.append(among)
        if not len(among):
            continue
        drawn = rng.choice(len(chance), size=len(among), p=chance / chance.sum(), replace=False)
        row = torch.from_numpy(drawn).to(among.device)
        alive = torch.ones(len(block.bias), dtype=torch.bool, device=among.device)
        alive[among] = False
        norms = block.encoder[alive].norm(dim=1)
        length = float(norms.mean()) if len(norms) else 1.0
        block.decoder[among] = torch.nn.functional.normalize(error[row], dim=1)
        direction = torch.nn.functional.normalize(x[row], dim=1)
        block.encoder[among] = settings.share * length * direction
        block.bias[among] = 0.0
        if hasattr(block, "gate_bias"):
            block.gate_bias[among] = 0.0
            block.log_scale[among] = 0.0
        if isinstance(block.sparsity, JumpReLU):
            block.threshold[among] = block.sparsity.threshold
        living.since[number][among] = 0
    return revived
