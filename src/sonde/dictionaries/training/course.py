"""Train dictionaries from a source of rows: begin, or go on from the last checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sonde import __version__
from sonde.activations.row_batches import RowBatch, RowSource
from sonde.core.errors import SondeError
from sonde.dictionaries.architecture import Architecture
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.samples.heap import SampleHeap
from sonde.dictionaries.samples.settings import SampleSettings
from sonde.dictionaries.settings import DictionarySettings
from sonde.dictionaries.training.checkpoints import Checkpoints
from sonde.dictionaries.training.recipe import check_recipe
from sonde.dictionaries.training.schedules import check_schedules
from sonde.dictionaries.training.settings import Training
from sonde.dictionaries.training.start import Start, start_of
from sonde.dictionaries.training.trainee import Trainee
from sonde.dictionaries.training.trainer import Rhythm, Track, Trainer

LONGEST = 10_000_000  # rows: the window of Gao et al. (2024)


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A dictionary of raw rows, what was logged while it trained, and samples where asked for.

    ``history`` has a row every so many steps: the loss and its parts, FVU, L0, the share of dead
    latents, the learning rate, all of the batch of that step, before it; and after it
    ``held_out/fvu`` of rows that training never sees, where such were given.
    """

    dictionary: Dictionary
    history: tuple[Mapping[str, float], ...]
    samples: SampleHeap | None
    steps: int


@dataclass(frozen=True, slots=True)
class Running:
    """How a training is run: nothing that its result depends on, apart from the device.

    Dictionaries train on ``device``; rows that lie elsewhere are brought there, batch by batch.
    Every ``store`` steps a checkpoint goes into ``folder``, where the last ``keep`` stay. Every
    ``log`` steps ``track(values, step)`` gets what is in the history.
    """

    folder: Path | None = None
    store: int = 500
    keep: int = 3
    log: int = 100
    device: torch.device | str = "cpu"
    track: Track = lambda values, step: None
    progress: bool = True


def train(
    source: RowSource,
    dictionaries: Mapping[str, DictionarySettings],
    training: Training,
    *,
    samples: SampleSettings | None = None,
    running: Running | None = None,
    held_out: RowBatch | None = None,
) -> dict[str, Trained]:
    """Train dictionaries by name, all on the same batches of ``source``, to its end.

    ``held_out`` are rows that ``source`` does not give: their FVU is logged with the rest.

    With a folder, training goes on from the last checkpoint there, and ends with the same weights
    as one that was never interrupted: bit for bit on one device and number of threads.

    Raises:
        SondeError: a dictionary reads where the source has nothing, its choices do not go together,
            schedules do not fit, a checkpoint is of another configuration, a loss is not finite,
            or the disk is full.
    """
    how = running or Running()
    if not dictionaries:
        raise SondeError("No dictionary is named.", fix="Give at least one.")
    architectures = {
        name: one.architecture(source.widths, f"The dictionary {name}")
        for name, one in dictionaries.items()
    }
    steps = source.n_batches
    check_recipe(training, architectures)
    check_schedules(training, steps)
    window = dead_window(training, source.batch * steps)
    training = training.model_copy(update={"dead_after": window})
    checkpoints = None
    if how.folder is not None:
        known = _identity(source, architectures, training, samples)
        checkpoints = Checkpoints(how.folder, known, how.keep)
    found = checkpoints.latest(how.device) if checkpoints is not None else None
    if checkpoints is not None:
        checkpoints.tidy()  # once they are known to be this training's
    start = (
        start_of(source, training.bias) if found is None else Start.of_facts(found.facts["start"])
    )
    trainer = Trainer(
        source,
        start,
        {
            name: Trainee.fresh(architecture, training, start, steps, how.device)
            for name, architecture in architectures.items()
        },
        Rhythm(steps, how.log, how.store),
        _heaps(architectures, samples, how.device),
        checkpoints,
        how.track,
        held_out,
    )
    if found is not None:
        trainer.go_on(found)
    trainer.run(progress=how.progress)
    return {
        name: Trained(
            trainee.whole(),
            tuple(trainer.history.get(name, ())),
            trainer.heaps.get(name),
            trainer.done,
        )
        for name, trainee in trainer.trainees.items()
    }


def dead_window(training: Training, rows: int) -> int:
    """Return after how many rows a silent latent is dead, in a training of ``rows``."""
    if training.dead_after is not None:
        return training.dead_after
    return max(1, min(LONGEST, rows // 10))


def _heaps(
    architectures: Mapping[str, Architecture],
    samples: SampleSettings | None,
    device: torch.device | str,
) -> dict[str, SampleHeap]:
    if samples is None:
        return {}
    return {
        name: SampleHeap(one.d_sae * len(one.reaches), samples, device)
        for name, one in architectures.items()
    }


def _identity(
    source: RowSource,
    architectures: Mapping[str, Architecture],
    training: Training,
    samples: SampleSettings | None,
) -> dict[str, Any]:
    """Return all that the course of the training depends on."""
    return {
        "sonde": __version__,
        "source": source.fingerprint,
        "batches": source.n_batches,
        "dictionaries": {name: one.model_dump(mode="json") for name, one in architectures.items()},
        "training": training.model_dump(mode="json"),
        "samples": samples.model_dump(mode="json") if samples is not None else None,
    }
