"""Values of settings and summaries as people read them, in place of Python's own notation."""

import math
from collections.abc import Mapping, Sequence, Set
from typing import Any, cast

from sonde.core.quantities import bytes_in_words

SHOWN = 6  # entries of a list or mapping
SIZES = ("bytes", "memory", "disk")  # how the names of sizes end
BYTES_LIKE = bytes | bytearray
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def true_minus(number: str) -> str:
    """Return a written number with a minus in place of its hyphen."""
    return number.replace("-", "−")


def power(value: float) -> str:
    """Write a size on a logarithmic grid: ``0.1``, ``300``, ``10⁵``, ``3·10⁻⁴``; else a dash."""
    if not math.isfinite(value):
        return "–"
    if value == 0 or 0.01 <= abs(value) < 10_000:
        return true_minus(f"{value:,g}")
    exponent = math.floor(math.log10(abs(value)) + 1e-12)
    front = true_minus(f"{value / 10.0**exponent:.3g}")
    raised = str(exponent).translate(_RAISED)
    return f"10{raised}" if front == "1" else f"{front}·10{raised}"


def in_words(value: Any, name: str = "", *, inner: bool = False) -> str:
    """Return a JSON-like value in words; ``name`` is its key, which may say that it is a size.

    A mapping becomes ``a 1, b 2``, one inside another stands in brackets; long ones are cut with
    the number of what is left out. Numbers keep four digits, nothing is ``none``.
    """
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value)
        words = [f"{key} {in_words(item, str(key), inner=True)}" for key, item in pairs.items()]
        return f"({_some(words)})" if inner and words else _some(words)
    if isinstance(value, Sequence | Set) and not isinstance(value, str | BYTES_LIKE):
        return _some([in_words(item, inner=True) for item in cast("Sequence[Any]", value)])
    return _scalar(value, name)


def _scalar(value: Any, name: str) -> str:
    if isinstance(value, bool) or value is None:
        return {None: "–", True: "yes", False: "no"}[value]
    if isinstance(value, BYTES_LIKE):
        return bytes_in_words(len(value))
    if isinstance(value, int | float) and name.endswith(SIZES):
        return bytes_in_words(value)
    return true_minus(f"{value:.4g}") if isinstance(value, float) else str(value)


def _some(words: Sequence[str]) -> str:
    if not words:
        return "none"
    if len(words) <= SHOWN:
        return ", ".join(words)
    return f"{', '.join(words[: SHOWN - 2])}, … {words[-1]} ({len(words)})"
