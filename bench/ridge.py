"""Ridge over penalties and layers against scikit-learn's grid search, in processes that take turns.

The search is ``GridSearchCV(make_pipeline(StandardScaler(), Ridge()))`` with the same folds, its
refit included; ours is ``ridge_scores``, final probes included. The mean of the folds' R^2 must
agree for every layer and penalty.
"""

import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from bench.table import Line

PENALTIES = tuple(float(penalty) for penalty in np.logspace(-1, 6, 10))
FOLDS = 5


@dataclass(frozen=True)
class Size:
    """How much there is to fit, and how many times as fast it should be."""

    rows: int
    d_model: int
    layers: int
    wanted: float

    def __str__(self) -> str:
        return f"n {self.rows:,}, d {self.d_model:,}"


@dataclass(frozen=True)
class Turn:
    """What one contestant's turn gave: mean R^2 ``[layer, penalty]``, seconds, peak memory."""

    seconds: float
    r2: np.ndarray
    peak: int


def wide(rounds: int) -> list[Line]:
    """Fewer rows than coordinates: kernels."""
    return race(Size(3_000, 4_608, 6, 7.0), rounds)


def long(rounds: int) -> list[Line]:
    """More rows than coordinates: scatters of each fold."""
    return race(Size(30_000, 2_048, 1, 15.0), rounds)


def race(size: Size, rounds: int) -> list[Line]:
    """Let sonde and scikit-learn take turns, then time the nested choice."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "layers.npz"
        write_layers(path, size)
        with process() as ours, process() as theirs:
            plain: list[Turn] = []
            peer: list[Turn] = []
            for _ in range(rounds):
                plain.append(ours.submit(sweep, str(path)).result())
                print(f"  {size}: sonde {plain[-1].seconds:.1f} s", flush=True)
                peer.append(theirs.submit(grid_search, str(path)).result())
                print(f"  {size}: scikit-learn {peer[-1].seconds:.1f} s", flush=True)
            nested = [ours.submit(nested_sweep, str(path)).result() for _ in range(rounds)]
    return _lines(size, plain, peer, nested)


def process() -> ProcessPoolExecutor:
    """Start a contestant's own process."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def _lines(size: Size, plain: list[Turn], peer: list[Turn], nested: list[float]) -> list[Line]:
    apart = max(float(np.abs(a.r2 - b.r2).max()) for a, b in zip(plain, peer, strict=True))
    if apart > 1e-4:
        raise RuntimeError(f"sonde and scikit-learn differ by {apart:.1e} in R².")
    times = median(b.seconds / a.seconds for a, b in zip(plain, peer, strict=True))
    peak = max(turn.peak for turn in plain)
    square = size.rows**2 * 8
    layers = f"{size.layers} layer{'s' if size.layers > 1 else ''}"
    what = f"{size}, {layers}, {len(PENALTIES)} penalties, {FOLDS} folds"
    narrow = size.rows > size.d_model
    return [
        Line(f"{what}, sonde", f"{median(turn.seconds for turn in plain):.1f} s"),
        Line(f"{what}, scikit-learn", f"{median(turn.seconds for turn in peer):.1f} s"),
        Line(
            f"{size}, sonde against scikit-learn",
            f"{times:.1f}×",
            f"at least {size.wanted:g}×",
            times >= size.wanted,
        ),
        Line(f"{size}, largest difference in R²", f"{apart:.0e}", "below 1e-04", apart < 1e-4),
        Line(f"{size}, with nested choice, no controls", f"{median(nested):.1f} s"),
        Line(
            f"{size}, peak memory",
            f"{peak / 1e9:.1f} GB",
            f"below n × n, {square / 1e9:.1f} GB" if narrow else "",
            peak < square if narrow else None,
        ),
    ]


def write_layers(path: Path, size: Size) -> None:
    """Make activations like a residual stream's: a decaying spectrum, a few massive coordinates."""
    rng = np.random.default_rng(0)
    d = size.d_model
    found = {}
    for layer in range(size.layers):
        decay = np.arange(1, d + 1) ** -0.5
        mix = rng.normal(size=(d, d)).astype(np.float32)
        x = (rng.normal(size=(size.rows, d)) * decay).astype(np.float32) @ mix
        x = x * np.geomspace(0.3, 3, d) + rng.normal(size=d)
        x[:, :3] = 100 * x[:, :3] + 3_000
        found[f"layer {layer}"] = x.astype(np.float32)
    first = found["layer 0"]
    y = (first / first.std(axis=0)) @ rng.normal(size=d)
    np.savez(path, y=y / y.std() + rng.normal(size=size.rows), **found)


def _read(path: str) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    from sonde.stats import grouped_folds

    with np.load(path) as data:
        layers = [data[name] for name in data if name != "y"]
        y = data["y"]
    return layers, y, grouped_folds(np.arange(len(y)).astype(str), FOLDS)


def _timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _activations(layers: list[np.ndarray]) -> object:
    """Wrap the layers as an extraction would have left them."""
    import torch

    from sonde.activations.activations import ActivationsInMemory, Origin, RowTable
    from sonde.core.hooks import HookPoint, Site

    n = len(layers[0])
    zeros, empty = np.zeros(n, np.int32), np.full(n, "", str)
    rows = RowTable(
        example=np.arange(n).astype(str),
        position=np.full(n, "prompt[-1]"),
        token=zeros,
        token_id=zeros,
        n_tokens=zeros + 1,
        start=zeros - 1,
        end=zeros - 1,
        group=empty,
    )
    tensors = {
        HookPoint(number, Site.RESID_POST): torch.from_numpy(x) for number, x in enumerate(layers)
    }
    return ActivationsInMemory(tensors, rows, Origin())


def sweep(path: str) -> Turn:
    """Run the plain curve over penalties at all layers, in a process of its own."""
    from sonde.probes.penalty_scores import ridge_scores

    layers, y, _ = _read(path)
    acts = _activations(layers)
    start = time.perf_counter()
    found = ridge_scores(acts, y, penalties=PENALTIES, folds=FOLDS)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Turn(seconds, found.by_fold.mean(axis=-1), peak)


def nested_sweep(path: str) -> float:
    """Time the nested choice of penalty and layer, with intervals and without controls."""
    from sonde.probes import ridge

    layers, y, _ = _read(path)
    acts = _activations(layers)
    off = {"shuffles": 0, "directions": 0, "baseline": False}
    return _timed(lambda: ridge(acts, y, penalties=PENALTIES, folds=FOLDS, **off))


def grid_search(path: str) -> Turn:
    """Run scikit-learn's search layer by layer."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV, PredefinedSplit
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    layers, y, folds = _read(path)
    doubles = [layer.astype(np.float64) for layer in layers]
    r2: list[np.ndarray] = []
    start = time.perf_counter()
    for x in doubles:
        pipeline = make_pipeline(StandardScaler(), Ridge())
        grid = {"ridge__alpha": PENALTIES}
        search = GridSearchCV(pipeline, grid, cv=PredefinedSplit(folds)).fit(x, y)
        r2.append(search.cv_results_["mean_test_score"])
    return Turn(time.perf_counter() - start, np.stack(r2), 0)
