"""Which data to read: the file, its columns, and what to do with rows that are not whole."""

from typing import Literal, TypeAlias

from pydantic import Field

from sonde.core.base import Config

Value: TypeAlias = str | bool | int | float


class Columns(Config):
    """The columns to read; what is not named is looked for under its usual names.

    ``id``; ``prompt`` (or ``messages``, ``text``): a text, or a list of ``{role, content}``;
    ``response`` (or ``completion``); ``label``, or a list of columns whose numbers are fitted
    together, such as ``[latitude, longitude]``; ``group`` (or ``pair``).
    """

    id: str | None = None
    prompt: str | None = None
    response: str | None = None
    label: str | tuple[str, ...] | None = None
    group: str | None = None


class DataSpec(Config):
    """Which data to read, and what to do with rows that cannot be used as they are.

    ``path`` is a file (CSV, TSV, JSON Lines, Parquet, text), the folder of a trait
    (``positive.txt`` and ``negative.txt``, a text on each line), the name of a data set or trait
    that comes with sonde, or ``hf:<id>`` for one of the Hugging Face hub (needs the extra
    ``datasets``). ``where`` keeps the rows whose column has that value, or one of those values.
    ``limit`` keeps the first examples. A label that is empty or NaN is an error, or its row is
    skipped, or kept as ``unlabelled``. ``plain`` marks every text to stand as it is, without the
    chat template.
    """

    path: str
    columns: Columns = Field(default_factory=Columns)
    where: dict[str, Value | list[Value]] = Field(default_factory=dict)
    limit: int | None = Field(default=None, ge=1)
    bad_label: Literal["error", "skip", "unlabelled"] = "error"
    empty_text: Literal["error", "skip"] = "error"
    plain: bool = False
    split: str = "train"
