"""A network with one hidden layer, at every layer, repetition and penalty at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.probes.network_solver import NetworkSolver, Schedule
from sonde.probes.networks import Inputs, Parameters, Weight
from sonde.probes.reader import fields_of
from sonde.probes.settings.networks import MlpSettings
from sonde.probes.solver import Prepare


@dataclass(frozen=True, slots=True)
class Mlp:
    """``v · relu(W z + a) + b`` with ``width`` hidden units.

    W starts as He et al. (2015, "Delving deep into rectifiers") have it and v at 0, so that every
    network begins by saying the same of every row and says more only where that helps.
    """

    width: int

    pools: ClassVar[bool] = False

    @property
    def settled(self) -> int:
        """The first epoch: it is computed alike in all."""
        return 0

    def weights(self, d_model: int, outputs: int) -> tuple[Weight, ...]:
        """Describe W, a, v and b."""
        return (
            Weight((self.width, d_model), d_model, (2 / d_model) ** 0.5),
            Weight((self.width,), intercept=True),
            Weight((outputs, self.width), self.width),
            Weight((outputs,), intercept=True),
        )

    def __call__(
        self, parameters: Parameters, inputs: Inputs, epoch: int | None
    ) -> Float[Tensor, "layer column row output"]:
        """Read every row. Rows come last in memory, so that no product has to copy."""
        first, inner, second, outer = parameters
        layers, columns, width, _ = first.shape
        sums = first.flatten(1, 2) @ inputs.z.mT
        hidden = (sums.view(layers, columns, width, -1) + inner[..., None]).relu()
        return (second @ hidden + outer[..., None]).mT


@dataclass(frozen=True, slots=True, eq=False)
class MlpReader:
    """``second · relu(first x + inner) + outer`` of raw activations; standardisation folded in."""

    first: Float[Tensor, "hidden d_model"]
    inner: Float[Tensor, " hidden"]
    second: Float[Tensor, "output hidden"]
    outer: Float[Tensor, " output"]
    mean: Float[Tensor, " d_model"]
    scale: Float[Tensor, " d_model"]

    name: ClassVar[str] = "mlp"
    pools: ClassVar[bool] = False

    @classmethod
    def fold(
        cls,
        tensors: tuple[Tensor, ...],
        mean: Float[Tensor, " d_model"],
        scale: Float[Tensor, " d_model"],
    ) -> "MlpReader":
        """Fold the standardisation into a network of standardised activations."""
        first, inner, second, outer = tensors
        raw = first / scale
        return cls(raw, inner - raw @ mean, second, outer, mean, scale)

    def __call__(self, x: Float[Tensor, "row d_model"]) -> Float[Tensor, "row output"]:
        """Read raw activations, in float64."""
        first, inner, second, outer = (
            it.to(x.device) for it in (self.first, self.inner, self.second, self.outer)
        )
        return (x.to(torch.float64) @ first.T + inner).relu() @ second.T + outer

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights of both layers, and mean and scale."""
        return fields_of(self)

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "MlpReader":
        """Make it again."""
        return cls(**tensors)


def mlp_solver(settings: MlpSettings) -> Prepare:
    """Prepare networks with one hidden layer, trained as ``networks`` says."""
    schedule = Schedule.of(settings)
    network = Mlp(settings.width)
    return lambda problem: NetworkSolver(
        problem, network, settings.fitted, schedule, MlpReader.fold
    )
