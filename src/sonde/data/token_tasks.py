"""Token tasks: is this token, or the next one, of a given set? Labels known before a model runs.

Documents are cut into chunks of a context length. Each token of a chunk that has enough context is
a candidate; its label follows from token ids alone, so that rows are picked first and activations
are read nowhere else.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Int

Task: TypeAlias = Literal["next", "current"]
Sampling: TypeAlias = Literal["balanced", "natural"]
Variant: TypeAlias = Literal["case", "space"]  # other forms of a text that count as it


@dataclass(frozen=True, slots=True, eq=False)
class Chunks:
    """Stretches ``ids[start:stop]`` of one document each, ``number`` counting within it.

    ``end`` is where the document ends, ``repeated`` counts stretches that were left out because an
    earlier one has the same tokens.
    """

    start: Int[np.ndarray, " chunk"]
    stop: Int[np.ndarray, " chunk"]
    end: Int[np.ndarray, " chunk"]
    document: Int[np.ndarray, " chunk"]
    number: Int[np.ndarray, " chunk"]
    repeated: int = 0

    def __len__(self) -> int:
        return len(self.start)

    @property
    def tokens(self) -> int:
        """Tokens of all chunks."""
        return int((self.stop - self.start).sum())

    def __getitem__(self, which: np.ndarray) -> "Chunks":
        columns = (self.start, self.stop, self.end, self.document, self.number)
        return Chunks(*(column[which] for column in columns), repeated=self.repeated)


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Tokens that could become rows: their chunk, their place in it, and their label."""

    chunk: Int[np.ndarray, " row"]
    token: Int[np.ndarray, " row"]
    label: Bool[np.ndarray, " row"]

    def __len__(self) -> int:
        return len(self.chunk)

    def __getitem__(self, which: np.ndarray) -> "Candidates":
        return Candidates(self.chunk[which], self.token[which], self.label[which])

    @property
    def rate(self) -> float:
        """The share of tokens with the label: n_1 / n, in [0, 1]."""
        return float(self.label.mean()) if len(self) else float("nan")


def cut(
    ids: Int[np.ndarray, " token"],
    starts: Int[np.ndarray, " documents_and_one"],
    length: int,
    *,
    max_tokens: int | None = None,
    seed: int = 0,
) -> Chunks:
    """Cut documents ``ids[starts[d] : starts[d + 1]]`` into chunks of ``length`` tokens.

    The last chunk of a document may be shorter; one of a single token is left out. With
    ``max_tokens`` every document gives its first chunk, in random order, before any gives its
    second, until the chunks have that many tokens.
    """
    documents = np.repeat(np.arange(len(starts) - 1), -(-np.diff(starts) // length))
    number = _counted(documents)
    start = starts[documents] + number * length
    end = starts[documents + 1]
    stop = np.minimum(start + length, end)
    whole = Chunks(start, stop, end, documents, number)
    new = _first_of_equals(ids, whole)
    kept = whole[new & (stop - start >= 2)]
    if max_tokens is not None and kept.tokens > max_tokens:
        rng = np.random.default_rng([seed, 0xC4])
        order = np.lexsort((rng.random(len(kept)), kept.number))
        before = np.cumsum((kept.stop - kept.start)[order]) - (kept.stop - kept.start)[order]
        kept = kept[np.sort(order[before < max_tokens])]
    columns = (kept.start, kept.stop, kept.end, kept.document, kept.number)
    return Chunks(*columns, repeated=int((~new).sum()))


def reserved(chunks: Chunks, number: int, *, seed: int = 0) -> Bool[np.ndarray, " chunk"]:
    """Mark the chunks of ``number`` documents, a tenth of them at most, of the longer half.

    They are kept for showing what a probe makes of text that taught it nothing.
    """
    documents, tokens = (
        np.unique(chunks.document),
        np.bincount(chunks.document, weights=chunks.stop - chunks.start),
    )
    longer = documents[tokens[documents] >= np.median(tokens[documents])] if len(documents) else []
    rng = np.random.default_rng([seed, 0x5E])
    chosen = rng.permutation(longer)[: min(number, len(documents) // 10)]
    return np.isin(chunks.document, chosen)


def candidates(
    ids: Int[np.ndarray, " token"],
    chunks: Chunks,
    targets: Sequence[int],
    task: Task,
    *,
    min_context: int = 1,
) -> Candidates:
    """Label every token that has ``min_context`` others before it in its chunk.

    ``next``: is the token after it a target? The last token of a chunk is asked too, as far as its
    document goes on. ``current``: is it one itself?
    """
    lengths = chunks.stop - chunks.start
    chunk = np.repeat(np.arange(len(chunks)), lengths)
    token = np.arange(len(chunk)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    asked = chunks.start[chunk] + token + (task == "next")
    known = (token >= min_context) & (asked < chunks.end[chunk])
    label = np.isin(np.asarray(ids)[asked[known]], np.asarray(targets))
    return Candidates(chunk[known].astype(np.int32), token[known].astype(np.int32), label)


def pick(
    found: Candidates,
    documents: Int[np.ndarray, " chunk"],
    rows: int,
    sampling: Sampling = "balanced",
    *,
    seed: int = 0,
) -> Candidates:
    """Pick at most ``rows`` candidates, in the order of chunks and tokens.

    ``balanced``: as many with the label as without. Those with it are spread over documents, and
    within a document over its chunks: each gives one before any gives a second. Those without come
    from the same documents, as many from each as far as it has them, so that knowing the document
    is worth nothing. ``natural``: any, each as likely, so at the rate of the texts.
    """
    rng = np.random.default_rng([seed, 0x70])
    if sampling == "natural":
        chosen = rng.permutation(len(found))[:rows]
        return found[np.sort(chosen)]
    yes, no = np.flatnonzero(found.label), np.flatnonzero(~found.label)
    half = min(rows // 2, len(yes), len(no))
    document = documents[found.chunk]
    taken = yes[_spread(document[yes], found.chunk[yes], rng)[:half]]
    wanted = np.bincount(document[taken], minlength=int(document.max(initial=0)) + 1)
    order = _spread(document[no], found.chunk[no], rng)
    beside = _counted_in_order(document[no][order]) < wanted[document[no][order]]
    others = no[np.concatenate([order[beside], order[~beside]])[:half]]
    return found[np.sort(np.concatenate([taken, others]))]


def _spread(
    document: Int[np.ndarray, " row"], chunk: Int[np.ndarray, " row"], rng: np.random.Generator
) -> Int[np.ndarray, " row"]:
    """Return an order in which documents take turns, and within each its chunks; random besides."""
    key = rng.random(len(document))
    turn_of_chunk = _turns(chunk, key, np.zeros_like(key))
    turn = _turns(document, key, turn_of_chunk)
    return np.lexsort((key, turn))


def _turns(group: np.ndarray, key: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return each row's place among those of its group, by ``first`` and then by ``key``."""
    order = np.lexsort((key, first, group))
    turns = np.empty(len(group), np.int64)
    turns[order] = _counted(group[order])
    return turns


def _counted(group: np.ndarray) -> np.ndarray:
    """Count from 0 within each stretch of equal values."""
    new = np.ones(len(group), bool)
    new[1:] = group[1:] != group[:-1]
    places = np.arange(len(group))
    return places - np.maximum.accumulate(np.where(new, places, 0))


def _counted_in_order(group: np.ndarray) -> np.ndarray:
    """Count from 0 how often each value came before."""
    order = np.argsort(group, kind="stable")
    counts = np.empty(len(group), np.int64)
    counts[order] = _counted(group[order])
    return counts


def _first_of_equals(ids: np.ndarray, chunks: Chunks) -> Bool[np.ndarray, " chunk"]:
    """Mark chunks whose tokens no earlier one has: a licence that stands in many files leaks."""
    seen: set[bytes] = set()
    new = np.zeros(len(chunks), bool)
    for place, (start, stop) in enumerate(zip(chunks.start, chunks.stop, strict=True)):
        digest = hashlib.blake2b(ids[start:stop].tobytes(), digest_size=16).digest()
        new[place] = digest not in seen
        seen.add(digest)
    return new
