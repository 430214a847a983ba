"""A corpus on disk: token ids end to end, where each document lies in them, and how far it goes.

What is written behind the end that the index names is not there: a process that was killed leaves
such bytes, and the next one cuts them off.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, Integer
from pydantic import Field

from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.core.files import full_disk_named, read_json, write_json

INDEX, LOCK = "index.json", ".lock"
PARTS = ("train", "held_out")
_COLUMNS = 3  # of a document: its first token, the one behind its last, and its number


@dataclass(frozen=True, slots=True)
class Wanted:
    """When a part is full: ids of the training part (None: never) and of the held-out part.

    Texts are read until both are full.
    """

    train: int | None
    held_out: int


class PartIndex(Config):
    """How many ids and documents a part has."""

    ids: int = 0
    documents: int = 0


class CorpusIndex(Config):
    """How far a corpus is tokenised: ``rows`` of its source, which gave so many ``documents``.

    ``left_out`` counts rows that gave no document, by reason, and documents that were not kept.
    ``done`` says that no more is needed, or that the source has no more. ``commit`` is that of a
    data set of the hub, to which all rows belong; empty for other texts.
    """

    commit: str = ""
    rows: int = 0
    documents: int = 0
    train: PartIndex = Field(default_factory=PartIndex)
    held_out: PartIndex = Field(default_factory=PartIndex)
    left_out: dict[str, int] = Field(default_factory=dict)
    done: bool = False


@dataclass(frozen=True, slots=True)
class PartFiles:
    """The two files of a part of a corpus."""

    folder: Path
    name: str
    dtype: np.dtype

    @property
    def ids(self) -> Path:
        """Token ids, one after another."""
        return self.folder / f"{self.name}.ids"

    @property
    def documents(self) -> Path:
        """Three int64 a document: its first id, the one behind its last, its number."""
        return self.folder / f"{self.name}.documents"

    def holds(self, index: PartIndex) -> bool:
        """Say whether the files are as long as the index says, or longer."""
        return all(
            path.is_file() and path.stat().st_size >= size for path, size in self._sizes(index)
        )

    def cut(self, index: PartIndex) -> None:
        """Make the files end where the index says; missing ones are made."""
        for path, size in self._sizes(index):
            with full_disk_named(path), path.open("ab") as file:
                file.truncate(size)

    def append(self, ids: np.ndarray, documents: np.ndarray) -> None:
        """Write behind the end; ``sync`` puts it on the disk."""
        for path, values in ((self.ids, ids), (self.documents, documents)):
            with full_disk_named(path), path.open("ab") as file:
                file.write(np.ascontiguousarray(values).tobytes())

    def sync(self) -> None:
        """Return when what was appended is on the disk."""
        import os

        for path in (self.ids, self.documents):
            with full_disk_named(path), path.open("rb+") as file:
                os.fsync(file.fileno())

    def read_ids(self, count: int) -> Integer[np.ndarray, " token"]:
        """Map the first ``count`` ids into memory."""
        if not count:
            return np.empty(0, self.dtype)
        return np.memmap(self.ids, self.dtype, "r", shape=(count,))

    def read_documents(self, count: int) -> Int[np.ndarray, "document 3"]:
        """Map the first ``count`` documents into memory."""
        if not count:
            return np.empty((0, _COLUMNS), np.int64)
        return np.memmap(self.documents, np.int64, "r", shape=(count, _COLUMNS))

    def _sizes(self, index: PartIndex) -> tuple[tuple[Path, int], ...]:
        return (
            (self.ids, index.ids * self.dtype.itemsize),
            (self.documents, index.documents * _COLUMNS * 8),
        )


class GrowingPart:
    """What is appended to a part."""

    def __init__(self, index: PartIndex) -> None:
        self._start = index
        self._ids: list[int] = []
        self._documents: list[tuple[int, int, int]] = []

    @property
    def ids(self) -> int:
        """How many ids the part then has."""
        return self._start.ids + len(self._ids)

    @property
    def index(self) -> PartIndex:
        """How many ids and documents it then has."""
        return PartIndex(ids=self.ids, documents=self._start.documents + len(self._documents))

    def add(self, ids: Sequence[int], separator: Sequence[int], document: int) -> None:
        """Take the ids of a document, with its number and what stands behind it."""
        self._documents.append((self.ids, self.ids + len(ids), document))
        self._ids += ids
        self._ids += separator

    def arrays(self, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
        """Return new ids and documents as ``PartFiles.append`` takes them."""
        return np.array(self._ids, dtype), np.array(self._documents, np.int64)


def read_index(folder: Path, parts: Sequence[PartFiles]) -> CorpusIndex | None:
    """Return how far a corpus goes: nowhere where its files are damaged; None where there is none.

    What was damaged is read again at the same commit.
    """
    if not (folder / INDEX).is_file():
        return None
    try:
        index = validated(CorpusIndex, read_json(folder / INDEX), where=str(folder / INDEX))
    except SondeError:
        return None
    whole = all(part.holds(getattr(index, part.name)) for part in parts)
    return index if whole else CorpusIndex(commit=index.commit)


def write_index(folder: Path, index: CorpusIndex, parts: Sequence[PartFiles]) -> None:
    """Say how far a corpus goes, once what it names is on the disk."""
    for part in parts:
        part.sync()
    write_json(folder / INDEX, index.model_dump(mode="json"))


def locked(folder: Path) -> Any:
    """Return the lock of a corpus, which its closing frees; None where another process has it."""
    import fcntl

    with full_disk_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a")
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file
    file.close()
    return None
