"""Tokens around a token: never over the ends of its chunk or of its document."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

OUTSIDE = -1
AT_ONCE = 1 << 16  # windows looked up at a time


@runtime_checkable
class Texts(Protocol):
    """A corpus of chunks of ``context`` tokens, numbered ``chunk * context + place``."""

    @property
    def context(self) -> int:
        """Tokens of a chunk."""
        ...

    @property
    def fingerprint(self) -> str:
        """16 hex digits of what the chunks are made of."""
        ...

    def chunk(self, numbers: Int[np.ndarray, " chunk"]) -> Int[np.ndarray, "chunk context"]:
        """Return the ids of chunks."""
        ...

    def documents_of(self, token: Int[np.ndarray, " row"]) -> Int[np.ndarray, " row"]:
        """Return the number of the document of each token."""
        ...

    def text_of(self, ids: Sequence[int] | np.ndarray) -> str:
        """Return the text of tokens that stand one after another."""
        ...

    def pieces(self, ids: Sequence[int] | np.ndarray) -> list[str]:
        """Return the text that each token adds."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Tokens around tokens: ids and numbers, -1 outside; the middle column is the token itself."""

    ids: Int[np.ndarray, "sample window"]
    token: Int[np.ndarray, "sample window"]
    document: Int[np.ndarray, " sample"]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def middle(self) -> int:
        """The column of the token itself."""
        return self.ids.shape[1] // 2


def blocks_of_windows(
    corpus: Texts, token: Int[np.ndarray, " sample"], reach: int
) -> Iterator[tuple[Int[np.ndarray, " block"], Windows]]:
    """Yield up to ``reach`` tokens on each side of each token, of its own chunk and document.

    Windows come some at a time, each time with the places of their samples: those that are near
    each other in the corpus together, so that a chunk is read about once.
    """
    order = np.argsort(token, kind="stable")
    for start in range(0, len(order), AT_ONCE):
        here = order[start : start + AT_ONCE]
        yield here, _looked_up(corpus, token[here], reach)


def windows(corpus: Texts, token: Int[np.ndarray, " sample"], reach: int) -> Windows:
    """Return the windows of a few tokens, in their order."""
    found = Windows(
        np.full((len(token), 2 * reach + 1), OUTSIDE, np.int32),
        np.full((len(token), 2 * reach + 1), OUTSIDE, np.int64),
        np.full(len(token), OUTSIDE, np.int64),
    )
    for here, block in blocks_of_windows(corpus, token, reach):
        found.ids[here], found.token[here] = block.ids, block.token
        found.document[here] = block.document
    return found


def _looked_up(corpus: Texts, token: np.ndarray, reach: int) -> Windows:
    chunk, place = np.divmod(token, corpus.context)
    read, line = np.unique(chunk, return_inverse=True)
    around = place[:, None] + np.arange(-reach, reach + 1)
    inside = (around >= 0) & (around < corpus.context)
    numbers = np.where(inside, (chunk * corpus.context)[:, None] + around, token[:, None])
    documents = corpus.documents_of(numbers.ravel()).reshape(numbers.shape)
    own = documents[:, reach]
    inside &= documents == own[:, None]
    ids = corpus.chunk(read)[line[:, None], np.clip(around, 0, corpus.context - 1)]
    return Windows(
        np.where(inside, ids, OUTSIDE).astype(np.int32), np.where(inside, numbers, OUTSIDE), own
    )
