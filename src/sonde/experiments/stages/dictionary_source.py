"""What a dictionary stage trains on: rows of a corpus that a model reads, or of a store."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Int

from sonde import __version__
from sonde.activations.origin import Origin
from sonde.activations.row_batches import RowBatch
from sonde.activations.shuffled import CorpusRows
from sonde.activations.shuffled_store import StoreRows
from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, parse_hook_point
from sonde.dictionaries.metrics_quality import Named
from sonde.dictionaries.samples.windows import Texts
from sonde.dictionaries.settings import DictionarySettings
from sonde.evals.texts import corpus_part
from sonde.experiments.stages.dictionary_counts import row_counts
from sonde.experiments.stages.dictionary_texts import StoredTexts, has_texts, stored_texts
from sonde.models.corpus_tokens import TokenCorpus, token_corpus
from sonde.models.corpus_tokens_writer import BEYOND
from sonde.models.devices import device_named
from sonde.models.model import Model

if TYPE_CHECKING:
    from sonde.experiments.stage import Context
    from sonde.experiments.stages.dictionary import DictionaryStage

Tokens = Int[np.ndarray, " row"]
NOT_KEPT = (*BEYOND.values(), "no token")  # why a document is in neither part


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Rows to train on with the part that is held out, and what is known of them.

    ``dictionaries`` have hook points by their own names. ``unit_of`` gives the number of the
    document, group or example of held-out rows by their tokens, ``named`` its name. ``texts`` gives
    those of the held-out part, where there are any: only when asked, since of texts that are
    streamed that part is whole long after training has begun. ``trained_on`` goes into the headers
    of dictionaries.
    """

    rows: CorpusRows | StoreRows
    dictionaries: Mapping[str, DictionarySettings]
    held_out: Callable[[], Iterator[RowBatch]]
    unit_of: Callable[[Tokens], Tokens]
    named: Named
    origin: Origin
    device: torch.device
    trained_on: Mapping[str, Any]
    texts: Callable[[], Texts | None]
    training_texts: Texts | None
    model: Model | None
    in_words: str

    def told(self) -> dict[str, Any]:
        """Return what became of the data, once all of it was read."""
        rows = self.rows
        counts = {"row_counts": row_counts(rows)}
        if isinstance(rows, CorpusRows):
            held = rows.corpus.held_out
            documents = _documents(rows.corpus)
            tokens = held.n_chunks * held.context
            left_out = dict(sorted(rows.corpus.left_out.items()))
            told = {"held_out_tokens": tokens, "left_out": left_out, "documents": documents}
            return told | {"commit": rows.corpus.commit} | counts
        return counts | {
            "held_out_rows": rows.n_held_out,
            "stored": {
                "rows": len(rows.store),
                "train": rows.n_trained,
                "held_out": rows.n_held_out,
                "first": len(rows.store) - rows.n_trained - rows.n_held_out,
            },
        }


def source_of(stage: "DictionaryStage", context: "Context") -> Source:
    """Open what a stage trains on.

    Raises:
        SondeError: a hook point, the texts, the store or the settings cannot serve.
    """
    return _of_corpus(stage, context) if stage.corpus is not None else _of_store(stage, context)


def _of_corpus(stage: "DictionaryStage", context: "Context") -> Source:
    model = context.load_model()
    _, shuffle = stage.with_seed(context.seed)
    corpus = token_corpus(model.tokenizer, stage.located(context.base))
    asked = {name: _resolved(model, one) for name, one in stage.dictionaries.items()}
    rows = CorpusRows(model, corpus, model.hook_points(_hooks(asked)), shuffle)
    info, often = model.info, f", {corpus.epochs} times" if corpus.epochs > 1 else ""

    def document_of(token: Tokens) -> Tokens:
        return corpus.held_out.documents_of(token)

    def named(documents: Tokens) -> np.ndarray:
        return corpus_part(corpus.held_out).unit(documents)

    return Source(
        rows=rows,
        dictionaries=asked,
        held_out=rows.held_out,
        unit_of=document_of,
        named=named,
        origin=Origin(
            model=info.name, revision=info.revision, model_fingerprint=info.fingerprint,
            n_layers=info.n_layers, dtype=info.dtype, template="none",
            data_fingerprint=corpus.fingerprint, hooks=tuple(str(hook) for hook in rows.hooks),
            positions=("all",), sonde_version=__version__,
        ),
        device=model.device,
        trained_on={
            "texts": corpus.settings.texts,
            **({"commit": corpus.commit} if corpus.commit else {}),
            "context": corpus.context,
            "first_tokens_left_out": rows.first,
        },
        texts=lambda: corpus.held_out,
        training_texts=corpus,
        model=model,
        in_words=f"{corpus.n_chunks:,} chunks of {corpus.context} tokens{often}",
    )  # fmt: skip


def _of_store(stage: "DictionaryStage", context: "Context") -> Source:
    asked = stage.activations
    assert asked is not None
    _, shuffle = stage.with_seed(context.seed)
    finished = context.inputs[asked.stage]
    store = finished.open()
    hooks = tuple(parse_hook_point(hook) for hook in _hooks(stage.dictionaries))
    device = device_named("auto" if context.model is None else context.model.device)
    rows = StoreRows(store, hooks, shuffle, asked.epochs, asked.held_out, device)
    if not rows.n_held_out:
        next(rows.held_out())  # says so
    model = context.load_model() if has_texts(finished.folder) else None
    texts = None if model is None else stored_texts(finished.folder, rows, model.tokenizer)
    if texts is None:
        context.say(f"{context.name}: {asked.stage} keeps no texts for all of the held-out rows.")
    origin = store.origin.model_copy(
        update={"hooks": tuple(map(str, hooks)), "sonde_version": __version__}
    )
    return Source(
        rows=rows,
        dictionaries=stage.dictionaries,
        held_out=rows.held_out if texts is None else lambda: _renumbered(rows, texts),
        unit_of=rows.units_of if texts is None else texts.units_of,
        named=lambda units: rows.unit_names[units],
        origin=origin,
        device=device,
        trained_on={"stored": asked.stage, "first_tokens_left_out": shuffle.first},
        texts=lambda: texts,
        training_texts=None,
        model=model if texts is not None else None,
        in_words=f"{rows.n_trained:,} stored rows"
        + (f", {asked.epochs} times" if asked.epochs > 1 else ""),
    )


def _renumbered(rows: StoreRows, texts: StoredTexts) -> Iterator[RowBatch]:
    """Yield held-out rows with the numbers that their tokens have in the texts."""
    for batch in rows.held_out():
        numbers = texts.numbers[batch.token.cpu().numpy()]
        yield RowBatch(batch.tensors, torch.as_tensor(numbers, device=batch.token.device))


def _documents(corpus: TokenCorpus) -> dict[str, Any]:
    """Count the documents of both parts, and those of neither by reason."""
    index, left_out = corpus.index, corpus.left_out
    return {
        "read": index.documents,
        "train": index.train.documents,
        "held_out": index.held_out.documents,
        "not_kept": {key: left_out[key] for key in NOT_KEPT if left_out.get(key)},
    }


def _hooks(asked: Mapping[str, DictionarySettings]) -> tuple[str, ...]:
    every = (hook for one in asked.values() for hook in (*one.sources, *one.targets))
    return tuple(dict.fromkeys(every))


def _resolved(model: Model, one: DictionarySettings) -> DictionarySettings:
    """Return settings with hook points by their own names, whatever names they came under.

    Raises:
        SondeError: the model lacks one, or a name means several.
    """

    def named(name: str) -> str:
        points: tuple[HookPoint, ...] = tuple(model.hook_points(name))
        if len(points) != 1:
            raise SondeError(
                f"{name!r} means {len(points)} hook points.",
                fix="Name one: blocks.<layer>.<site>.",
            )
        return str(points[0])

    return one.model_copy(
        update={
            "sources": tuple(map(named, one.sources)),
            "targets": tuple(map(named, one.targets)),
        }
    )
