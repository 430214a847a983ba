"""What makes targets of sources: a dictionary, and what it is held against."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.activations.row_batches import RowBatch, TensorRows
from sonde.core.hooks import HookPoint, parse_hook_point
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.dictionary import Dictionary, Reconstruction
from sonde.dictionaries.metrics_quality import PRE_ACTIVATIONS
from sonde.dictionaries.metrics_sums import ReconstructionSums
from sonde.dictionaries.training.settings import Training
from sonde.dictionaries.training.start import start_of
from sonde.dictionaries.training.trainee import Trainee
from sonde.evals.linear_rank import LARGEST, LinearRank, fit_linear

DICTIONARY, UNTRAINED, LINEAR = "dictionary", "untrained", "linear"


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """Something that reconstructs, by name; ``architecture`` None has no latents."""

    name: str
    made_by: Dictionary | LinearRank
    widths: tuple[int, ...]
    architecture: Architecture | None = None

    def pieces(
        self, sources: Sequence[Float[Tensor, "row _"]]
    ) -> Iterator[tuple[slice, Reconstruction]]:
        """Yield reconstructions of some rows at a time, as many as latents leave memory for."""
        d_sae = self.architecture.d_sae if self.architecture is not None else self.widths[0]
        size = max(1, PRE_ACTIVATIONS // d_sae)
        made_by: Any = self.made_by
        for start in range(0, len(sources[0]), size):
            here = slice(start, start + size)
            with torch.no_grad():
                made = made_by(*(self._given(x[here]) for x in sources))
            yield here, made

    def targets(self, sources: Sequence[Float[Tensor, "row _"]]) -> list[Float[Tensor, "row _"]]:
        """Return what it makes of every target."""
        made = [one.targets for _, one in self.pieces(sources)]
        if not made:
            return [sources[0].new_zeros(0, width) for width in self.widths]
        return [torch.cat(parts) for parts in zip(*made, strict=True)]

    def sums(self) -> ReconstructionSums:
        """Return sums to add its reconstructions to."""
        given = self.architecture
        if given is None:
            return ReconstructionSums(self.widths, 1, 0)
        n_latents = given.d_sae * len(given.reaches)
        return ReconstructionSums(self.widths, len(given.prefixes), n_latents)

    def _given(self, x: Tensor) -> Tensor:
        if isinstance(self.made_by, Dictionary):
            return x.to(self.made_by.bias[0])
        return x.float()


def hooks_of(architecture: Architecture) -> tuple[list[HookPoint], list[HookPoint]]:
    """Return the sources and the targets of a dictionary."""
    sources = [parse_hook_point(one) for one in architecture.sources]
    return sources, [parse_hook_point(one) for one in architecture.outputs]


def dictionary_arm(dictionary: Dictionary) -> Arm:
    """Return a dictionary as an arm."""
    given = dictionary.architecture
    return Arm(DICTIONARY, dictionary.eval(), given.widths_out, given)


def untrained_arm(architecture: Architecture, rows: RowBatch, seed: int = 0) -> Arm:
    """Return the same architecture with random latents, and biases at the median.

    Scales and biases are those that training would take from these rows.
    """
    sources, targets = hooks_of(architecture)
    tensors = {hook: rows.tensors[hook].float() for hook in (*sources, *targets)}
    source = TensorRows(tensors, len(rows))
    training = Training(seed=seed)
    start = start_of(source, training.bias)
    device = next(iter(rows.tensors.values())).device
    start = replace(start, first={})  # turned decoders would have learnt something of these rows
    made = Trainee.fresh(architecture, training, start, 1, device).whole()
    return Arm(UNTRAINED, made, architecture.widths_out, architecture)


def linear_arm(architecture: Architecture, rows: RowBatch, k: int) -> Arm | None:
    """Return the best linear map of rank k on these rows: PCA where sources are targets.

    None where the activations are too wide for one.
    """
    sources, targets = hooks_of(architecture)
    widths = sum(architecture.d_in), sum(architecture.widths_out)
    if max(widths) > LARGEST:
        return None
    made = fit_linear(
        [rows.tensors[hook].float() for hook in sources],
        [rows.tensors[hook].float() for hook in targets],
        max(1, min(k, *widths)),
    )
    return Arm(LINEAR, made, architecture.widths_out)
