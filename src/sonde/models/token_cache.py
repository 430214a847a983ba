"""Documents tokenised once: the ids are kept in the cache folder, named by what they are made of.

A sweep over layers, another task or another run then reads them back without the tokenizer. Chunks
of every length are cut from the same ids.
"""

import hashlib
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from sonde.core.files import fingerprint, write_atomic
from sonde.core.folders import cache_folder
from sonde.data.text_folders import TextFolder
from sonde.models.tokenise import knowledge_of

BATCH = 64  # documents a call: enough for the tokenizer's threads
IDS, STARTS = "ids.npy", "starts.npy"
_FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class TokenisedTexts:
    """The tokens of all documents, end to end: ``ids[starts[d] : starts[d + 1]]`` is document d.

    Without special tokens. ``cached`` says that they were there already.
    """

    ids: Int[np.ndarray, " token"]
    starts: Int[np.ndarray, " documents_and_one"]
    cached: bool


def tokenised(tokenizer: Any, texts: TextFolder) -> TokenisedTexts:
    """Return the tokens of a folder's documents, from the cache where they are there.

    Raises:
        SondeError: the disk is full, or the tokenizer cannot say which characters a token is of.
    """
    knowledge_of(tokenizer)
    key = fingerprint([_FORMAT, tokenizer_fingerprint(tokenizer), texts.fingerprint])
    folder = cache_folder() / "tokens" / key
    found = _read(folder, len(texts.documents))
    if found is not None:
        return found
    ids = array("i")
    starts = array("q", [0])
    documents = texts.documents
    for first in range(0, len(documents), BATCH):
        encoded = tokenizer(
            [one.text for one in documents[first : first + BATCH]],
            add_special_tokens=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )
        for own in encoded["input_ids"]:
            ids.extend(own)
            starts.append(len(ids))
    _write(folder / IDS, np.array(ids, np.int32))
    _write(folder / STARTS, np.array(starts, np.int64))  # last: without it there is no entry
    return TokenisedTexts(np.array(ids, np.int32), np.array(starts, np.int64), cached=False)


def tokenizer_fingerprint(tokenizer: Any) -> str:
    """Return 16 hex digits that change with anything that decides how text becomes tokens."""
    return hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()[:16]


def _read(folder: Path, documents: int) -> TokenisedTexts | None:
    """Return an entry of the cache; one that is damaged is none."""
    if not (folder / STARTS).is_file() or not (folder / IDS).is_file():
        return None
    try:
        starts = np.load(folder / STARTS, allow_pickle=False)
        ids = np.load(folder / IDS, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError):
        return None
    fits = starts.shape == (documents + 1,) and ids.shape == (int(starts[-1]),)
    kinds = starts.dtype == np.int64 and ids.dtype == np.int32
    return TokenisedTexts(ids, starts, cached=True) if fits and kinds else None


def _write(path: Path, values: np.ndarray) -> None:
    def write(aside: Path) -> None:
        with aside.open("wb") as file:
            np.save(file, values, allow_pickle=False)

    write_atomic(path, write)
