"""Texts to evaluate on: token ids, the document of each, and which give rows."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int

from sonde.core.errors import SondeError

if TYPE_CHECKING:
    from sonde.models.corpus_tokens import TokenCorpus
    from sonde.models.model import Model

PAD = 0  # any id: a causal model's rows do not depend on what stands to their right
NAMED_BY = 64  # tokens that tell documents apart
FIRST = 1  # tokens at a start that give no rows: the first is an attention sink in most models


@dataclass(frozen=True, slots=True, eq=False)
class EvalTexts:
    """Rows of token ids, padded on the right.

    ``document`` is the number of the document of each token, ``counts`` marks the tokens that give
    rows: no padding, no separator, none of the first. ``named`` keeps the documents' names where
    some of their tokens were left away.
    """

    ids: Int[np.ndarray, "text pos"]
    lengths: Int[np.ndarray, " text"]
    document: Int[np.ndarray, "text pos"]
    counts: Bool[np.ndarray, "text pos"]
    named: Mapping[int, str] = field(default_factory=dict[int, str])

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def context(self) -> int:
        """Tokens of a row, padding included."""
        return self.ids.shape[1]

    @property
    def n_tokens(self) -> int:
        """How many tokens there are, padding apart."""
        return int(self.lengths.sum())

    @property
    def n_documents(self) -> int:
        """Of how many documents some token gives a row."""
        return len(np.unique(self.document[self.counts]))

    def unit(self, numbers: Int[np.ndarray, " document"]) -> np.ndarray:
        """Return names of documents by their first tokens, as units of scores.

        So scores on the same documents are paired, whatever else was read with them.
        """
        if self.named:
            return np.array([self.named[number] for number in numbers.tolist()], dtype=str)
        there = np.arange(self.context) < self.lengths[:, None]
        order = np.argsort(self.document[there], kind="stable")
        document, ids = self.document[there][order], self.ids[there][order]
        starts = np.searchsorted(document, numbers)
        stops = np.minimum(np.searchsorted(document, numbers, "right"), starts + NAMED_BY)
        return np.array(
            [_name(ids[start:stop]) for start, stop in zip(starts, stops, strict=True)], dtype=str
        )

    def spread(self, tokens: int) -> "EvalTexts":
        """Return texts with at most that many tokens, but one at least, evenly from the first on.

        So they are of as many documents as there can be, and their names stay.
        """
        many = max(1, min(len(self), tokens // max(1, self.n_tokens // len(self))))
        if many == len(self):
            return self
        numbers = np.unique(self.document)
        named = dict(zip(numbers.tolist(), self.unit(numbers).tolist(), strict=True))
        return replace(self, named=named).some(np.arange(many) * len(self) // many)

    def some(self, which: Int[np.ndarray, " some"]) -> "EvalTexts":
        """Return some of the texts."""
        return replace(
            self,
            ids=self.ids[which],
            lengths=self.lengths[which],
            document=self.document[which],
            counts=self.counts[which],
        )


def held_out_part(corpus: "TokenCorpus", tokens: int) -> EvalTexts:
    """Return chunks of the part that training never sees, evenly from all of it.

    Raises:
        SondeError: nothing is held out.
    """
    return corpus_part(corpus.held_out).spread(tokens)


def corpus_part(corpus: "TokenCorpus", tokens: int | None = None) -> EvalTexts:
    """Return the first chunks of a corpus, in the order of the texts; all of them if not said.

    Raises:
        SondeError: there are none.
    """
    many = corpus.n_chunks
    if tokens is not None:
        many = min(many, max(1, tokens // corpus.context))
    if many < 1:
        raise SondeError(
            f"{corpus.settings.texts} has no chunk of {corpus.context:,} tokens to read.",
            fix="Give more texts, or a shorter context.",
        )
    numbers = np.arange(many)
    token = numbers[:, None] * corpus.context + np.arange(corpus.context)
    flat = token.ravel()
    counts = ~corpus.separators(flat).reshape(token.shape)
    counts[:, : max(FIRST, len(corpus.prefix))] = False
    return EvalTexts(
        ids=corpus.chunk(numbers),
        lengths=np.full(many, corpus.context),
        document=corpus.documents_of(flat).reshape(token.shape),
        counts=counts,
    )


def given_texts(model: "Model", texts: Sequence[str], context: int = 256) -> EvalTexts:
    """Tokenise texts, each a document of its own, cut after ``context`` tokens.

    Texts that leave no token but the first are left out.

    Raises:
        SondeError: no text is left.
    """
    from sonde.models.tokenise import knowledge_of

    longest = min(context, model.info.context)
    prefix = knowledge_of(model.tokenizer).prefix
    found = [
        (prefix + model.tokenizer(text, add_special_tokens=False)["input_ids"])[:longest]
        for text in texts
    ]
    skipped = max(FIRST, len(prefix))
    whole = [(number, ids) for number, ids in enumerate(found) if len(ids) > skipped]
    if not whole:
        raise SondeError(
            f"None of {len(texts)} texts has more than {skipped} token(s), so none gives a row.",
            fix="Give longer texts.",
        )
    lengths = np.array([len(ids) for _, ids in whole])
    shape = (len(whole), int(lengths.max()))
    place = np.broadcast_to(np.arange(shape[1]), shape)
    ids = np.full(shape, PAD, np.int64)
    for row, (_, tokens) in enumerate(whole):
        ids[row, : len(tokens)] = tokens
    document = np.repeat(np.array([number for number, _ in whole]), shape[1]).reshape(shape)
    return EvalTexts(ids, lengths, document, (place >= skipped) & (place < lengths[:, None]))


def _name(ids: np.ndarray) -> str:
    content = ids.astype("<i8").tobytes()
    return f"document {hashlib.blake2b(content, digest_size=5).hexdigest()}"
