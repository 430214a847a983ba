"""Samples and counts of every latent, kept on the device while rows pass by."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.dictionaries.latents import Latents
from sonde.dictionaries.samples.active import Active, active_of
from sonde.dictionaries.samples.best import Best, Entries
from sonde.dictionaries.samples.draws import draws
from sonde.dictionaries.samples.settings import HALVES, SampleSettings


class SampleHeap:
    """Of every latent: the largest activations, some of each octave, some at random, and counts.

    Latents of several blocks are numbered ``block * d_sae + latent``. Memory is bounded by
    ``n_latents * settings.slots`` entries of 20 bytes, and ``HALVES + 3`` counts a latent. What is
    kept depends on the rows offered and their order alone, not on how they were cut into batches,
    and what is random in it on seed, token and latent; so a state that is stored and taken up again
    goes on as if it had never been away.

    ``rows`` are those offered; ``fired`` counts activations other than 0, ``total`` sums them,
    ``histogram`` counts them by size: up to the threshold, then by half octaves above it.
    """

    def __init__(
        self, n_latents: int, settings: SampleSettings, device: torch.device | str = "cpu"
    ) -> None:
        self.n_latents = n_latents
        self.settings = settings
        self.rows = torch.zeros((), dtype=torch.int64, device=device)
        self.fired = torch.zeros(n_latents, dtype=torch.int64, device=device)
        self.total = torch.zeros(n_latents, dtype=torch.float64, device=device)
        self.histogram = torch.zeros(n_latents, HALVES + 1, dtype=torch.int64, device=device)
        strata = settings.strata
        self.top = Best(n_latents, settings.per_latent, device)
        self.strata = Best(n_latents * strata, settings.per_stratum, device)
        self.uniform = Best(n_latents, settings.uniform, device)
        self.edges = torch.tensor(settings.edges, device=device)

    @torch.no_grad()
    def offer(self, latents: Sequence[Latents], token: Int[Tensor, " row"], step: int) -> None:
        """Count the activations of a batch, and keep what belongs into the samples.

        ``latents`` are those of each block, ``token`` the number of each row in its corpus.

        Raises:
            SondeError: the latents are not as many as the samples were set up for.
        """
        found = active_of(latents, self.n_latents)
        token = token.to(self.fired.device)
        self.rows += len(token)
        bins = torch.bucketize(found.value, self.edges)
        self._count(found, bins)
        found, bins = found[bins > 0], bins[bins > 0]
        turn = _turns(token)
        for number in range(int(turn.max()) + 1 if len(turn) else 0):
            now = turn[found.row] == number
            self._keep(found[now], token, bins[now], step)

    def tensors(self) -> dict[str, Tensor]:
        """Return the state, for a checkpoint; the tensors are the heap's own."""
        counts = {
            "rows": self.rows,
            "fired": self.fired,
            "total": self.total,
            "histogram": self.histogram,
        }
        return counts | {
            f"{name}.{column}": tensor
            for name, best in self._kinds().items()
            for column, tensor in best.tensors().items()
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take up the state that ``tensors`` gave.

        Raises:
            SondeError: it is that of other settings or another number of latents.
        """
        own = self.tensors()
        there = {name: tuple(tensors[name].shape) for name in tensors}
        wanted = {name: tuple(tensor.shape) for name, tensor in own.items()}
        if there != wanted:
            wrong = sorted(n for n in there.keys() | wanted.keys() if there.get(n) != wanted.get(n))
            raise SondeError(
                f"These samples were kept with other settings: {', '.join(wrong[:4])} are "
                "missing, too many or of another shape.",
                fix="Go on with the settings of the run that wrote the checkpoint, or start anew.",
            )
        for name, tensor in own.items():
            tensor.copy_(tensors[name])

    def _kinds(self) -> dict[str, Best]:
        return {"top": self.top, "strata": self.strata, "uniform": self.uniform}

    def _count(self, found: Active, bins: Int[Tensor, " active"]) -> None:
        self.fired += torch.bincount(found.latent, minlength=self.n_latents)
        self.total.index_add_(0, found.latent, found.value.double())
        width = self.histogram.shape[1]
        flat = torch.bincount(found.latent * width + bins, minlength=self.n_latents * width)
        self.histogram += flat.view(self.n_latents, width)

    def _keep(self, found: Active, tokens: Tensor, bins: Tensor, step: int) -> None:
        value, token, latent = found.value, tokens[found.row], found.latent
        at = torch.full_like(token, step, dtype=torch.int32)
        # Read as whole numbers, positive floats are in the same order.
        size = value.contiguous().view(torch.int32)
        self.top.offer(latent, Entries(size, value, token, at))
        drawn = Entries(draws(self.settings.seed, token, latent), value, token, at)
        self.uniform.offer(latent, drawn)
        if self.settings.strata:
            octave = (bins - 1).div(2, rounding_mode="floor")
            stratum = octave.clamp(max=self.settings.strata - 1)
            self.strata.offer(latent * self.settings.strata + stratum, drawn)


def _turns(token: Int[Tensor, " row"]) -> Int[Tensor, " row"]:
    """Return how many rows of the batch before each are of the same token: 0 but for epochs."""
    order = token.argsort(stable=True)
    _, counts = token[order].unique_consecutive(return_counts=True)
    starts = (counts.cumsum(0) - counts).repeat_interleave(counts)
    turn = torch.empty_like(order)
    turn[order] = torch.arange(len(order), device=order.device) - starts
    return turn
