"""Networks as a solver: folds, the part kept apart for stopping, and the networks for good."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.probes.answers import LOSSES, Answers, Fitted
from sonde.probes.networks import (
    Inputs,
    Network,
    Parameters,
    Task,
    Weight,
    stopping_epochs,
    trained,
)
from sonde.probes.problem import Problem
from sonde.probes.reader import Reader
from sonde.probes.settings.networks import NetworkSettings
from sonde.probes.solver import moments

# Bytes of inputs that are worked on at once: few layers on a processor, so that columns which all
# layers have finished with leave the batch early; many where the device has cores to fill.
AT_ONCE = {"cpu": 1 << 23, "cuda": 1 << 31}


@dataclass(frozen=True, slots=True)
class Schedule:
    """How networks are trained: see ``networks``."""

    learning_rate: float
    epochs: int
    patience: int
    seed: int

    @classmethod
    def of(cls, settings: NetworkSettings) -> "Schedule":
        """Take it from a probe's settings."""
        return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})


# A network's own tensors and the mean and scale that its inputs were standardised with.
MakeReader = Callable[[tuple[Tensor, ...], Float[Tensor, " d"], Float[Tensor, " d"]], Reader]


@dataclass(frozen=True, slots=True, eq=False)
class NetworkSolver:
    """Layers with labels and folds, ready for training networks of one form.

    Where the network pools, it reads the rows of an example together and what it says of the
    example stands at each of its rows; else each row is read alone. Inputs are standardised by the
    training rows and trained on in float32.
    """

    problem: Problem
    network: Network
    fitted: Fitted
    schedule: Schedule
    reader: MakeReader

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held repetition output"]:
        """Train without the folds ``left_out`` and predict their rows."""
        train = self.problem.outside(left_out)
        shape = len(penalties), self.problem.y.shape[1]
        columns = torch.tensor(list(penalties), device=train.device).repeat_interleave(shape[1])
        _, place = torch.unique_consecutive(self._example[~train], return_inverse=True)
        said: list[Tensor] = []
        for z, _, _ in self._layers(train):
            answers = self._answers(train, shape[1])
            found = self._fit(z, train, columns.expand(len(z), -1), answers)
            by_example = self.network(found, self._inputs(z, ~train), None).double()
            restored = answers.restored(by_example.unflatten(1, shape))
            said.append(restored[:, :, :, place].transpose(2, 3))
        return torch.cat(said)

    def final(self, penalty: Float[Tensor, " layer"]) -> tuple[Reader, ...]:
        """Train on the labels of all rows."""
        train = torch.ones_like(self.problem.folds, dtype=torch.bool)
        answers = self._answers(train, 1)
        readers: list[Reader] = []
        for z, mean, scale in self._layers(train):
            own = penalty[len(readers) : len(readers) + len(z), None].to(z)
            found = self._fit(z, train, own, answers)
            for layer in range(len(z)):
                *inner, weight, bias = (one[layer, 0].double() for one in found)
                spread = answers.spread[0].reshape(-1, *(1,) * (weight.ndim - 1))
                outer = weight * spread, bias * answers.spread[0] + answers.mean[0]
                readers.append(self.reader((*inner, *outer), mean[layer], scale[layer]))
        return tuple(readers)

    @property
    def _example(self) -> Int[Tensor, " row"]:
        rows = self.problem.example
        return rows if self.network.pools else torch.arange(len(rows), device=rows.device)

    @property
    def _first(self) -> Bool[Tensor, " row"]:
        """Mark the first row of each example: the one whose label is the example's."""
        first = torch.ones_like(self.problem.folds, dtype=torch.bool)
        first[1:] = self._example.diff() != 0
        return first

    def _layers(self, train: Bool[Tensor, " row"]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield a few standardised layers at a time, with mean and scale."""
        x = self.problem.x
        few = max(1, AT_ONCE.get(x.device.type, AT_ONCE["cuda"]) // (x[0].numel() * 4))
        for part in x.split(few):
            mean, scale = moments(part[:, train].double())
            yield ((part - mean[:, None]) / scale[:, None]).float(), mean, scale

    def _answers(self, train: Bool[Tensor, " row"], repetitions: int) -> Answers:
        first = self._first
        return Answers.of(self.fitted, self.problem.y[first, :repetitions], train[first])

    def _fit(
        self,
        z: Float[Tensor, "layer row d_model"],
        train: Bool[Tensor, " row"],
        penalty: Float[Tensor, "layer column"],
        answers: Answers,
    ) -> Parameters:
        """Find how long to train with one fold kept apart, then train on all training rows."""
        apart = self.problem.folds == self._kept_apart(train)
        if not bool((train & ~apart).any()):
            raise SondeError(
                "A network was left one fold to train on, and needs another to know when to stop.",
                fix="Set folds to 5.",
            )
        learn = self._task(z, train & ~apart, penalty, answers)
        check = self._task(z, apart, penalty, answers)
        how = self.schedule
        epochs = stopping_epochs(learn, (check.inputs, check.y), how.epochs, how.patience)
        return trained(self._task(z, train, penalty, answers), epochs)

    def _kept_apart(self, train: Bool[Tensor, " row"]) -> int:
        """Choose a training fold: the next after those left out, so that each has its turn."""
        kept = set(self.problem.folds[train].tolist())
        left = [fold for fold in range(self.problem.n_folds) if fold not in kept]
        start = left[-1] + 1 if left else 0
        turn = (fold % self.problem.n_folds for fold in range(start, start + self.problem.n_folds))
        return next(fold for fold in turn if fold in kept)

    def _task(
        self,
        z: Float[Tensor, "layer row d_model"],
        rows: Bool[Tensor, " row"],
        penalty: Float[Tensor, "layer column"],
        answers: Answers,
    ) -> Task:
        here = rows[self._first]
        copies = penalty.shape[1] // len(answers.y)
        weights = self.network.weights(z.shape[2], answers.outputs)
        start = self._start(weights, answers.begin(here).to(z))
        return Task(
            network=self.network,
            weights=weights,
            loss=LOSSES[self.fitted],
            inputs=self._inputs(z, rows),
            y=answers.y[:, here].to(z).repeat(copies, 1, 1),
            penalty=penalty.to(z),
            start=tuple(
                one.repeat(copies, *(1,) * (one.ndim - 1)).expand(len(z), *(-1,) * one.ndim)
                for one in start
            ),
            rate=self.schedule.learning_rate,
        )

    def _inputs(self, z: Float[Tensor, "layer row d_model"], rows: Bool[Tensor, " row"]) -> Inputs:
        _, sizes = torch.unique_consecutive(self._example[rows], return_counts=True)
        begins = (sizes.cumsum(0) - sizes)[:, None]
        token = torch.arange(int(sizes.max()), device=sizes.device)
        return Inputs(z[:, rows], torch.where(token < sizes[:, None], begins + token, -1))

    def _start(
        self, weights: Sequence[Weight], intercept: Float[Tensor, "repetition output"]
    ) -> Parameters:
        """Draw each repetition's start: the labels' is the same however many shuffles follow."""
        drawn: list[list[Tensor]] = []
        for repetition in range(len(intercept)):
            dice = torch.Generator().manual_seed(self.schedule.seed * 1_000_003 + repetition)
            drawn.append([torch.randn(it.shape, generator=dice) * it.spread for it in weights[:-1]])
        stacked = (torch.stack(one).to(intercept) for one in zip(*drawn, strict=True))
        return (*stacked, intercept)
