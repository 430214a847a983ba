"""The text that each token of a window adds, for many windows."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from sonde.dictionaries.samples.windows import OUTSIDE, Texts

REPLACED = "\N{REPLACEMENT CHARACTER}"


class Pieces:
    """Texts of tokens. Each token is decoded once, and a window as a whole to see that they fit.

    A tokenizer may drop the space of a first word, so a token is decoded behind another one. Where
    a character is made of several tokens, single ones are no text, and the corpus itself says what
    each of the window adds.
    """

    def __init__(self, corpus: Texts) -> None:
        self.corpus = corpus
        self.anchor = _anchor(corpus)
        self.anchored = corpus.text_of(self.anchor)
        self._behind_anchor: dict[int, str] = {}
        self._alone: dict[int, str] = {}

    def of(self, ids: Sequence[int]) -> list[str]:
        """Return the pieces of tokens that stand one after another."""
        found = [self._piece(one) for one in ids]
        whole = self._behind(ids)
        if "".join(found) == whole and REPLACED not in whole:
            return found
        return self.corpus.pieces(ids)

    def windows(self, ids: Int[np.ndarray, "sample window"]) -> list[list[str]]:
        """Return the pieces of each window; what lies outside of it is left out."""
        return [self.of([one for one in row if one != OUTSIDE]) for row in ids.tolist()]

    def single(self, one: int) -> str:
        """Return the text of a token by itself, as it stands behind another."""
        if one not in self._alone:
            self._alone[one] = self.of([one])[0]
        return self._alone[one]

    def _piece(self, one: int) -> str:
        if one not in self._behind_anchor:
            self._behind_anchor[one] = self._behind([one])
        return self._behind_anchor[one]

    def _behind(self, ids: Sequence[int]) -> str:
        return self.corpus.text_of([*self.anchor, *ids])[len(self.anchored) :]


def _anchor(corpus: Texts) -> list[int]:
    """Return the first ordinary word of a corpus, to decode other tokens behind."""
    for one in corpus.chunk(np.array([0]))[0].tolist():
        if corpus.text_of([one]).strip().isalnum():
            return [one]
    return []
