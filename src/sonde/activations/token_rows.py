"""The rows of a token task, and the files that say which they are.

Only tokens and labels are kept, some bytes a token; activations are read again where they are
wanted again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from sonde.activations.prepare import Prepared
from sonde.activations.token_task_settings import POSITION
from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.core.files import fingerprint, read_json, write_atomic, write_json
from sonde.core.positions import parse_position
from sonde.data.examples import Example
from sonde.data.token_tasks import Sampling, Task

TOKENS = "tokens.safetensors"
FACTS = "token_task.json"
OTHER = "other"


@dataclass(frozen=True, slots=True, eq=False)
class TokenRows:
    """Chunks as the model reads them, as far as their last row, and the tokens that are rows.

    ``ids[starts[c] : starts[c + 1]]`` are the tokens of chunk ``c``. A row is token ``token`` of
    chunk ``chunk``, ordered by both; ``label`` says whether the answer is yes. ``names`` and
    ``documents`` name each chunk and its document.
    """

    ids: Int[np.ndarray, " token"]
    starts: Int[np.ndarray, " chunks_and_one"]
    names: tuple[str, ...]
    documents: tuple[str, ...]
    chunk: Int[np.ndarray, " row"]
    token: Int[np.ndarray, " row"]
    label: Bool[np.ndarray, " row"]

    def __len__(self) -> int:
        return len(self.chunk)

    def keeping(self, which: Bool[np.ndarray, " row"]) -> "TokenRows":
        """Leave some rows out."""
        columns = {name: getattr(self, name)[which] for name in ("chunk", "token", "label")}
        return replace(self, **columns)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with any token, row, label or name."""
        columns = (self.ids, self.starts, self.chunk, self.token, self.label)
        return fingerprint([*(one.tolist() for one in columns), self.names, self.documents])

    def prepared(self) -> Prepared:
        """Return the chunks as what the passes take: one item a chunk, one row a picked token."""
        counts = np.bincount(self.chunk, minlength=len(self.names))
        edges = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        ids = self.ids[self.starts[self.chunk] + self.token]
        unknown = np.full(len(self), -1, np.int32)
        examples = (
            Example(id=name, prompt="", group=group, row=name)
            for name, group in zip(self.names, self.documents, strict=True)
        )
        return Prepared(
            examples=tuple(examples),
            positions=(parse_position(POSITION),),
            ids=self.ids,
            starts=self.starts,
            items=np.arange(len(self.names) + 1),
            item_position=np.zeros(len(self.names), np.int16),
            tokens=self.token,
            token_starts=edges,
            rows=edges,
            row_columns={
                "example": self.chunk,
                "position": np.zeros(len(self), np.int32),
                "token": self.token,
                "token_id": ids.astype(np.int32),
                "n_tokens": np.ones(len(self), np.int32),
                "start": unknown,
                "end": unknown,
            },
            skipped=(),
            truncated=0,
        )


class TokenTaskFacts(Config):
    """What is known of a token task once its rows are picked.

    ``asked`` counts the tokens whose label is known, ``positives`` those of them with it;
    ``tokens_run`` those that the model reads, because they are a row or stand before one.
    """

    task: Task
    targets: tuple[str, ...]
    target_ids: tuple[int, ...]
    absent: tuple[str, ...]
    sampling: Sampling
    texts: str
    files: int
    left_out: dict[str, int]
    tokens: int
    repeated_chunks: int
    asked: int
    positives: int
    rows: int
    rows_positive: int
    documents: int
    chunks: int
    tokens_run: int

    @property
    def natural_rate(self) -> float:
        """The share of asked tokens that have the label, in [0, 1]."""
        return self.positives / self.asked

    @property
    def target(self) -> str:
        """The class of rows with the label, such as ``target ' the'``; the other is ``other``."""
        more = len(self.targets) - 3
        return f"target {self.words}" + (f" and {more} more" if more > 0 else "")

    @property
    def words(self) -> str:
        """The first targets, as a reader is told them."""
        return " or ".join(map(repr, self.targets[:3]))

    def __str__(self) -> str:
        asks = f"come before {self.words}" if self.task == "next" else f"are {self.words}"
        does = "do" if self.task == "next" else "are"
        more = " or another target" if len(self.targets) > 3 else ""
        rate = self.natural_rate
        return (
            f"{self.rows:,} of {self.asked:,} tokens in {self.documents:,} documents; "
            f"{self.rows_positive:,} of them {asks}{more}. In the texts {rate:.2%} {does}: always "
            f"saying no would be right for {1 - rate:.2%} of tokens there and for "
            f"{1 - self.rows_positive / self.rows:.2%} of these, with a balanced accuracy of 0.5."
        )


def save_rows(rows: TokenRows, facts: TokenTaskFacts, folder: Path) -> None:
    """Write rows and facts into a folder."""
    from safetensors.numpy import save_file

    arrays = {name: np.ascontiguousarray(getattr(rows, name)) for name in _ARRAYS}
    write_atomic(folder / TOKENS, lambda aside: save_file(arrays, aside))
    named = {"chunk_names": rows.names, "document_names": rows.documents}
    write_json(folder / FACTS, {**facts.model_dump(mode="json"), **named})


def load_rows(folder: Path) -> tuple[TokenRows, TokenTaskFacts]:
    """Read what ``save_rows`` wrote.

    Raises:
        SondeError: a file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    stored = read_json(folder / FACTS)
    names, documents = (_names(stored.pop(key, [])) for key in _NAMES)
    facts = validated(TokenTaskFacts, stored, where=str(folder / FACTS))
    try:
        arrays = load_file(folder / TOKENS)
    except (SafetensorError, OSError) as error:
        raise SondeError(
            f"{folder / TOKENS} cannot be read: {error}.", fix="Run the token task again."
        ) from None
    return TokenRows(names=names, documents=documents, **arrays), facts


_ARRAYS = ("ids", "starts", "chunk", "token", "label")
_NAMES = ("chunk_names", "document_names")


def _names(given: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(one) for one in given)
