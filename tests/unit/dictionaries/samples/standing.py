"""A small corpus in memory, with the methods of the real one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Standing:
    """Words as tokens: documents one after another; a word's id is its place in ``words``."""

    documents: tuple[tuple[str, ...], ...]
    words: tuple[str, ...]
    context: int

    @classmethod
    def of(cls, *texts: str, context: int) -> "Standing":
        """Take texts of words that are parted by spaces."""
        documents = tuple(tuple(text.split()) for text in texts)
        return cls(documents, tuple(sorted({w for one in documents for w in one})), context)

    @property
    def fingerprint(self) -> str:
        """A name."""
        return "standing"

    @property
    def ids(self) -> np.ndarray:
        """All tokens, cut to whole chunks."""
        found = [self.words.index(word) for one in self.documents for word in one]
        return np.array(found[: len(found) // self.context * self.context])

    def chunk(self, numbers: np.ndarray) -> np.ndarray:
        """Return chunks."""
        return self.ids.reshape(-1, self.context)[numbers]

    def documents_of(self, token: np.ndarray) -> np.ndarray:
        """Return documents."""
        ends = np.cumsum([len(one) for one in self.documents])
        return np.searchsorted(ends, token, side="right")

    def text_of(self, ids: Sequence[int]) -> str:
        """Return words with a space between, as some tokenizers do."""
        return " ".join(self.words[one] for one in ids)

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """Return the words."""
        return [self.words[one] + " " * (at < len(ids) - 1) for at, one in enumerate(ids)]
