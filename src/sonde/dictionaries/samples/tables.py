"""Tables of latents and samples, from a heap and the corpus that its tokens are of."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from sonde.dictionaries.samples.flat import DRAWN, RANDOM, TOP, FlatSamples, flat_samples
from sonde.dictionaries.samples.found import Accounting, DictionarySamples, SampledFrom
from sonde.dictionaries.samples.heap import SampleHeap
from sonde.dictionaries.samples.measures import (
    context_diversity,
    context_numbers,
    token_spread,
)
from sonde.dictionaries.samples.pieces import Pieces
from sonde.dictionaries.samples.windows import Texts, Windows, blocks_of_windows, windows

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from sonde.dictionaries.samples.effects import LogitEffects

Around = Callable[
    [Int[np.ndarray, " sample"], Int[np.ndarray, "sample window"]],
    Float[np.ndarray, "sample window"],
]
Effects = Callable[["torch.Tensor"], "LogitEffects | None"]


@dataclass(frozen=True, slots=True)
class Sources:
    """What samples are told with.

    ``corpus`` is what the heap's tokens are of; ``around`` gives a latent's activations on windows
    of tokens, ``effects`` latents' direct effects on the logits. What is None is left out of the
    tables.
    """

    corpus: Texts | None = None
    around: Around | None = None
    effects: Effects | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What stands around samples: contexts by number, the tokens' ids, documents."""

    context: Int[np.ndarray, " sample"]
    token_id: Int[np.ndarray, " sample"]
    document: Int[np.ndarray, " sample"]


def tabled(
    heap: SampleHeap, source: SampledFrom, told: Sources, n_blocks: int = 1
) -> DictionarySamples:
    """Make the tables of what a heap has kept."""
    flat = flat_samples(heap)
    texts = flat.with_texts(heap.settings) & (told.corpus is not None)
    fired = heap.fired.cpu().numpy()
    sampled = np.bincount(flat.latent, minlength=heap.n_latents) > 0
    accounting = Accounting(
        latents=heap.n_latents,
        silent=int((fired == 0).sum()),
        faint=int(((fired > 0) & ~sampled).sum()),
        sampled=int(sampled.sum()),
        rows=int(heap.rows),
        samples=len(flat),
        texts=int(texts.sum()),
    )
    known = _not_known(heap.n_latents)
    document, text = np.full(len(flat), -1), {}
    if told.corpus is not None:
        reach, pieces = heap.settings.context, Pieces(told.corpus)
        seen = _seen(told.corpus, flat.token, reach)
        document = seen.document
        known |= _spread(heap, flat, seen, pieces)
        known |= _effect_words(np.unique(flat.latent), heap.n_latents, pieces, told.effects)
        at = np.flatnonzero(texts)
        text = _texts(windows(told.corpus, flat.token[at], reach), pieces, flat, at, told.around)
    latents = _latents(heap, n_blocks, known)
    samples = _samples(flat, document, text)
    return DictionarySamples(heap.settings, source, accounting, latents, samples)


def _seen(corpus: Texts, token: np.ndarray, reach: int) -> _Seen:
    found = _Seen(*(np.zeros(len(token), np.int64) for _ in range(3)))
    for here, block in blocks_of_windows(corpus, token, reach):
        found.context[here] = context_numbers(block)
        found.token_id[here] = block.ids[:, block.middle]
        found.document[here] = block.document
    return found


def _not_known(n: int) -> dict[str, Any]:
    """Return the columns of latents that take a corpus or a model, empty."""
    return {
        "diversity": np.full(n, np.nan),
        "effective_tokens": np.full(n, np.nan),
        "specialisation": np.full(n, np.nan),
        "tokens": [None] * n,
        "raised": [None] * n,
        "lowered": [None] * n,
    }


def _spread(heap: SampleHeap, flat: FlatSamples, seen: _Seen, pieces: Pieces) -> dict[str, Any]:
    top = flat.drawn == TOP
    # Random samples say what a latent fires on; the largest alone would flatter it.
    random = flat.drawn == (RANDOM if heap.settings.uniform > 1 else TOP)
    spread = token_spread(flat.latent[random], seen.token_id[random], heap.n_latents)
    return {
        "diversity": context_diversity(flat.latent[top], seen.context[top], heap.n_latents),
        "effective_tokens": spread.effective,
        "specialisation": spread.specialisation,
        "tokens": [
            [
                _word(pieces, one, share)
                for one, share in zip(tokens.tolist(), shares.tolist(), strict=True)
            ]
            for tokens, shares in zip(spread.token, spread.share, strict=True)
        ],
    }


def _effect_words(
    latents: np.ndarray, n: int, pieces: Pieces, effects: Effects | None
) -> dict[str, Any]:
    import torch

    found = effects(torch.from_numpy(latents)) if effects is not None and len(latents) else None
    if found is None:
        return {}
    columns: dict[str, list[Any]] = {"raised": [None] * n, "lowered": [None] * n}
    for line, latent in enumerate(latents.tolist()):
        for name, ids, by in (
            ("raised", found.raised, found.raised_by),
            ("lowered", found.lowered, found.lowered_by),
        ):
            words = zip(ids[line].tolist(), by[line].tolist(), strict=True)
            columns[name][latent] = [_word(pieces, one, value) for one, value in words]
    return columns


def _word(pieces: Pieces, token: int, number: float) -> dict[str, Any]:
    return {"id": token, "text": pieces.single(token), "number": number}


def _latents(heap: SampleHeap, n_blocks: int, told: dict[str, Any]) -> "pa.Table":
    import pyarrow as pa

    n = heap.n_latents
    fired = heap.fired.cpu().numpy()
    total, rows = heap.total.cpu().numpy(), max(1, int(heap.rows))
    largest = heap.top.kept.value[:, 0].cpu().numpy()
    counts = sum(
        (one.kept.priority >= 0).view(n, -1).sum(dim=1).cpu().numpy()
        for one in (heap.top, heap.strata, heap.uniform)
        if one.kept.priority.numel()
    )
    words = pa.list_(
        pa.struct([("id", pa.int32()), ("text", pa.string()), ("number", pa.float32())])
    )
    return pa.table(
        {
            "latent": np.arange(n, dtype=np.int32),
            "block": (np.arange(n) // (n // n_blocks)).astype(np.int32),
            "fired": fired,
            "rate": fired / rows,
            "mean": _known(np.divide(total, fired, out=np.full(n, np.nan), where=fired > 0)),
            "largest": _known(np.where(largest > 0, largest, np.nan)),
            "samples": np.broadcast_to(np.asarray(counts, np.int32), (n,)),
            "diversity": _known(told["diversity"]),
            "effective_tokens": _known(told["effective_tokens"]),
            "specialisation": _known(told["specialisation"]),
            "histogram": pa.array(list(heap.histogram.cpu().numpy()), pa.list_(pa.int64())),
            **{name: pa.array(told[name], words) for name in ("tokens", "raised", "lowered")},
        }
    )


def _texts(
    seen: Windows, pieces: Pieces, flat: FlatSamples, at: np.ndarray, around: Around | None
) -> dict[int, dict[str, Any]]:
    """Return, by sample, the pieces of its text, its place among them, and their activations."""
    found = None if around is None else around(flat.latent[at], seen.token)
    inside = seen.ids >= 0
    said = pieces.windows(seen.ids)
    places = inside[:, : seen.middle].sum(axis=1).tolist()
    return {
        number: {
            "pieces": said[line],
            "place": places[line],
            "values": None if found is None else _nulls(found[line][inside[line]]),
        }
        for line, number in enumerate(at.tolist())
    }


def _samples(flat: FlatSamples, document: np.ndarray, text: dict[int, Any]) -> "pa.Table":
    import pyarrow as pa

    none: dict[str, Any] = {"pieces": None, "place": -1, "values": None}
    said = [text.get(number, none) for number in range(len(flat))]
    return pa.table(
        {
            "latent": flat.latent.astype(np.int32),
            "drawn": pa.array(np.array(DRAWN)[flat.drawn], pa.string()),
            "octave": flat.octave.astype(np.int8),
            "rank": flat.rank.astype(np.int32),
            "value": flat.value,
            "token": flat.token,
            "step": flat.step,
            "document": document,
            "place": pa.array([one["place"] for one in said], pa.int32()),
            "pieces": pa.array([one["pieces"] for one in said], pa.list_(pa.string())),
            "values": pa.array([one["values"] for one in said], pa.list_(pa.float32())),
        }
    )


def _known(values: np.ndarray) -> Any:
    """Return a column in which NaN is null."""
    import pyarrow as pa

    return pa.array(values, mask=np.isnan(values))


def _nulls(values: Sequence[float] | np.ndarray) -> list[float | None]:
    return [None if math.isnan(one) else float(one) for one in values]
