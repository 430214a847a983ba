"""The length baseline: what the size of a text says, without its words."""

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

WORDS = re.compile(r"\w+")


def length_features(
    texts: Sequence[str] | None, tokens: Int[np.ndarray, " row"]
) -> Float[np.ndarray, "row feature"]:
    """Return the numbers of tokens, words and characters of each text; those that vary.

    ``tokens`` counts up to the last token that was read of each text. Without texts it is all that
    is known.
    """
    columns = [tokens.astype(np.float64)]
    if texts is not None:
        columns.append(np.array([len(WORDS.findall(text)) for text in texts], np.float64))
        columns.append(np.array([len(text) for text in texts], np.float64))
    varying = [column for column in columns if np.ptp(column) > 0]
    return np.stack(varying, axis=1) if varying else np.empty((len(tokens), 0))
