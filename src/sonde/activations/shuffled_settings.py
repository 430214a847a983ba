"""How rows are mixed on their way from forward passes to batches, and which are left out."""

from typing import Literal

from pydantic import Field

from sonde.core.base import Config


class ShuffleSettings(Config):
    """Settings of shuffled rows, each with its default.

    The buffer holds ``delay + 1`` rounds; a batch has rows of ``delay`` of them.
    """

    batch: int = Field(default=2048, ge=1, description="Rows of a batch.")
    round_rows: int = Field(
        default=16_384, ge=1, description="Rows of a round: what is drawn from at once."
    )
    delay: int = Field(
        default=2, ge=1, description="Over how many rounds the rows of one are spread."
    )
    window: int | None = Field(
        default=None,
        ge=1,
        description="Chunks, one after another in the texts, whose order is drawn together: all "
        "of a corpus in files, and 4096 of one that is streamed, if not.",
    )
    dtype: Literal["float32", "float16", "bfloat16"] | None = Field(
        default=None, description="What the buffer keeps; the model's dtype if not."
    )
    device: Literal["model", "cpu"] = Field(
        default="model", description="Where the buffer is: with the `model`, or on the `cpu`."
    )
    first: int = Field(
        default=1, ge=0, description="Tokens left out at a chunk's start, its BOS included."
    )
    sink_ratio: float | None = Field(
        default=10.0,
        gt=1,
        description="A row is a sink, and left out, from this many times the median norm at any "
        "hook point; `null` keeps them.",
    )
    separators: bool = Field(
        default=False, description="Whether separators between documents give rows."
    )
    max_nonfinite: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="The share of a round's rows that may hold NaN or Inf.",
    )
    pass_tokens: int | None = Field(
        default=None, ge=1, description="Tokens of one forward pass; chosen for the device if not."
    )
    seed: int = Field(default=0, ge=0, description="What the order is drawn from.")
