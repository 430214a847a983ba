"""Which comparisons to read: the file, its columns, and what its outcomes mean."""

from typing import Literal

from pydantic import Field, field_validator

from sonde.core.base import Config
from sonde.data.settings import Value


class ComparisonColumns(Config):
    """The columns to read; what is not named is looked for under its usual names.

    ``first`` (or ``a``, ``left``, ``item_a``, ``winner``, ``chosen``), ``second`` (or ``b``,
    ``right``, ``item_b``, ``loser``, ``rejected``), ``outcome`` (or ``preference``, ``choice``,
    ``result``), ``weight`` (or ``count``). A file of winners and losers needs no outcome.
    """

    first: str | None = None
    second: str | None = None
    outcome: str | None = None
    weight: str | None = None


class ComparisonSpec(Config):
    """Which comparisons to read.

    ``path`` is a file (CSV, TSV, JSON Lines, Parquet). An outcome is a number from 0 (the second
    won) to 1 (the first won), or a word: ``first``, ``second``, ``a``, ``b``, ``left``, ``right``,
    ``tie``, or the id of the item that won. ``levels`` are the words of a graded answer, from the
    first item much better to the second much better; they become evenly spaced outcomes from 1
    to 0. ``ties`` are kept, as half a win each way, or dropped. A comparison that cannot be used
    (an item with itself, NaN) is an error, or skipped and counted. ``where`` keeps the rows whose
    column has that value, or one of those values; ``limit`` keeps the first comparisons.
    """

    path: str
    columns: ComparisonColumns = Field(default_factory=ComparisonColumns)
    levels: tuple[str, ...] = ()
    ties: Literal["keep", "drop"] = "keep"
    bad_comparison: Literal["error", "skip"] = "error"
    where: dict[str, Value | list[Value]] = Field(default_factory=dict)
    limit: int | None = Field(default=None, ge=1)

    @field_validator("levels")
    @classmethod
    def _several_levels(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if len(given) == 1 or len(set(given)) < len(given):
            raise ValueError("give at least two different words, from first to second")
        return given


class DrawSettings(Config):
    """How comparisons are drawn from individual ratings.

    For each of ``n``, two items are drawn and one rating of each; the higher wins. A tie is dropped
    and drawn anew, or kept. The file has a column ``id`` (or ``item``) and a column ``ratings``
    with a list of numbers, or ``rating`` with one number a row.
    """

    n: int = Field(ge=1)
    ties: Literal["keep", "drop"] = "drop"
    seed: int = Field(default=0, ge=0)
