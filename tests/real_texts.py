"""Small parts of the real data beside the project, as examples and as individual ratings."""

import json
from collections import defaultdict
from itertools import islice
from pathlib import Path

import numpy as np

from sonde.data.examples import Example

REVIEWS = "movie_reviews/movieReviewSnippets"
EDITORIALS = "news_sentences/nytEditorialSnippets"


def _rows(path: Path, n: int | None = None) -> list[list[str]]:
    with path.open(encoding="utf-8") as lines:
        return [line.rstrip("\n").split("\t") for line in islice(lines, n)]


def reviews(folder: Path, n: int) -> list[Example]:
    """Return sentences of film reviews, each with its mean rating from -4 to 4."""
    rows = _rows(folder / f"{REVIEWS}_GroundTruth.txt", n)
    return [Example(id=name, prompt=text, label=float(mean)) for name, mean, text in rows]


def review_ratings(folder: Path, n: int) -> dict[str, list[float]]:
    """Return what each rater said of the same sentences."""
    rows = _rows(folder / f"{REVIEWS}_anonDataRatings.txt", n)
    return {name: json.loads(given) for name, _, _, given in rows}


def editorials(folder: Path, n_documents: int) -> list[Example]:
    """Return the sentences of editorials; the label is their document's mean rating."""
    found = defaultdict(list)
    for name, mean, text in _rows(folder / f"{EDITORIALS}_GroundTruth.txt"):
        found[name.split("_")[0]].append((name, float(mean), text))
    return [
        Example(id=name, prompt=text, group=document, label=float(np.mean([at[1] for at in rows])))
        for document, rows in islice(found.items(), n_documents)
        for name, _, text in rows
    ]
