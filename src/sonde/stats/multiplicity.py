"""Families of tests: p-values adjusted for how many were made."""

import numpy as np
from jaxtyping import Float

from sonde.core.errors import SondeError


def holm(p: Float[np.ndarray, " test"]) -> Float[np.ndarray, " test"]:
    """Adjust p-values so that rejecting those below alpha keeps any false alarm below alpha.

    With p sorted upwards, ``adjusted_i = max over j <= i of min(1, (m - j + 1) p_j)``, m the number
    of tests (Holm 1979). Controls the chance of at least one false alarm in the family, however the
    tests depend on each other. In the order given.

    Raises:
        SondeError: one is not a number from 0 to 1.
    """
    given = _checked(p)
    order = np.argsort(given, kind="stable")
    steps = np.arange(len(given), 0, -1) * given[order]
    return _back(np.minimum(np.maximum.accumulate(steps), 1.0), order)


def benjamini_hochberg(p: Float[np.ndarray, " test"]) -> Float[np.ndarray, " test"]:
    """Adjust p-values so that of those below alpha at most a share alpha is expected to be false.

    With p sorted upwards, ``adjusted_i = min over j >= i of min(1, m p_j / j)``, m the number of
    tests (Benjamini and Hochberg 1995). Controls the false discovery rate where the tests are
    independent or positively dependent; weaker than ``holm``. In the order given.

    Raises:
        SondeError: one is not a number from 0 to 1.
    """
    given = _checked(p)
    order = np.argsort(given, kind="stable")
    steps = given[order] * (len(given) / np.arange(1, len(given) + 1))
    return _back(np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0), order)


def _back(adjusted: np.ndarray, order: np.ndarray) -> np.ndarray:
    given_order = np.empty_like(adjusted)
    given_order[order] = adjusted
    return given_order


def _checked(p: np.ndarray) -> Float[np.ndarray, " test"]:
    given = np.asarray(p, np.float64)
    wrong = ~((given >= 0) & (given <= 1))
    if given.ndim != 1 or wrong.any():
        shown = given[wrong][0] if wrong.any() else list(given.shape)
        raise SondeError(
            f"p-values lie between 0 and 1, one a test; {shown} was given.",
            fix="Leave out tests that could not be made; they are no members of the family.",
        )
    return given
