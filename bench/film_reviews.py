"""Ridge and Bradley-Terry on real sentences: what the embedded model makes of film reviews.

The data lies beside the checkout, in ``../shared/data/movie_reviews``. Ridge reads the mean ratings
beside scikit-learn's grid search; a Bradley-Terry probe reads noisy choices, drawn from single
ratings, beside scikit-learn's logistic regression on differences.
"""

import json
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from bench.bradley_terry import beside_a_matrix
from bench.ridge import FOLDS, PENALTIES, grid_search, process, sweep
from bench.table import ROOT, Line
from sonde.data.examples import Example

FOLDER = ROOT.parent / "shared" / "data" / "movie_reviews"
REVIEWS, CHOICES = 2_000, 20_000


def film_reviews(rounds: int) -> list[Line]:
    """Read reviews at five layers and fit both kinds of probes; nothing without the data."""
    if not FOLDER.is_dir():
        print(f"  left out: there is no {FOLDER}", flush=True)
        return []
    examples, every = _spread(REVIEWS)
    acts = _read(examples)
    found = [acts.tensor(hook).double().numpy() for hook in acts.hooks]
    ratings = np.array([one.label for one in examples])
    return [*_ratings(found, ratings, rounds), *_choices(acts, every)]


def _spread(n: int) -> tuple[list[Example], dict[str, list[float]]]:
    """Take sentences from all of the file, whose first half holds the good reviews."""
    parts = {}
    for kind in ("GroundTruth", "anonDataRatings"):
        text = (FOLDER / f"movieReviewSnippets_{kind}.txt").read_text(encoding="utf-8")
        rows = [line.split("\t") for line in text.strip("\n").split("\n")]
        parts[kind] = rows[:: len(rows) // n][:n]
    examples = [
        Example(id=name, prompt=text, label=float(mean))
        for name, mean, text in parts["GroundTruth"]
    ]
    return examples, {row[0]: json.loads(row[3]) for row in parts["anonDataRatings"]}


def _read(examples: list[Example]):
    import sonde

    model = sonde.load("smollm2-135m-instruct")
    how = {"hooks": "resid_post", "layers": "auto", "positions": "prompt.mean", "template": "none"}
    return sonde.extract(model, examples, progress=False, **how)


def _ratings(found: list[np.ndarray], rating: np.ndarray, rounds: int) -> list[Line]:
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "layers.npz")
        layers = {f"layer {number}": x for number, x in enumerate(found)}
        np.savez(path, y=rating, **layers)
        with process() as ours, process() as theirs:
            turns = [
                (ours.submit(sweep, path).result(), theirs.submit(grid_search, path).result())
                for _ in range(rounds)
            ]
    apart = max(float(np.abs(own.r2 - peer.r2).max()) for own, peer in turns)
    times = median(peer.seconds / own.seconds for own, peer in turns)
    n, d = found[0].shape
    what = f"ratings of {n:,} reviews, {len(found)} layers of {d}"
    best = turns[0][0].r2.max(axis=1)
    return [
        Line(f"{what}, {len(PENALTIES)} penalties, {FOLDS} folds: best R² of each layer",
             ", ".join(f"{one:.2f}" for one in best)),
        Line(f"{what}: largest difference in R²", f"{apart:.0e}", "below 1e-04", apart < 1e-4),
        Line(f"{what}: sonde against scikit-learn", f"{times:.1f}×"),
    ]  # fmt: skip


def _choices(acts, every: dict[str, list[float]]) -> list[Line]:
    from sonde.data import DrawSettings, draw_comparisons
    from sonde.probes import bradley_terry

    drawn = draw_comparisons(every, DrawSettings(n=CHOICES))
    row = {name: at for at, name in enumerate(acts.rows.example.tolist())}
    first, second = (np.array([row[one] for one in side]) for side in (drawn.first, drawn.second))
    middle = acts.tensor(acts.hooks[len(acts.hooks) // 2]).double()
    few = {"shuffles": 1, "directions": 0, "baseline": False, "resamples": 500}
    told = bradley_terry(acts, drawn, **few)
    return [
        Line(f"{CHOICES:,} choices between them: those of held-out reviews foreseen",
             f"{told.selected} (shuffled {told.selection.control})"),
        *beside_a_matrix(middle, first, second, drawn.outcome),
    ]  # fmt: skip
