"""A corpus of tokens: texts tokenised once into files, read in chunks by number.

Documents stand one after another, each with a separator behind it; chunk ``c`` is the tokenizer's
prefix (its BOS, where it puts one) and the ``c``-th stretch of the rest. What fills no chunk at the
end is left out, so there is no padding. A chunk may hold several documents, and reads across them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from sonde.core.errors import SondeError
from sonde.core.files import fingerprint
from sonde.core.folders import cache_folder
from sonde.data.corpus import corpus_texts
from sonde.data.corpus_settings import CorpusSettings
from sonde.models.corpus_tokens_files import CorpusIndex, Wanted
from sonde.models.corpus_tokens_refused import nothing_held_out, too_few, too_short
from sonde.models.corpus_tokens_separator import separator_of
from sonde.models.corpus_tokens_writer import CorpusWriter
from sonde.models.pieces import pieces_of, text_of
from sonde.models.token_cache import tokenizer_fingerprint
from sonde.models.tokenise import knowledge_of

_FORMAT = 2


@dataclass(frozen=True, eq=False)
class TokenCorpus:
    """Chunks of ``context`` tokens. Token ``t`` is at place ``t % context`` of chunk
    ``t // context``, the prefix counted.
    """

    settings: CorpusSettings
    part: str  # "train" or "held_out"
    prefix: tuple[int, ...]
    key: str
    tokenizer: Any
    writer: CorpusWriter

    @property
    def context(self) -> int:
        """Tokens of a chunk."""
        return self.settings.context

    @property
    def epochs(self) -> int:
        """How often each chunk is to be read."""
        return self.settings.epochs if self.part == "train" else 1

    @property
    def streamed(self) -> bool:
        """Whether tokens may still be on their way when the first are read."""
        return self.part == "train" and self.settings.tokens is not None and self.writer.streamed

    @cached_property
    def n_chunks(self) -> int:
        """How many chunks there are."""
        if self.part == "train" and self.settings.tokens is not None:
            return self.settings.tokens // self.context
        if self.part == "train":
            return self.writer.wait("train", None).train.ids // self._body
        most = self.settings.held_out_tokens // self.context
        there = self.writer.wait("held_out", most * self._body).held_out.ids
        return min(there // self._body, most)

    def wait_for(self, chunks: int) -> int:
        """Wait for so many chunks, or the end of the texts; return how many of them there are."""
        index = self.writer.wait(self.part, chunks * self._body)
        return min(chunks, getattr(index, self.part).ids // self._body)

    @property
    def fingerprint(self) -> str:
        """16 hex digits of what the chunks are made of."""
        made_of = [self.key, self.part, self.context, self.settings.tokens]
        return fingerprint([*made_of, self.commit] if self.commit else made_of)

    @property
    def commit(self) -> str:
        """The commit of a data set of the hub that all chunks are of; empty for other texts."""
        return self.writer.commit

    @cached_property
    def held_out_begun(self) -> "TokenCorpus":
        """The part that training never sees, which may still be on its way.

        Raises:
            SondeError: nothing is to be held out.
        """
        given = self.settings
        if not given.held_out:
            raise SondeError("Nothing of the texts is held out.", fix="Set held_out: 0.05.")
        return TokenCorpus(given, "held_out", self.prefix, self.key, self.tokenizer, self.writer)

    @cached_property
    def held_out(self) -> "TokenCorpus":
        """The part that training never sees; waits until it is whole.

        Raises:
            SondeError: nothing is to be held out, or the texts have no chunk of it.
        """
        other = self.held_out_begun
        if not other.n_chunks:
            raise nothing_held_out(self.writer.index, self.context)
        return other

    @property
    def index(self) -> CorpusIndex:
        """How many rows and documents were read so far, and the tokens of both parts."""
        return self.writer.index

    @property
    def left_out(self) -> dict[str, int]:
        """How many files, rows and documents gave no tokens so far, by reason."""
        return self.writer.left_out

    def chunk(self, numbers: Int[np.ndarray, " chunk"]) -> Int[np.ndarray, "chunk context"]:
        """Return chunks by number; waits for those that are not tokenised yet.

        Raises:
            SondeError: the texts end before such a chunk, or they cannot be read.
        """
        body, before = self._body, len(self.prefix)
        most = int(numbers.max(initial=-1)) + 1
        ids = self._ids(most * body)
        found = np.empty((len(numbers), self.context), np.int64)
        found[:, :before] = self.prefix
        for place, number in enumerate(numbers.tolist()):
            found[place, before:] = ids[number * body : (number + 1) * body]
        return found

    def documents_of(self, token: Int[np.ndarray, " row"]) -> Int[np.ndarray, " row"]:
        """Return the number of the document that each token is of, counted over both parts.

        A separator is of the document before it, a prefix of the one behind it.
        """
        place, table, _ = self._located(token)
        return table[place, 2]

    def separators(self, token: Int[np.ndarray, " row"]) -> Bool[np.ndarray, " row"]:
        """Mark the tokens that stand between documents."""
        place, table, at = self._located(token)
        return (at >= table[place, 1]) & (token % self.context >= len(self.prefix))

    def text_of(self, ids: Sequence[int] | np.ndarray) -> str:
        """Return the text of tokens that stand one after another."""
        return text_of(self.tokenizer, ids)

    def pieces(self, ids: Sequence[int] | np.ndarray) -> list[str]:
        """Return the text that each token adds; joined they are ``text_of``.

        A character of several tokens is added by the last of them.
        """
        return pieces_of(self.tokenizer, ids)

    @property
    def _body(self) -> int:
        return self.context - len(self.prefix)

    def _ids(self, count: int) -> np.ndarray:
        """Return at least ``count`` ids."""
        index = self.writer.wait(self.part, count)
        there = getattr(index, self.part).ids
        asked = self.settings.tokens if self.part == "train" else None
        last = 0 if asked is None else asked // self.context * self._body
        if there < (max(count, last) if index.done else count):  # said as soon as it is known
            raise too_few(self.settings, there // self._body)
        held = self.__dict__.get("_mapped", np.empty(0))
        if len(held) < count:
            held = self.writer.parts[self.part].read_ids(there)
            self.__dict__["_mapped"] = held
        return held

    def _located(self, token: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return for each token its line in the table of documents, the table, and its place."""
        chunk, place = np.divmod(token, self.context)
        at = chunk * self._body + np.maximum(place - len(self.prefix), 0)
        self._ids(int(at.max(initial=-1)) + 1)
        count = getattr(self.writer.index, self.part).documents
        table = self.writer.parts[self.part].read_documents(count)
        return np.searchsorted(table[:, 0], at, "right") - 1, table, at


def token_corpus(
    tokenizer: Any, settings: CorpusSettings, folder: Path | None = None
) -> TokenCorpus:
    """Open a corpus: tokenise its texts into files, or read what is tokenised already.

    Texts of a folder are tokenised at once. Those of a data set or a file of rows are tokenised by
    a thread while the first are read, where ``tokens`` says how many are needed. The files are in
    ``folder``, or the cache folder, under a name that says what they are made of.

    Raises:
        SondeError: the texts cannot be read or are too few, the tokenizer cannot be used, the
            context is too short, or the hub does not say at which commit a data set is.
    """
    from tokenizers import Tokenizer

    texts = corpus_texts(settings)
    prefix = tuple(knowledge_of(tokenizer).prefix)
    body = settings.context - len(prefix)
    asked = settings.tokens
    if body < 1 or (asked is not None and asked < settings.context):
        raise too_short(settings, len(prefix))
    separator = separator_of(tokenizer, settings)
    wanted = Wanted(
        train=None if asked is None else asked // settings.context * body,
        held_out=settings.held_out_tokens // settings.context * body if settings.held_out else 0,
    )
    made_of = [
        *(_FORMAT, tokenizer_fingerprint(tokenizer), texts.fingerprint, separator),
        *(settings.first, settings.documents, settings.passage, settings.held_out),
        *(wanted.train, wanted.held_out, body),
    ]
    key = fingerprint(made_of)
    # A tokenizer must not be used by two threads at once, so the thread has one of its own.
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    at = (folder or cache_folder() / "corpora") / key
    writer = CorpusWriter(texts, backend, separator, wanted, at)
    found = TokenCorpus(settings, "train", prefix, key, tokenizer, writer)
    writer.start()
    if not found.streamed:
        _refuse_too_few(found)
    return found


def _refuse_too_few(found: TokenCorpus) -> None:
    there = found.writer.wait("train", None).train.ids
    body = found.context - len(found.prefix)
    if there < max(1, found.n_chunks) * body:
        raise too_few(found.settings, there // body)
    if found.settings.held_out:
        _ = found.held_out
