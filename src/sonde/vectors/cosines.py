"""Cosines between vectors: of methods, cleanings, layers and windows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float

from sonde.core.errors import SondeError, nearest
from sonde.core.hooks import HookPoint

if TYPE_CHECKING:
    from sonde.vectors.vector import Vector


@dataclass(frozen=True, slots=True, eq=False)
class Cosines:
    """The cosine of two kinds of vectors at every place that has both.

    ``places`` are pairs of a position and a hook point. 1 is the same direction, 0 a right angle,
    -1 the opposite one.
    """

    a: str
    b: str
    places: tuple[tuple[str, HookPoint], ...]
    values: Float[np.ndarray, " place"]

    def __str__(self) -> str:
        low, high = self.values.min(), self.values.max()
        return f"{self.a} and {self.b}: mean {self.mean:.3f}, from {low:.3f} to {high:.3f}"

    @property
    def mean(self) -> float:
        """The mean over the places."""
        return float(self.values.mean())

    @classmethod
    def of_kinds(cls, vectors: Sequence["Vector"], a: str, b: str) -> "Cosines":
        """Pair the vectors of two kinds by position and hook point.

        Raises:
            SondeError: one of the kinds does not occur, or no place has both.
        """
        found = {(one.kind, one.position, one.hook): one for one in vectors}
        kinds = list(dict.fromkeys(one.kind for one in vectors))
        for kind in (a, b):
            if kind not in kinds:
                raise SondeError(
                    f"There is no vector {kind!r}.{nearest(kind, kinds)}",
                    fix=f"There are {', '.join(kinds)}.",
                )
        places = tuple(
            (one.position, one.hook)
            for one in vectors
            if one.kind == a and (b, one.position, one.hook) in found
        )
        if not places:
            raise SondeError(f"No place has a vector of both {a} and {b}.")
        values = [
            cosine_matrix([found[(a, *place)]], [found[(b, *place)]])[0, 0] for place in places
        ]
        return cls(a, b, places, np.array(values))


def cosine_matrix(
    vectors: Sequence["Vector"], others: Sequence["Vector"]
) -> Float[np.ndarray, "vector other"]:
    """Return the cosine of each vector with each of the others: u . v, both of unit length.

    In [-1, 1]; unitless. NaN where the widths differ, as between sites.
    """
    found = np.full((len(vectors), len(others)), np.nan)
    widths = {one.d_model for one in vectors} & {one.d_model for one in others}
    for width in widths:
        rows = [at for at, one in enumerate(vectors) if one.d_model == width]
        columns = [at for at, one in enumerate(others) if one.d_model == width]
        left = torch.stack([vectors[at].direction for at in rows]).double()
        right = torch.stack([others[at].direction for at in columns]).double()
        left, right = (x / x.norm(dim=1, keepdim=True) for x in (left, right))
        found[np.ix_(rows, columns)] = (left @ right.T).clamp(-1, 1).numpy()
    return found
