"""Texts of tokens that stand one after another, and what each of them adds."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def text_of(tokenizer: Any, ids: Sequence[int] | np.ndarray) -> str:
    """Return the text of tokens that stand one after another."""
    return tokenizer.decode(list(map(int, ids)), clean_up_tokenization_spaces=False)


def pieces_of(tokenizer: Any, ids: Sequence[int] | np.ndarray) -> list[str]:
    """Return the text that each token adds; joined they are ``text_of``.

    A character of several tokens is added by the last of them.
    """
    said, pieces = "", list[str]()
    for end in range(1, len(ids) + 1):
        text = text_of(tokenizer, ids[:end])
        whole = end == len(ids) or not text.endswith("\N{REPLACEMENT CHARACTER}")
        pieces.append(text[len(said) :] if whole else "")
        said = text if whole else said
    return pieces
