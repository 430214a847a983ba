"""Train one dictionary by several processes: begin, or go on from the last step that all stored."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sonde import __version__
from sonde.activations.row_batches import RowBatch, RowSource
from sonde.core.errors import SondeError
from sonde.core.progress import progress as show_progress
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.parallel.share import Share
from sonde.dictionaries.settings import check_widths
from sonde.dictionaries.training.checkpoints import Checkpoint, Checkpoints
from sonde.dictionaries.training.course import Running, dead_window
from sonde.dictionaries.training.losses import Loss
from sonde.dictionaries.training.recipe import check_recipe
from sonde.dictionaries.training.schedules import check_schedules, learning_rate
from sonde.dictionaries.training.settings import Training
from sonde.dictionaries.training.start import Start, start_of
from sonde.dictionaries.training.trainee import Trainee
from sonde.dictionaries.training.trainer import next_batch

OWNER = "dictionary"  # of the tensors of a checkpoint


@dataclass(frozen=True, slots=True, eq=False)
class TrainedTogether:
    """The dictionary of raw rows, at the first process alone, and what was logged, at all.

    ``history`` has a row every so many steps: the loss of the whole batch and its parts, L0, the
    share of dead latents, the learning rate.
    """

    dictionary: Dictionary | None
    history: tuple[Mapping[str, float], ...]
    steps: int


def train_together(
    source: RowSource,
    architecture: Architecture,
    training: Training,
    share: Share,
    running: Running | None = None,
) -> TrainedTogether:
    """Train a dictionary on all batches of ``source``; every process calls it with the same.

    With a folder, which all processes reach, every shard stores its own part there, and training
    goes on from the last step that all shards have stored.

    Raises:
        SondeError: the rows are not what the dictionary reads or writes, latents or rows cannot be
            shared evenly, the recipe or its schedules do not fit,
            a checkpoint is of another configuration, the shards' checkpoints are of no common
            step, the source ends early, a loss is not finite, or the disk is full.
    """
    how, steps = running or Running(), source.n_batches
    check_widths(architecture, source.widths)
    check_recipe(training, {"the dictionary": architecture})
    check_schedules(training, steps)
    window = dead_window(training, source.batch * steps)
    training = training.model_copy(update={"dead_after": window})
    checkpoints = found = None
    if how.folder is not None:
        here = how.folder / f"shard-{share.latents.rank}-of-{share.latents.world}"
        known = _identity(source, architecture, training, share)
        checkpoints = Checkpoints(here, known, how.keep)
        found = _agreed(checkpoints, share, how)
    if found is None:
        start = start_of(source, training.bias)
    else:
        start = Start.of_facts(found.facts["start"])
    trainee = Trainee.fresh(architecture, training, start, steps, how.device, share)
    course = _Course(source, trainee, share, how, checkpoints)
    course.go_on(found)
    course.run()
    return TrainedTogether(trainee.gathered(), tuple(course.history), course.done)


@dataclass(slots=True, eq=False)
class _Course:
    """The loop of one process."""

    source: RowSource
    trainee: Trainee
    share: Share
    how: Running
    checkpoints: Checkpoints | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    done: int = 0
    _losses: list[Tensor] = field(default_factory=list)

    def go_on(self, found: Checkpoint | None) -> None:
        if found is not None:
            self.trainee.load(dict(found.tensors[OWNER]))
            self.history, self.done = list(found.facts["history"]), found.step

    def run(self) -> None:
        batches = self.source.batches(self.done)
        rows, steps = self.source.batch, self.trainee.steps
        first = self.share.everyone.rank == 0
        with show_progress(
            "Training",
            steps * rows,
            unit="rows",
            done=self.done * rows,
            show=self.how.progress and first,
        ) as advance:
            while self.done < steps:
                self._step(next_batch(batches, self.done))
                advance(rows)
                if self.done % self.how.store == 0 or self.done == steps:
                    self._store()

    def _step(self, batch: RowBatch) -> None:
        number = self.done
        scaled = self.trainee.start.scaled(batch.to(self.how.device).tensors)
        loss = self.trainee.step(*self.trainee.rows_of(scaled), number)
        self._losses.append(loss.total.detach())
        self.done += 1
        if number % self.how.log == 0 or self.done == self.trainee.steps:
            self._look()
            row = self._row(loss, number)
            self.history.append(row)
            if self.share.everyone.rank == 0:
                self.how.track(row, number)

    @torch.no_grad()
    def _row(self, loss: Loss, number: int) -> dict[str, float]:
        """Return what is logged of a step, of all rows and latents."""
        share, trainee = self.share, self.trainee
        own = {name: one.detach().double() for name, one in loss.parts.items()}
        if "penalty" in own:  # of the latents that are here
            own["penalty"] = share.latents.sum(own["penalty"])
        l0 = sum(one.l0().double().mean() for one in loss.made.latents)
        named = {f"loss/{name}": one for name, one in own.items()}
        named |= {"loss": torch.stack(list(own.values())).sum()}
        named |= {"l0": share.latents.sum(torch.as_tensor(l0))}
        means = share.rows.sum(torch.stack(list(named.values()))) / share.rows.world
        total = trainee.architecture.d_sae * len(trainee.architecture.reaches)
        return {
            "step": float(number),
            **dict(zip(named, means.tolist(), strict=True)),
            "dead": trainee.living.n_dead / total,
            "lr": learning_rate(trainee.training, number, trainee.steps),
        }

    def _look(self) -> None:
        """Stop, all processes together, where a loss since the last look is not finite."""
        bad = self.share.everyone.sum((~torch.stack(self._losses).isfinite()).long())
        if bool(bad.any()):
            number = self.done - len(bad) + int(bad.nonzero()[0])
            raise SondeError(
                f"The loss became NaN or infinite at step {number:,}, by batch {number:,} of the "
                "source. Checkpoints from before are kept.",
                fix="Lower the learning rate, lengthen the warm-up, or clip gradients (clip: 1.0).",
            )
        self._losses.clear()

    def _look_at_weights(self) -> None:
        """Stop, all processes together, where a weight of one is not finite."""
        sums = torch.stack([one.detach().sum() for one in self.trainee.dictionary.parameters()])
        if self.share.everyone.count(int(not bool(sums.isfinite().all()))):
            raise SondeError(
                f"Weights became NaN or infinite after step {self.done - 1:,}. Checkpoints from "
                "before are kept.",
                fix="Lower the learning rate, lengthen the warm-up, or clip gradients (clip: 1.0).",
            )

    def _store(self) -> None:
        if self._losses:
            self._look()
        self._look_at_weights()
        if self.checkpoints is None:
            return
        stores = self.share.rows.rank == 0
        if stores:
            facts = {"history": self.history, "start": self.trainee.start.facts()}
            self.checkpoints.save(self.done, {OWNER: self.trainee.state()}, facts)
        self.share.everyone.count(1)  # nobody goes on, or removes, before all have stored
        if stores:
            self.checkpoints.tidy()


def _agreed(checkpoints: Checkpoints, share: Share, how: Running) -> Checkpoint | None:
    """Return the last checkpoint that all shards have; later ones of some are removed.

    None, to begin afresh, where some shard has none and no other more than its first.

    Raises:
        SondeError: at all processes, a shard lacks the checkpoint that the others would go on from.
    """
    everyone, steps = share.everyone, checkpoints.steps()
    newest = steps[-1] if steps else 0
    each = everyone.gathered(torch.tensor([newest], device=everyone.device)).flatten().tolist()
    common = min(each)
    lost = common not in steps if common else newest > how.store
    if everyone.count(int(lost)):
        last = ", ".join(f"{one:,}" if one else "none" for one in sorted(set(each)))
        raise SondeError(
            f"The shards in {checkpoints.folder.parent} have no step in common to go on from: "
            f"their last are {last}.",
            fix="Put back what is missing, or delete the folder to begin again.",
        )
    if share.rows.rank == 0:
        for step in steps:
            if step > common:
                shutil.rmtree(checkpoints.folder / f"step-{step:09d}")
    everyone.count(1)  # nobody reads before all have removed
    return checkpoints.latest(how.device)


def _identity(
    source: RowSource, architecture: Architecture, training: Training, share: Share
) -> dict[str, Any]:
    """Return all that the course of the training depends on."""
    return {
        "sonde": __version__,
        "source": source.fingerprint,
        "batches": source.n_batches,
        "dictionary": architecture.model_dump(mode="json"),
        "training": training.model_dump(mode="json"),
        "processes": {"shards": share.latents.world, "rows": share.rows.world},
    }
