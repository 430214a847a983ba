"""Which tokens become rows: tokenise the texts once, label their tokens, pick, lay chunks out."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sonde.activations.token_rows import TokenRows, TokenTaskFacts
from sonde.activations.token_task_settings import TokenTaskSettings
from sonde.core.errors import SondeError
from sonde.data.text_folders import TextFolder
from sonde.data.token_tasks import Candidates, Chunks, candidates, cut, pick, reserved
from sonde.models.target_tokens import TargetTokens, target_tokens
from sonde.models.token_cache import TokenisedTexts, tokenised
from sonde.models.tokenise import knowledge_of

FEWEST = 3  # documents with each answer: a probe needs as many folds


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Texts cut into chunks, and what is asked of their tokens.

    ``apart`` are the chunks of documents that give no row; ``min_context`` counts without the
    ``prefix`` (a BOS) that every chunk gets.
    """

    texts: TextFolder
    tokens: TokenisedTexts
    chunks: Chunks
    apart: Chunks
    targets: TargetTokens
    prefix: list[int]
    min_context: int


def asked_of(
    tokenizer: Any, context: int, texts: TextFolder, settings: TokenTaskSettings, *, seed: int = 0
) -> Asked:
    """Tokenise the texts (once; see ``token_cache``), cut them, and find the targets' tokens.

    ``context`` is the model's.

    Raises:
        SondeError: a target is not one token, or chunks would be longer than the model's context.
    """
    if settings.context > context:
        raise SondeError(
            f"Chunks of {settings.context:,} tokens were asked for, and the model reads "
            f"{context:,}.",
            fix=f"Write context: {context} or less.",
        )
    prefix = knowledge_of(tokenizer).prefix
    own = settings.context - len(prefix)
    targets = target_tokens(tokenizer, settings.targets, settings.variants)
    tokens = tokenised(tokenizer, texts)
    chunks = cut(tokens.ids, tokens.starts, own, max_tokens=settings.max_tokens, seed=seed)
    apart = reserved(chunks, settings.shown, seed=seed)
    return Asked(
        texts=texts,
        tokens=tokens,
        chunks=chunks[~apart],
        apart=chunks[apart],
        targets=targets,
        prefix=prefix,
        min_context=max(0, settings.min_context - len(prefix)),
    )


def pick_rows(
    asked: Asked, settings: TokenTaskSettings, *, seed: int = 0
) -> tuple[TokenRows, TokenTaskFacts]:
    """Label the tokens, and pick rows.

    Raises:
        SondeError: fewer than three documents have a token of either answer.
    """
    texts, chunks, targets = asked.texts, asked.chunks, asked.targets
    found = candidates(
        asked.tokens.ids, chunks, targets.ids, settings.task, min_context=asked.min_context
    )
    _enough(found, asked, settings)
    picked = pick(found, chunks.document, settings.rows, settings.sampling, seed=seed)
    rows = _rows(asked, picked)
    facts = TokenTaskFacts(
        task=settings.task,
        targets=targets.texts,
        target_ids=targets.ids,
        absent=targets.absent,
        sampling=settings.sampling,
        texts=texts.name,
        files=len(texts.documents),
        left_out=texts.reasons,
        tokens=chunks.tokens,
        repeated_chunks=chunks.repeated,
        asked=len(found),
        positives=int(found.label.sum()),
        rows=len(rows),
        rows_positive=int(rows.label.sum()),
        documents=len(set(rows.documents)),
        chunks=len(rows.names),
        tokens_run=len(rows.ids),
    )
    return rows, facts


def _enough(found: Candidates, asked: Asked, settings: TokenTaskSettings) -> None:
    """Refuse a task that no folds can be made of."""
    verbs = ("are", "are not") if settings.task == "current" else ("precede", "do not precede")
    for label, says in zip((True, False), verbs, strict=True):
        documents_of = asked.chunks.document[found.chunk[found.label == label]]
        documents = len(np.unique(documents_of))
        if documents < FEWEST:
            raise SondeError(
                f"Of {len(found):,} tokens in {len(asked.texts.documents):,} files, "
                f"{len(documents_of):,} {says} {asked.targets}, in {documents} "
                f"file{'s' * (documents != 1)}; folds that never split a file need "
                f"{FEWEST} at least.",
                fix="Give more files, more of their tokens (max_tokens), or a commoner token.",
            )


def _rows(asked: Asked, picked: Candidates) -> TokenRows:
    """Lay out the chunks that have a row, each behind the prefix and only as far as its last row.

    What a causal model makes of a token does not depend on what follows, so the rest is not run.
    """
    chunks, prefix = asked.chunks, asked.prefix
    used, chunk = np.unique(picked.chunk, return_inverse=True)
    last = np.zeros(len(used), np.int64)
    np.maximum.at(last, chunk, picked.token)
    head = np.array(prefix, np.int32)
    pieces = [
        np.concatenate([head, asked.tokens.ids[start : start + stop + 1]])
        for start, stop in zip(chunks.start[used].tolist(), last.tolist(), strict=True)
    ]
    documents = [asked.texts.documents[one].name for one in chunks.document[used].tolist()]
    numbers = chunks.number[used].tolist()
    return TokenRows(
        ids=np.concatenate(pieces).astype(np.int32),
        starts=np.concatenate([[0], np.cumsum([len(one) for one in pieces])]).astype(np.int64),
        names=tuple(f"{name}#{number}" for name, number in zip(documents, numbers, strict=True)),
        documents=tuple(documents),
        chunk=chunk.astype(np.int32),
        token=(picked.token + len(prefix)).astype(np.int32),
        label=picked.label,
    )
