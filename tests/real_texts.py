"""Small parts of the real data beside the project, as examples and as individual ratings."""

import json
from collections import defaultdict
from itertools import islice
from pathlib import Path

import numpy as np

from sonde.data.examples import Example

REVIEWS = "movie_reviews/movieReviewSnippets"
EDITORIALS = "news_sentences/nytEditorialSnippets"


def _rows(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text(encoding="utf-8").strip("\n").split("\n")]


def _spread(path: Path, n: int) -> list[list[str]]:
    """Take rows from all of a file, whose first half holds the good reviews."""
    rows = _rows(path)
    return rows[:: len(rows) // n][:n]


def reviews(folder: Path, n: int) -> list[Example]:
    """Return sentences of film reviews, each with its mean rating from -4 to 4."""
    rows = _spread(folder / f"{REVIEWS}_GroundTruth.txt", n)
    return [Example(id=name, prompt=text, label=float(mean)) for name, mean, text in rows]


def review_ratings(folder: Path, n: int) -> dict[str, list[float]]:
    """Return what each rater said of the same sentences."""
    rows = _spread(folder / f"{REVIEWS}_anonDataRatings.txt", n)
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
