"""Tokenising ahead: a thread reads texts and appends their tokens, and whoever needs them waits.

Which tokens there are follows from the texts and settings alone, not from how fast anyone is. Of
several processes that want the same corpus one writes, and the others read what it has written.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sonde.data.corpus import CorpusRow, CorpusTexts
from sonde.models.corpus_tokens_files import (
    PARTS,
    CorpusIndex,
    GrowingPart,
    PartFiles,
    Wanted,
    locked,
    read_index,
    write_index,
)

CHARACTERS = 500_000  # of texts a call of the tokenizer: enough for its threads
COMMIT_SECONDS = 2.0
POLL_SECONDS = 0.1
BEYOND = {"train": "beyond tokens", "held_out": "held out beyond held_out_tokens"}


class CorpusWriter:
    """The tokens of a corpus as far as they are there, and a thread that makes more."""

    def __init__(
        self, texts: CorpusTexts, backend: Any, separator: Sequence[int], wanted: Wanted, at: Path
    ) -> None:
        self._texts = texts
        self._backend = backend
        self._separator = list(separator)
        self._wanted = wanted
        self._folder = at
        largest = max(backend.get_vocab(with_added_tokens=True).values(), default=0)
        dtype = np.dtype(np.uint16 if largest < 2**16 else np.uint32)
        self.parts = {name: PartFiles(at, name, dtype) for name in PARTS}
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._index = CorpusIndex()
        self._look()

    @property
    def streamed(self) -> bool:
        """Whether reading all of the texts may take long."""
        return self._texts.streamed

    @property
    def left_out(self) -> dict[str, int]:
        """Files, rows and documents that gave no tokens, by reason."""
        return dict(Counter(self._texts.left_out) + Counter(self.index.left_out))

    @property
    def commit(self) -> str:
        """The commit of a data set of the hub; waits until the process that writes has fixed it.

        Raises:
            SondeError: the hub cannot be asked.
        """
        while self._texts.on_hub and not (self.index.commit or self.index.done):
            self.start()
            if self._thread is None:
                time.sleep(POLL_SECONDS)
                self._look()
        return self.index.commit

    @property
    def index(self) -> CorpusIndex:
        """How far the corpus goes."""
        with self._changed:
            return self._index

    def wait(self, part: str, ids: int | None) -> CorpusIndex:
        """Return when a part has ``ids`` tokens, or will have no more (None: only then).

        Raises:
            Exception: what went wrong while tokenising.
        """
        while True:
            with self._changed:
                index = self._index
                if index.done or (ids is not None and getattr(index, part).ids >= ids):
                    return index
                if self._error is not None:
                    raise self._error
                if self._thread is not None:
                    self._changed.wait(1.0)
                    continue
            self.start()
            if self._thread is None:
                time.sleep(POLL_SECONDS)
                self._look()

    def start(self) -> None:
        """Begin to tokenise, unless all is there or another process is at it.

        Raises:
            SondeError: the hub cannot be asked at which commit its data set is.
        """
        if self._index.done or self._thread is not None:
            return
        lock = locked(self._folder)
        if lock is None:
            return
        try:
            self._look()  # what another process has written since
            if not self._index.done:
                self._fix_commit()
                self._thread = threading.Thread(target=self._run, args=(lock,), daemon=True)
                self._thread.start()
        finally:
            if self._thread is None:
                lock.close()

    def _fix_commit(self) -> None:
        """Read a data set of the hub at one commit from now on, that of earlier runs if any.

        It is written down before the first row. Rows of a commit that nobody wrote down are read
        again: what is on the hub now may be another set.
        """
        if not self._texts.on_hub:
            return
        commit = self._index.commit
        if not commit:
            commit = self._texts.commit()
            index, files = CorpusIndex(commit=commit), tuple(self.parts.values())
            for part in files:
                part.cut(getattr(index, part.name))
            write_index(self._folder, index, files)
            self._tell(index)
        self._texts = self._texts.at(commit)

    def _look(self) -> None:
        found = read_index(self._folder, tuple(self.parts.values()))
        with self._changed:
            self._index = found or CorpusIndex()

    def _run(self, lock: Any) -> None:
        with lock:
            try:
                for part in self.parts.values():
                    part.cut(getattr(self._index, part.name))
                self._write()
            except BaseException as error:  # whoever waits raises it
                with self._changed:
                    self._error = error
                    self._changed.notify_all()

    def _write(self) -> None:
        last = time.monotonic()
        files = tuple(self.parts.values())
        for rows in _grouped(self._texts.rows(self._index.rows)):
            self._tell(self._added(rows))
            if self._index.done:
                break
            if time.monotonic() - last > COMMIT_SECONDS:
                write_index(self._folder, self._index, files)
                last = time.monotonic()
        write_index(self._folder, self._index.model_copy(update={"done": True}), files)
        self._tell(self._index.model_copy(update={"done": True}))

    def _tell(self, index: CorpusIndex) -> None:
        with self._changed:
            self._index = index
            self._changed.notify_all()

    def _added(self, rows: Sequence[CorpusRow]) -> CorpusIndex:
        """Append the documents of rows, up to the row with which there are enough."""
        tokens = self._encoded(rows)
        new = {name: GrowingPart(getattr(self._index, name)) for name in PARTS}
        left_out = Counter(self._index.left_out)
        n_rows, document, done = self._index.rows, self._index.documents, False
        for row in rows:
            if row.reason:
                left_out[row.reason] += 1
            for held_out in row.held_out:
                name = "held_out" if held_out else "train"
                ids = next(tokens)
                if self._is_full(name, new[name].ids):
                    left_out[BEYOND[name]] += 1
                elif not ids:
                    left_out["no token"] += 1
                else:
                    new[name].add(ids, self._separator, document)
                document += 1
            n_rows += 1
            done = all(self._is_full(name, one.ids) for name, one in new.items())
            if done:
                break
        for name, part in new.items():
            self.parts[name].append(*part.arrays(self.parts[name].dtype))
        return CorpusIndex(
            commit=self._index.commit,
            rows=n_rows,
            documents=document,
            train=new["train"].index,
            held_out=new["held_out"].index,
            left_out=dict(left_out),
            done=done,
        )

    def _encoded(self, rows: Sequence[CorpusRow]) -> Iterator[Sequence[int]]:
        """Yield the tokens of every document, none of those whose part is full already."""
        needed = {name: not self._is_full(name, getattr(self._index, name).ids) for name in PARTS}
        asked = [
            (text, needed["held_out" if held_out else "train"])
            for row in rows
            for text, held_out in zip(row.documents, row.held_out, strict=True)
        ]
        texts = [text for text, wanted in asked if wanted]
        encoded = iter(self._backend.encode_batch_fast(texts, add_special_tokens=False))
        for _, wanted in asked:
            yield next(encoded).ids if wanted else ()

    def _is_full(self, part: str, ids: int) -> bool:
        """Whether a part has all tokens that it is to have; one without a limit never has."""
        limit = self._wanted.train if part == "train" else self._wanted.held_out
        return limit is not None and ids >= limit


def _grouped(rows: Iterator[CorpusRow]) -> Iterator[list[CorpusRow]]:
    group: list[CorpusRow] = []
    characters = 0
    for row in rows:
        group.append(row)
        characters += 1 + sum(map(len, row.documents))
        if characters >= CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group
