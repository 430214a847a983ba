"""What a method of making vectors is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from torch import Tensor

from sonde.vectors.rows import Rows
from sonde.vectors.settings import VectorSettings

# Float64[Tensor, "fit layer d_model"] of any length: each fit sees its own training rows alone.
Directions: TypeAlias = Callable[[Rows, VectorSettings], Tensor]


@dataclass(frozen=True, slots=True)
class Method:
    """A way to find a direction, which every vector's note describes in the words of ``says``.

    ``needs`` is what it is made from: labelled ``rows``, ``pairs`` of them, ``nothing``, or the
    ``model`` itself, whose method is called apart and has no ``directions``.
    """

    says: str
    directions: Directions | None = None
    needs: Literal["rows", "pairs", "model", "nothing"] = "rows"
