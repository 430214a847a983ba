"""Train the dictionaries of a stage: begin, or go on from the last checkpoint."""

from typing import TYPE_CHECKING

from sonde.dictionaries.training.course import Running, Trained, train
from sonde.experiments.stages.dictionary_counts import ROUNDS, row_counts, rows_in_words
from sonde.experiments.stages.dictionary_source import Source, source_of

if TYPE_CHECKING:
    from sonde.experiments.stage import Context
    from sonde.experiments.stages.dictionary import DictionaryStage


def train_all(stage: "DictionaryStage", context: "Context") -> tuple[Source, dict[str, Trained]]:
    """Train every dictionary; return what they were trained on, and the dictionaries.

    Raises:
        SondeError: a hook point, the texts or the settings cannot serve, or training stopped.
    """
    from sonde.experiments.stages.dictionary import CHECKPOINTS

    source = source_of(stage, context)
    rows = source.rows
    training, _ = stage.with_seed(context.seed)
    context.say(
        f"{context.name}: {rows.n_batches:,} batches of {rows.batch:,} rows from {source.in_words}."
    )
    rows.made.keep(context.folder / ROUNDS, rows.fingerprint)
    running = Running(
        folder=context.folder / CHECKPOINTS,
        store=stage.checkpoints.every,
        keep=stage.checkpoints.keep,
        log=stage.log,
        device=source.device,
        track=context.track,
        progress=context.progress,
    )
    watched = rows.watched(rows.batch)
    found = train(
        rows,
        source.dictionaries,
        training,
        samples=stage.samples,
        running=running,
        held_out=watched,
    )
    said = rows_in_words(row_counts(rows)["train"], "to train on")
    context.say(f"{context.name}: {said}")
    return source, found
