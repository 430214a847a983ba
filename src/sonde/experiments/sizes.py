"""The size of a model from its configuration alone, and the tokens of texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sonde.core.errors import SondeError
from sonde.data.examples import Example
from sonde.experiments.identity import resolved_dtype
from sonde.models.spec import ModelSpec

CHARACTERS_A_TOKEN = 4.2  # English prose with byte-pair vocabularies of 30,000 to 260,000 tokens
TEMPLATE_TOKENS = 12  # of a chat template with one turn


@dataclass(frozen=True, slots=True)
class Sizes:
    """What estimates need of a model. ``block_parameters`` are those of one block."""

    n_layers: int
    d_model: int
    d_vocab: int
    dtype: str
    block_parameters: int
    weights: int  # bytes
    peak_loading: int  # bytes

    @property
    def block_bytes(self) -> int:
        """Bytes of one block's weights."""
        return self.block_parameters * (4 if self.dtype == "float32" else 2)

    def flops(self, tokens: int, blocks: int) -> float:
        """Return the operations of one sequence: 2 for each weight and token, and attention.

        Attention is 2 products of ``[pos, d_model]`` with ``[d_model, pos]``, of which the causal
        half counts: 2 · pos² · d_model.
        """
        return blocks * (2.0 * self.block_parameters * tokens + 2.0 * tokens**2 * self.d_model)

    def activation_bytes(self, tokens: int, hooks: int) -> int:
        """Return the memory of a pass: what is captured, and about ten widths of working space."""
        width = 4 if self.dtype == "float32" else 2
        return tokens * self.d_model * width * (hooks + 10)
