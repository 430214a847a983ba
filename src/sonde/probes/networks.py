"""Small networks trained many at once: every layer with every column.

A column is a repetition (the labels or one of their shuffles) at a penalty. The columns of a layer
share its inputs, so one matrix product serves them all, and all layers together are one batched
product. Each network still goes its own way: its loss, its optimiser's state and the epoch where it
stops are its own, and it drops out of the batch when it has finished. An epoch is one step over all
rows, so nothing is drawn but the start.

The objective of a network is ``mean loss + penalty / (2 n) |W|^2`` over its n examples and all
weights W but the intercepts, which is scikit-learn's ``MLPClassifier(alpha=penalty)``. Adam (Kingma
and Ba 2015, "Adam: A method for stochastic optimization") takes steps of ``rate / sqrt(fan_in)``,
so that a wider input is not a larger step.

How long to train is decided on a part of the training rows that is kept apart: the epoch with the
lowest loss there, after which ``patience`` epochs brought none lower (Prechelt 1998, "Early
stopping, but when?"). The network is then trained anew on all training rows for as many epochs
(Goodfellow, Bengio and Courville 2016, "Deep learning", algorithm 7.2).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import ClassVar, Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

BETAS = (0.9, 0.999)  # of Adam, as published
TINY = 1e-8
# Where there is nothing to learn the lowest loss comes at once, and what is said then hardly varies
# but with the share of labels that the other folds left: pooled over folds, a score below chance.
LEAST = 20  # epochs

# A network's tensors, each [layer, column, ...].
Parameters: TypeAlias = tuple[Tensor, ...]


@dataclass(frozen=True, slots=True)
class Weight:
    """One tensor of a network: its shape, how many inputs it sums, and the spread of its start.

    An intercept is not shrunk by the penalty.
    """

    shape: tuple[int, ...]
    fan_in: int = 1
    spread: float = 0.0
    intercept: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Standardised activations; ``tokens`` are the rows of each example, -1 beyond its end."""

    z: Float[Tensor, "layer row d_model"]
    tokens: Int[Tensor, "example token"]

    def of(self, layers: Int[Tensor, " layer"]) -> "Inputs":
        """Keep some layers."""
        return self if len(layers) == len(self.z) else Inputs(self.z[layers], self.tokens)


@runtime_checkable
class Network(Protocol):
    """A network's form.

    Its last two tensors are the outputs' weight and intercept, ``[output, ...]`` each, in which
    what it says is linear or at least grows in proportion. Where it ``pools`` it reads the tokens
    of an example together; else each row is an example.
    """

    pools: ClassVar[bool]

    @property
    def settled(self) -> int:
        """The epoch from which on it computes what it will when it is used."""
        ...

    def weights(self, d_model: int, outputs: int) -> tuple[Weight, ...]:
        """Describe the tensors."""
        ...

    def __call__(
        self, parameters: Parameters, inputs: Inputs, epoch: int | None
    ) -> Float[Tensor, "layer column example output"]:
        """Compute what networks say; ``epoch`` None is as they will be used."""
        ...


Loss: TypeAlias = Callable[
    [Float[Tensor, "layer column example output"], Float[Tensor, "column example target"]],
    Float[Tensor, "layer column"],
]


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What is to be fitted: a form, a loss, examples with their answers, and a penalty each.

    ``start`` holds the tensors before the first step; ``rate`` is Adam's.
    """

    network: Network
    weights: tuple[Weight, ...]
    loss: Loss
    inputs: Inputs
    y: Float[Tensor, "column example target"]
    penalty: Float[Tensor, "layer column"]
    start: Parameters
    rate: float


class Descent:
    """Networks under way; those that are done with drop out."""

    def __init__(self, task: Task) -> None:
        self.task = task
        device = task.penalty.device
        self.layers = torch.arange(task.penalty.shape[0], device=device)
        self.columns = torch.arange(task.penalty.shape[1], device=device)
        self.now: Parameters = tuple(one.clone() for one in task.start)
        self.first: Parameters = tuple(torch.zeros_like(one) for one in task.start)
        self.second: Parameters = tuple(torch.zeros_like(one) for one in task.start)
        self.inputs, self.epoch = task.inputs, 0

    @property
    def grid(self) -> tuple[Int[Tensor, "layer 1"], Int[Tensor, "1 column"]]:
        """Which layers and columns are left."""
        return self.layers[:, None], self.columns[None]

    def step(self) -> None:
        """Take one step of Adam with every network that is left."""
        slopes = self._slopes()
        self.epoch += 1
        mean, spread = (1 - beta**self.epoch for beta in BETAS)
        moved: list[Tensor] = []
        for number, slope in enumerate(slopes):
            first, second = self.first[number], self.second[number]
            first.lerp_(slope, 1 - BETAS[0])
            second.mul_(BETAS[1]).addcmul_(slope, slope, value=1 - BETAS[1])
            size = self.task.rate / sqrt(self.task.weights[number].fan_in)
            beneath = second.sqrt().div_(sqrt(spread)).add_(TINY)
            moved.append(torch.addcdiv(self.now[number], first, beneath, value=-size / mean))
        self.now = tuple(moved)

    def _slopes(self) -> Parameters:
        """Return the slope of each network's objective; networks don't meet in the sum."""
        now = tuple(one.requires_grad_() for one in self.now)
        task, y = self.task, self.task.y[self.columns]
        with torch.enable_grad():
            said = task.network(now, self.inputs, self.epoch)
            share = task.penalty[self.grid] / (2 * y.shape[1])
            squares = [
                one.flatten(2).square().sum(dim=2)
                for one, weight in zip(now, task.weights, strict=True)
                if not weight.intercept
            ]
            whole = task.loss(said, y) + share * torch.stack(squares).sum(dim=0)
            slopes = torch.autograd.grad(whole.sum(), now)
        self.now = tuple(one.detach() for one in now)
        return slopes

    def keep(self, going: Bool[Tensor, "layer column"]) -> None:
        """Go on with the layers and columns in which any network is still to move."""
        here = going[self.grid]
        rows, columns = here.any(dim=1), here.any(dim=0)
        if bool(rows.all()) and bool(columns.all()):
            return
        kept = rows.nonzero()[:, 0][:, None], columns.nonzero()[:, 0][None]
        self.now = tuple(one[kept] for one in self.now)
        self.first = tuple(one[kept] for one in self.first)
        self.second = tuple(one[kept] for one in self.second)
        self.layers, self.columns = self.layers[rows], self.columns[columns]
        self.inputs = self.task.inputs.of(self.layers)


def stopping_epochs(
    task: Task,
    apart: tuple[Inputs, Float[Tensor, "column example target"]],
    epochs: int,
    patience: int,
) -> Int[Tensor, "layer column"]:
    """Return after how many epochs each network has its lowest loss on the rows kept apart."""
    descent = Descent(task)
    lowest = torch.full_like(task.penalty, torch.inf)
    best = torch.full_like(task.penalty, min(LEAST, epochs), dtype=torch.int64)
    going = torch.ones_like(best, dtype=torch.bool)
    while bool(going.any()) and descent.epoch < epochs:
        descent.step()
        grid = descent.grid
        inputs = apart[0].of(descent.layers)
        said = task.network(descent.now, inputs, None)
        loss = task.loss(said, apart[1][descent.columns])
        # A network that has stopped may still be in the batch beside others: it must not see more.
        better = (loss < lowest[grid]) & going[grid] & (descent.epoch >= LEAST)
        lowest[grid] = torch.where(better, loss, lowest[grid])
        best[grid] = torch.where(better, descent.epoch, best[grid])
        since = descent.epoch - best[grid].clamp(min=task.network.settled)
        going[grid] &= since < patience
        descent.keep(going)
    return best


def trained(task: Task, epochs: Int[Tensor, "layer column"]) -> Parameters:
    """Train each network for its number of epochs, at least 1."""
    descent = Descent(task)
    kept = tuple(one.clone() for one in task.start)
    last = int(epochs.max())
    while descent.epoch < last:
        descent.step()
        grid = descent.grid
        due = epochs[grid] == descent.epoch
        if bool(due.any()):
            for whole, one in zip(kept, descent.now, strict=True):
                shaped = due.reshape(*due.shape, *(1,) * (one.ndim - 2))
                whole[grid] = torch.where(shaped, one, whole[grid])
        descent.keep(epochs > descent.epoch)
    return kept
