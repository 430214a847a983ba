"""Linear probes of each token, pooled over an example's tokens and trained through the pooling.

Each token t is scored f_t = w · x_t + b, and an example by the largest f_t, by their mean, or by
the largest mean of ``window`` tokens in a row, which McKenzie et al. (2025, "Detecting high-stakes
interactions with activation probes") and Kramár et al. (2026, "Building production-ready probes for
Gemini") found to hold on long texts where a few tokens tell.

The slope of a maximum reaches one token of an example, by accident of the start. So the maximum is
at first a soft one: the mean of the scores weighted by softmax(f / temperature), close to their
mean, which hardens by a factor an epoch until it is the maximum. Whether to stop is judged by the
hard maximum throughout, and not before it is trained with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sonde.probes.network_solver import MakeReader, NetworkSolver, Schedule
from sonde.probes.networks import Inputs, Parameters, Weight
from sonde.probes.reader import Reader
from sonde.probes.settings.networks import MultiTokenSettings
from sonde.probes.solver import Prepare
from sonde.probes.tokens import by_token, pooled_max, pooled_mean, rolling_means

HOT, COLD = 10.0, 0.1  # temperatures at the start and the end of the annealing, in logits
WINDOW = 10  # tokens, where the settings name no window


@dataclass(frozen=True, slots=True)
class Pooling:
    """How scores of tokens become one: the largest mean of ``window`` of them (1: the largest).

    ``window`` 0 is all of them: their mean.
    """

    window: int

    @classmethod
    def of(cls, settings: MultiTokenSettings) -> "Pooling":
        """Take it from a probe's settings."""
        windows = {"max": 1, "mean": 0, "rolling": settings.window or WINDOW}
        return cls(windows[settings.pooling])

    def __call__(
        self,
        each: Float[Tensor, "*batch token"],
        there: Bool[Tensor, "*same token"],
        temperature: float = 0.0,
    ) -> Float[Tensor, "*batch"]:
        """Pool over tokens."""
        if self.window == 0:
            return pooled_mean(each, there)
        if self.window > 1:
            each, there = rolling_means(each, there, self.window)
        return pooled_max(each, there, temperature)


@dataclass(frozen=True, slots=True)
class MultiToken:
    """One direction and intercept an output, for every token."""

    pooling: Pooling
    annealing: int

    pools: ClassVar[bool] = True

    @property
    def settled(self) -> int:
        """The last epoch of the annealing."""
        return self.annealing if self.pooling.window else 0

    def temperature(self, epoch: int | None) -> float:
        """Return the softness of the maximum in an epoch (counted from 0)."""
        if epoch is None or epoch >= self.settled:
            return 0.0
        return HOT * (COLD / HOT) ** (epoch / self.settled)

    def weights(self, d_model: int, outputs: int) -> tuple[Weight, ...]:
        """Describe direction and intercept."""
        return Weight((outputs, d_model), d_model), Weight((outputs,), intercept=True)

    def __call__(
        self, parameters: Parameters, inputs: Inputs, epoch: int | None
    ) -> Float[Tensor, "layer column example output"]:
        """Read every example."""
        weight, bias = parameters
        rows = weight.flatten(1, 2) @ inputs.z.mT
        each, there = by_token(rows, inputs.tokens)
        said = self.pooling(each, there, self.temperature(epoch))
        return (said.unflatten(1, weight.shape[1:3]) + bias[..., None]).mT


@dataclass(frozen=True, slots=True, eq=False)
class MultiTokenReader:
    """``weight · x + bias`` of each token, pooled; the standardisation is folded in."""

    weight: Float[Tensor, "output d_model"]
    bias: Float[Tensor, " output"]
    pooling: Pooling
    mean: Float[Tensor, " d_model"]
    scale: Float[Tensor, " d_model"]

    name: ClassVar[str] = "multi_token"
    pools: ClassVar[bool] = True

    def tokens(self, x: Float[Tensor, "row d_model"]) -> Float[Tensor, "row output"]:
        """Return the score of each token."""
        return x.to(torch.float64) @ self.weight.to(x.device).T + self.bias.to(x.device)

    def __call__(self, x: Float[Tensor, "row d_model"]) -> Float[Tensor, "row output"]:
        """Read the tokens of one example; its score stands at each of them."""
        each = self.tokens(x).T
        there = torch.ones(len(x), dtype=torch.bool, device=x.device)
        return self.pooling(each, there).expand(len(x), -1)

    def tensors(self) -> dict[str, Tensor]:
        """Return weight, bias, the window, and mean and scale."""
        return {
            "weight": self.weight,
            "bias": self.bias,
            "window": torch.tensor([self.pooling.window], dtype=torch.float64),
            "mean": self.mean,
            "scale": self.scale,
        }

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "MultiTokenReader":
        """Make it again."""
        return cls(
            tensors["weight"],
            tensors["bias"],
            Pooling(int(tensors["window"])),
            tensors["mean"],
            tensors["scale"],
        )


def multi_token_solver(settings: MultiTokenSettings) -> Prepare:
    """Prepare pooled linear probes, trained as ``networks`` says."""
    pooling, schedule = Pooling.of(settings), Schedule.of(settings)
    network = MultiToken(pooling, settings.annealing)
    return lambda problem: NetworkSolver(
        problem, network, settings.fitted, schedule, _reader(pooling)
    )


def _reader(pooling: Pooling) -> MakeReader:
    def fold(
        tensors: tuple[Tensor, ...],
        mean: Float[Tensor, " d_model"],
        scale: Float[Tensor, " d_model"],
    ) -> Reader:
        weight, bias = tensors
        raw = weight / scale
        return MultiTokenReader(raw, bias - raw @ mean, pooling, mean, scale)

    return fold
