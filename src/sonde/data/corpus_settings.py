"""Which texts a corpus is made of, and how they become rows of tokens."""

from typing import Any, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from sonde.core.base import Config
from sonde.data.read import HUB
from sonde.data.text_folders import STANDARD_LIBRARY, named_library

Separator: TypeAlias = Literal["auto", "none"] | str


class CorpusSettings(Config):
    """Settings of a corpus, each with its default but the texts.

    A document longer than ``passage`` is split at the ends of paragraphs into passages, each of
    which is a document of its own: so a few long texts, too, have a part that is held out. A
    document is held out by a hash of its text, so equal texts fall on one side.
    """

    texts: str = Field(
        description="A folder of .txt, .md and .py files, a .jsonl, .parquet, .csv or .txt file, "
        f"`{STANDARD_LIBRARY}` for the documentation strings of Python's own, or `hf:<id>` for a "
        "data set of the Hugging Face hub, which is streamed (needs the extra `datasets`)."
    )
    column: str = Field(default="text", description="The column with the texts, in files of rows.")
    subset: str | None = Field(default=None, description="The subset of a data set of the hub.")
    split: str = Field(default="train", description="The split of a data set of the hub.")
    revision: str | None = Field(
        default=None,
        description="The revision of a data set of the hub; the newest if not. At the commit that "
        "it is first read at it is read to the end.",
    )
    first: int = Field(default=0, ge=0, description="The number of the first row or file to read.")
    documents: int | None = Field(
        default=None, ge=1, description="How many rows or files are read at most; all if not."
    )
    passage: int | None = Field(
        default=20_000, ge=100, description="The longest document, in characters."
    )
    context: int = Field(
        default=256, ge=2, description="Tokens of a chunk, the tokenizer's BOS included."
    )
    tokens: int | None = Field(
        default=None, ge=2, description="Tokens to train on, in whole chunks; all there are if not."
    )
    epochs: int = Field(
        default=1, ge=1, description="How often these tokens are read, each time in another order."
    )
    held_out: float = Field(
        default=0.05, ge=0, lt=1, description="The share of documents that training never sees."
    )
    held_out_tokens: int = Field(
        default=100_000, ge=2, description="How many of their tokens are kept at most."
    )
    separator: Separator = Field(
        default="auto",
        description="What stands after each document: `auto` (the tokenizer's EOS, or its BOS "
        "where it has none), `none`, or a text.",
    )

    @model_validator(mode="before")
    @classmethod
    def _texts_are_enough(cls, given: Any) -> Any:
        return {"texts": given} if isinstance(given, str) else given

    @field_validator("texts")
    @classmethod
    def _library_with_its_version(cls, given: str) -> str:
        """Another version has other texts, so the result of one is not the other's."""
        return named_library(given) if given == STANDARD_LIBRARY else given

    @model_validator(mode="after")
    def _held_out_is_a_chunk(self) -> "CorpusSettings":
        if self.held_out and self.held_out_tokens < self.context:
            raise ValueError(
                f"`held_out_tokens`, {self.held_out_tokens:,}, is less than one chunk, `context`, "
                f"of {self.context:,}"
            )
        return self

    @property
    def local(self) -> bool:
        """Whether the texts are a file or folder of one's own."""
        return not self.texts.startswith((STANDARD_LIBRARY, HUB))
