"""Chunks of documents that gave no row, whole: for showing what a probe makes of each token."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from sonde.activations.token_picking import Asked
from sonde.activations.token_rows import TokenRows
from sonde.activations.token_tasks import Source, TokenActivations
from sonde.data.token_tasks import Task


@dataclass(frozen=True, slots=True, eq=False)
class ShownChunk:
    """A chunk with its words: ``offsets`` are spans of characters in ``text``, empty for a BOS.

    ``truth`` is each token's label, None where it is not known or was not asked.
    """

    name: str
    text: str
    ids: Int[np.ndarray, " pos"]
    offsets: Int[np.ndarray, "pos 2"]
    truth: tuple[bool | None, ...]
    prefix: int


def shown_chunks(tokenizer: Any, asked: Asked, task: Task) -> tuple[ShownChunk, ...]:
    """Return the first chunk of each document that was kept apart."""
    chunks, found = asked.apart, []
    for place in np.flatnonzero(chunks.number == 0).tolist():
        document = asked.texts.documents[chunks.document[place]]
        encoded = tokenizer(
            document.text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        length = int(chunks.stop[place] - chunks.start[place])
        spans = np.array(encoded["offset_mapping"][:length], np.int32).reshape(-1, 2)
        is_target = np.isin(encoded["input_ids"][: length + 1], asked.targets.ids).tolist()
        labels = is_target[1:] if task == "next" else is_target[:length]
        truth = [*labels, *[None] * (length - len(labels))]
        truth[: asked.min_context] = [None] * asked.min_context
        n = len(asked.prefix)
        ids = asked.tokens.ids[chunks.start[place] : chunks.stop[place]]
        found.append(
            ShownChunk(
                name=f"{document.name}#0",
                text=document.text[: spans[:, 1].max()],
                ids=np.concatenate([np.array(asked.prefix, np.int32), ids]).astype(np.int32),
                offsets=np.concatenate([np.zeros((n, 2), np.int32), spans]).astype(np.int32),
                truth=(*[None] * n, *truth),
                prefix=n,
            )
        )
    return tuple(found)


def activations_of(
    chunks: tuple[ShownChunk, ...], task: TokenActivations, source: Source
) -> TokenActivations:
    """Return every token of some chunks, read as the rows of a task were."""
    lengths = [len(one.ids) for one in chunks]
    rows = TokenRows(
        ids=np.concatenate([one.ids for one in chunks]),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        names=tuple(one.name for one in chunks),
        documents=tuple(one.name.rpartition("#")[0] for one in chunks),
        chunk=np.repeat(np.arange(len(chunks)), lengths).astype(np.int32),
        token=np.concatenate([np.arange(length) for length in lengths]).astype(np.int32),
        label=np.concatenate([[value is True for value in one.truth] for one in chunks]),
    )
    origin = task.origin.model_copy(update={"data_fingerprint": rows.fingerprint})
    return TokenActivations(rows, task.facts, origin, source)
