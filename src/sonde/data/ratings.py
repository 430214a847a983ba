"""Individual ratings of items, and comparisons drawn from them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from sonde.core.errors import SondeError
from sonde.data.comparison_settings import DrawSettings
from sonde.data.comparisons import TIE, Comparisons
from sonde.data.read_comparisons import item_id
from sonde.data.tables import read_rows

DRAWN_PER_KEPT = (
    1000  # of so many draws at least one is no tie, or the ratings are as good as equal
)


def read_ratings(path: str | Path) -> dict[str, Float[np.ndarray, " rating"]]:
    """Read the individual ratings of each item.

    A row has an ``id`` (or ``item``) and ``ratings``, a list of numbers or its text as JSON; or
    ``rating``, one number, where an item has a row for each of its ratings.

    Raises:
        SondeError: a column is missing, or a rating is not a finite number.
    """
    found: dict[str, list[float]] = {}
    for where, row in read_rows(Path(path).expanduser()):
        name = next((row[column] for column in ("id", "item") if column in row), None)
        given = row.get("ratings", row.get("rating"))
        if name is None or given is None:
            raise SondeError(
                f"{where} has no id or no ratings; its columns are {', '.join(row)}.",
                fix="Name the columns id and ratings (a list), or id and rating (a number).",
            )
        found.setdefault(item_id(name), []).extend(_numbers(given, where))
    return {name: np.array(ratings) for name, ratings in found.items()}


def _numbers(given: Any, where: str) -> list[float]:
    try:
        value = json.loads(given) if isinstance(given, str) else given
        numbers = [float(each) for each in (value if isinstance(value, list) else [value])]
    except (ValueError, TypeError):
        numbers = [float("nan")]
    if not np.isfinite(numbers).all():
        raise SondeError(
            f"{where}: {str(given)[:60]!r} is not a rating, nor a list of ratings.",
            fix="Give numbers, such as 3 or [3, 2, 4].",
        )
    return numbers


def draw_comparisons(
    ratings: Mapping[str, Sequence[float] | Float[np.ndarray, " rating"]], settings: DrawSettings
) -> Comparisons:
    """Draw two items and one rating of each, as often as asked; the higher rating wins.

    Noisy in the way real preferences are: the winner is not always the item of the higher mean.

    Raises:
        SondeError: fewer than two items have ratings, or nearly all draws are ties.
    """
    names = np.array([name for name, given in ratings.items() if len(given)])
    if len(names) < 2:
        raise SondeError(
            f"{len(names)} items have ratings: there is nothing to compare.", fix="Give two."
        )
    sizes = np.array([len(ratings[name]) for name in names.tolist()])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    flat = np.concatenate([np.asarray(ratings[name], np.float64) for name in names.tolist()])
    rng = np.random.default_rng(settings.seed)
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    n_kept, n_drawn = 0, 0
    while n_kept < settings.n:
        size = settings.n
        one = rng.integers(0, len(names), size)
        other = (one + rng.integers(1, len(names), size)) % len(names)
        rated = [flat[starts[item] + rng.integers(0, sizes[item])] for item in (one, other)]
        outcome = np.where(rated[0] == rated[1], TIE, (rated[0] > rated[1]).astype(np.float64))
        kept = np.ones(size, bool) if settings.ties == "keep" else outcome != TIE
        parts.append((one[kept], other[kept], outcome[kept]))
        n_kept, n_drawn = n_kept + int(kept.sum()), n_drawn + size
        if n_drawn > DRAWN_PER_KEPT * max(n_kept, 1):
            raise SondeError(
                f"Of {n_drawn:,} draws {n_kept} were no tie: the ratings hardly differ.",
                fix="Choose ties: keep, or give ratings that differ.",
            )
    one, other, outcome = (
        np.concatenate(columns)[: settings.n] for columns in zip(*parts, strict=True)
    )
    found = Comparisons(names[one], names[other], outcome, np.ones(settings.n))
    found.refuse_nothing()
    return found
