"""The texts behind stored rows, as samples read them: each example a chunk of its tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from sonde.activations.shuffled_store import StoreRows
from sonde.core.files import fingerprint
from sonde.experiments.stages.texts import FILE, read_texts
from sonde.models.pieces import pieces_of, text_of

NONE = -1
Numbers = Int[np.ndarray, " row"]


@dataclass(frozen=True, slots=True, eq=False)
class StoredTexts:
    """Examples as chunks, filled up to the longest; a token is ``chunk * context + place``.

    ``numbers`` are the tokens of the store's rows, -1 where a row has no text. ``units`` are the
    numbers of the chunks' groups.
    """

    ids: Int[np.ndarray, "chunk context"]
    numbers: Numbers
    units: Int[np.ndarray, " chunk"]
    tokenizer: Any

    @property
    def context(self) -> int:
        """Tokens of a chunk."""
        return self.ids.shape[1]

    @property
    def fingerprint(self) -> str:
        """16 hex digits of what the chunks are made of."""
        return fingerprint([self.ids.shape, self.ids.tolist()])

    def chunk(self, numbers: Int[np.ndarray, " chunk"]) -> Int[np.ndarray, "chunk context"]:
        """Return the ids of chunks, -1 behind their ends."""
        return self.ids[numbers]

    def documents_of(self, token: Int[np.ndarray, " row"]) -> Int[np.ndarray, " row"]:
        """Return the number of the example of each token, -1 behind its end."""
        chunk, place = np.divmod(token, self.context)
        return np.where(self.ids[chunk, place] == NONE, NONE, chunk)

    def units_of(self, token: Int[np.ndarray, " row"]) -> Int[np.ndarray, " row"]:
        """Return the number of the group of each token's example."""
        return self.units[token // self.context]

    def text_of(self, ids: Sequence[int] | np.ndarray) -> str:
        """Return the text of tokens that stand one after another."""
        return text_of(self.tokenizer, [one for one in ids if one != NONE])

    def pieces(self, ids: Sequence[int] | np.ndarray) -> list[str]:
        """Return the text that each token adds."""
        return pieces_of(self.tokenizer, ids)


def has_texts(folder: Path) -> bool:
    """Whether texts are kept beside a store."""
    return (folder / FILE).is_file()


def stored_texts(folder: Path, rows: StoreRows, tokenizer: Any) -> StoredTexts | None:
    """Read the texts kept beside a store; None where a held-out row has none."""
    _, rendered = read_texts(folder)
    table = rows.store.rows
    held = rows.held_out_rows
    wanted = list(dict.fromkeys(table.example[held].tolist()))
    if not wanted or any(name not in rendered for name in wanted):
        return None
    longest = max(len(rendered[name].ids) for name in wanted)
    ids = np.full((len(wanted), longest), NONE, np.int64)
    for chunk, name in enumerate(wanted):
        ids[chunk, : len(rendered[name].ids)] = rendered[name].ids
    at = {name: chunk for chunk, name in enumerate(wanted)}
    chunk = np.array([at[name] for name in table.example[held].tolist()])
    place = table.token[held].astype(np.int64)
    if (place < 0).any() or (place >= longest).any():
        return None
    numbers = np.full(len(table.example), NONE, np.int64)
    numbers[held] = chunk * longest + place
    units = np.zeros(len(wanted), np.int64)
    units[chunk] = rows.units_of(np.flatnonzero(held))
    return StoredTexts(ids, numbers, units, tokenizer)
