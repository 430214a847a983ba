"""The loop: one source feeds several dictionaries, which stop, go on and end bit for bit alike."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sonde.activations.row_batches import RowBatch, RowSource
from sonde.core.errors import SondeError
from sonde.core.progress import progress as show_progress
from sonde.dictionaries.metrics import metrics_of_batch
from sonde.dictionaries.samples.heap import SampleHeap
from sonde.dictionaries.training.checkpoints import Checkpoint, Checkpoints
from sonde.dictionaries.training.losses import Loss
from sonde.dictionaries.training.schedules import learning_rate
from sonde.dictionaries.training.start import Start
from sonde.dictionaries.training.trainee import Trainee

HELD_OUT = "held_out/"  # before the names of figures of rows that training never sees
WATCH = 20  # steps between looks at the losses on a GPU, which else would wait for each
Track = Callable[[Mapping[str, float], int | None], None]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How many steps there are, and every how many something is logged or stored."""

    steps: int
    log: int = 100
    store: int = 500


@dataclass(slots=True, eq=False)
class Trainer:
    """Trains dictionaries by name; what was logged is in ``history``, by dictionary.

    ``watched`` are rows that training never sees: whenever something is logged, how much of their
    variance is not explained is logged with it.
    """

    source: RowSource
    start: Start
    trainees: Mapping[str, Trainee]
    rhythm: Rhythm
    heaps: Mapping[str, SampleHeap] = field(default_factory=dict)
    checkpoints: Checkpoints | None = None
    track: Track = lambda values, step: None
    watched: RowBatch | None = None
    history: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    done: int = 0
    _losses: list[tuple[str, int, Tensor]] = field(default_factory=list)

    def go_on(self, checkpoint: Checkpoint) -> None:
        """Continue from a checkpoint."""
        for name, trainee in self.trainees.items():
            trainee.load(dict(checkpoint.tensors[name]))
        for name, heap in self.heaps.items():
            heap.load(checkpoint.tensors[_heap(name)])
        self.done = checkpoint.step
        self.history = {name: list(rows) for name, rows in checkpoint.facts["history"].items()}

    def run(self, *, progress: bool = True) -> None:
        """Take all steps that are left.

        Raises:
            SondeError: a loss is not finite; the last checkpoint stays as it is.
        """
        batches = self.source.batches(self.done)
        rows, steps = self.source.batch, self.rhythm.steps
        with show_progress(
            "Training", steps * rows, unit="rows", done=self.done * rows, show=progress
        ) as advance:
            while self.done < steps:
                self._step(next_batch(batches, self.done))
                self.done += 1
                advance(rows)
                if self.checkpoints is not None and (
                    self.done % self.rhythm.store == 0 or self.done == steps
                ):
                    self.store()
            self._look()
            self._look_at_weights()

    def store(self) -> None:
        """Write a checkpoint.

        Raises:
            SondeError: a loss or a weight is not finite, or the disk is full.
        """
        self._look()
        self._look_at_weights()
        assert self.checkpoints is not None
        tensors: dict[str, Mapping[str, Tensor]] = {
            name: trainee.state() for name, trainee in self.trainees.items()
        }
        tensors |= {_heap(name): heap.tensors() for name, heap in self.heaps.items()}
        facts = {"history": self.history, "start": self.start.facts()}
        self.checkpoints.save(self.done, tensors, facts)
        self.checkpoints.tidy()

    def _step(self, batch: RowBatch) -> None:
        number = self.done
        batch = batch.to(self._device)
        scaled = self.start.scaled(batch.tensors)
        logs = number % self.rhythm.log == 0 or number + 1 == self.rhythm.steps
        logged: dict[str, float] = {}
        for name, trainee in self.trainees.items():
            sources, targets = trainee.rows_of(scaled)
            loss = trainee.step(sources, targets, number)
            self._losses.append((name, number, loss.total.detach()))
            heap = self.heaps.get(name)
            if heap is not None and number % heap.settings.every == 0:
                heap.offer(trainee.in_raw_units(loss.made.latents), batch.token, number)
            if logs:
                row = _row(trainee, loss, targets, number) | self._unseen(trainee)
                self.history.setdefault(name, []).append(row)
                logged |= {f"{name}/{key}": one for key, one in row.items()}
        if not batch.token.is_cuda or len(self._losses) >= WATCH * len(self.trainees):
            self._look()
        if logs:
            self.track(logged, number)

    def _unseen(self, trainee: Trainee) -> dict[str, float]:
        """Return the FVU of rows that training never sees, with that of prefixes and targets."""
        if self.watched is None or not len(self.watched):
            return {}
        sources, targets = trainee.rows_of(self.start.scaled(self.watched.to(self._device).tensors))
        made, names = trainee.reconstruct(sources), trainee.architecture.outputs
        found = metrics_of_batch(made, targets, names)
        return {HELD_OUT + name: one for name, one in found.items() if name.startswith("fvu")}

    @property
    def _device(self) -> torch.device:
        """Where the dictionaries are."""
        return next(iter(self.trainees.values())).dictionary.bias[0].device

    def _look(self) -> None:
        """Stop where a loss since the last look is NaN or infinite."""
        if not self._losses:
            return
        finite = torch.stack([loss for _, _, loss in self._losses]).isfinite().tolist()
        if not all(finite):
            name, number, loss = self._losses[finite.index(False)]
            raise SondeError(
                f"The loss of {name} became {float(loss)} at step {number:,}, by batch {number:,} "
                f"of the source. {self._kept()}",
                fix="Lower the learning rate, lengthen the warm-up, or clip gradients (clip: 1.0).",
            )
        self._losses.clear()

    def _look_at_weights(self) -> None:
        """Stop where a weight is NaN or infinite, which a finite loss need not show.

        NaN is never among the highest pre-activations, so such a latent would only fall silent.
        """
        for name, trainee in self.trainees.items():
            sums = torch.stack([one.detach().sum() for one in trainee.dictionary.parameters()])
            if not bool(sums.isfinite().all()):
                raise SondeError(
                    f"Weights of {name} are NaN or infinite after step {self.done - 1:,}. "
                    f"{self._kept()}",
                    fix="Lower the learning rate, lengthen the warm-up, or clip gradients "
                    "(clip: 1.0).",
                )

    def _kept(self) -> str:
        steps = self.checkpoints.steps() if self.checkpoints is not None else []
        if not steps or self.checkpoints is None:
            return "No checkpoint was stored before it."
        return f"The last good checkpoint, of step {steps[-1]:,}, is kept."


def _heap(name: str) -> str:
    return f"{name}.samples"


def next_batch(batches: Iterator[RowBatch], number: int) -> RowBatch:
    """Return the batch of step ``number``.

    Raises:
        SondeError: the source has ended.
    """
    batch = next(batches, None)
    if batch is None:
        raise SondeError(
            f"The source ended before step {number:,}.", fix="Give more text, or fewer steps."
        )
    return batch


@torch.no_grad()
def _row(trainee: Trainee, loss: Loss, targets: Any, number: int) -> dict[str, float]:
    """Return what is logged of a step."""
    parts = {f"loss/{name}": float(one.detach()) for name, one in loss.parts.items()}
    return {
        "step": float(number),
        "loss": float(loss.total.detach()),
        **parts,
        **metrics_of_batch(loss.made, targets, trainee.architecture.outputs),
        "dead": trainee.living.n_dead / sum(len(one) for one in trainee.living.since),
        "lr": learning_rate(trainee.training, number, trainee.steps),
    }
