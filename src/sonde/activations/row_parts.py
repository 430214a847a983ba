"""Which rows of a table are trained on and which are held out: by group, so that no text is split.

The group decides by a hash of its name; rows without one are taken by example. So the parts are a
function of the names alone, and a text stays on its side when more are extracted.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from sonde.activations.activations import RowTable
from sonde.core.errors import SondeError
from sonde.data.corpus_parts import is_held_out

ALONE = "example "  # stands before the name of an example that is in no group


@dataclass(frozen=True, slots=True, eq=False)
class RowParts:
    """The number of each row's group, or example, with their names, and the rows of both parts.

    Rows of a text's first tokens are in neither.
    """

    unit: Int[np.ndarray, " row"]
    names: np.ndarray
    trained: Bool[np.ndarray, " row"]
    held_out: Bool[np.ndarray, " row"]


def parts_of(rows: RowTable, share: float, first: int) -> RowParts:
    """Hold out ``share`` of the groups, and leave out each text's ``first`` tokens.

    Rows whose place in the text is not known (-1) are taken for later ones.

    Raises:
        SondeError: the share is not in [0, 1).
    """
    if not 0 <= share < 1:
        raise SondeError(
            f"The share {share:g} of the rows was to be held out.",
            fix="Give one from 0 up to, but not, 1.",
        )
    # An example must not be taken for a group of that name.
    named = np.where(rows.group == "", np.char.add(ALONE, rows.example), rows.group)
    names, unit = np.unique(named, return_inverse=True)
    held = np.array([is_held_out(name, share) for name in names.tolist()], dtype=bool)[unit]
    late = (rows.token >= first) | (rows.token < 0)
    return RowParts(unit, names, late & ~held, late & held)
