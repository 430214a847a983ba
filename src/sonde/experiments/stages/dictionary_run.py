"""Train the dictionaries of a stage: open the corpus, resolve hook points, begin or go on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sonde.activations.shuffled import CorpusRows
from sonde.core.errors import SondeError
from sonde.dictionaries.settings import DictionarySettings
from sonde.dictionaries.training.course import Running, Trained, train
from sonde.models.corpus_tokens import token_corpus
from sonde.models.model import Model

if TYPE_CHECKING:
    from sonde.experiments.stage import Context
    from sonde.experiments.stages.dictionary import DictionaryStage

CHECKPOINTS = "checkpoints"


def train_all(
    stage: "DictionaryStage", context: "Context"
) -> tuple[CorpusRows, dict[str, Trained]]:
    """Train every dictionary; return the rows they were trained on, and the dictionaries.

    Raises:
        SondeError: a hook point, the texts or the settings cannot serve, or training stopped.
    """
    model = context.load_model()
    training, shuffle = stage.with_seed(context.seed)
    corpus = token_corpus(model.tokenizer, stage.located(context.base))
    asked = {name: resolved(model, one) for name, one in stage.dictionaries.items()}
    hooks = model.hook_points(
        tuple(dict.fromkeys(h for one in asked.values() for h in (*one.sources, *one.targets)))
    )
    rows = CorpusRows(model, corpus, hooks, shuffle)
    often = f", {corpus.epochs} times" if corpus.epochs > 1 else ""
    context.say(
        f"{context.name}: {rows.n_batches:,} batches of {rows.batch:,} rows from "
        f"{corpus.n_chunks:,} chunks of {corpus.context} tokens{often}."
    )
    running = Running(
        folder=context.folder / CHECKPOINTS,
        store=stage.checkpoints.every,
        keep=stage.checkpoints.keep,
        log=stage.log,
        device=model.device,
        track=context.track,
        progress=context.progress,
    )
    return rows, train(rows, asked, training, samples=stage.samples, running=running)


def resolved(model: Model, one: DictionarySettings) -> DictionarySettings:
    """Return settings with hook points by their own names, whatever names they came under.

    Raises:
        SondeError: the model lacks one, or a name means several.
    """
    return one.model_copy(
        update={"sources": _named(model, one.sources), "targets": _named(model, one.targets)}
    )


def _named(model: Model, names: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    for name in names:
        points = model.hook_points(name)
        if len(points) != 1:
            raise SondeError(
                f"{name!r} means {len(points)} hook points.",
                fix="Name one: blocks.<layer>.<site>.",
            )
        found.append(str(points[0]))
    return tuple(found)
