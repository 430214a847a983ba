"""Logistic regression over layers, penalties and folds against scikit-learn in a loop.

The peer is ``make_pipeline(StandardScaler(), LogisticRegression(C=1 / penalty, tol=1e-8))``, fitted
for each layer, fold and penalty. Of every fit, our objective must not be above its own by more than
rounding.
"""

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from bench.table import Line

PENALTIES = tuple(float(penalty) for penalty in np.logspace(-2, 5, 8))
FOLDS = 5
ROUNDING = 1e-12  # of the objective, a sum of as many terms as there are rows
WANTED = 10.0


@dataclass(frozen=True)
class Size:
    """How much there is to fit; at first the embedded model's 30 layers of 576."""

    rows: int = 2_000
    d_model: int = 576
    layers: int = 30

    def __str__(self) -> str:
        return f"{self.layers} layers, n {self.rows:,}, d {self.d_model:,}"


@dataclass(frozen=True)
class Turn:
    """What a contestant's turn gave: objectives ``[layer, fold, penalty]``, and seconds."""

    seconds: float
    objective: np.ndarray


def logistic(rounds: int) -> list[Line]:
    """30 layers, n 2,000, 8 penalties, 5 folds."""
    return race(Size(), rounds)


def race(size: Size, rounds: int) -> list[Line]:
    """Let sonde and scikit-learn take turns, in processes of their own."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "layers.npz"
        write_layers(path, size)
        with _process() as ours, _process() as theirs:
            plain: list[Turn] = []
            peer: list[Turn] = []
            for _ in range(rounds):
                plain.append(ours.submit(sweep, str(path)).result())
                print(f"  sonde: {plain[-1].seconds:.1f} s", flush=True)
                peer.append(theirs.submit(loop, str(path)).result())
                print(f"  scikit-learn: {peer[-1].seconds:.1f} s", flush=True)
    above = sum(
        int((a.objective > b.objective * (1 + ROUNDING)).sum())
        for a, b in zip(plain, peer, strict=True)
    )
    times = median(b.seconds / a.seconds for a, b in zip(plain, peer, strict=True))
    what = f"{size}, {len(PENALTIES)} penalties, {FOLDS} folds"
    return [
        Line(f"{what}, sonde", f"{median(turn.seconds for turn in plain):.1f} s"),
        Line(f"{what}, scikit-learn", f"{median(turn.seconds for turn in peer):.1f} s"),
        Line(
            "sonde against scikit-learn", f"{times:.1f}×", f"at least {WANTED:g}×", times >= WANTED
        ),
        Line(
            "fits with an objective above scikit-learn's",
            str(above),
            "none",
            above == 0,
        ),
    ]


def _process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def write_layers(path: Path, size: Size) -> None:
    """Make activations like a residual stream's, with two classes that one direction tells apart.

    A decaying spectrum and a few massive coordinates; the labels follow a latent number, noisily,
    that one of the stronger directions carries.
    """
    rng = np.random.default_rng(0)
    latent = rng.normal(size=size.rows)
    decay = np.arange(1, size.d_model + 1) ** -0.5
    found = {}
    for layer in range(size.layers):
        basis, _ = np.linalg.qr(rng.normal(size=(size.d_model, size.d_model)))
        factors = rng.normal(size=(size.rows, size.d_model))
        factors[:, 5] = 0.8 * latent + 0.6 * factors[:, 5]
        x = 5 * (factors * decay) @ basis
        x[:, :3] = x[:, :3] * [200, 80, 40] + [3_000, -800, 400]
        found[f"layer {layer}"] = x.astype(np.float32)
    y = latent + 0.5 * rng.normal(size=size.rows) > 0
    np.savez(path, y=y, fold=rng.permutation(size.rows) % FOLDS, **found)


def _read(path: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with np.load(path) as data:
        layers = [data[name] for name in data if name not in ("y", "fold")]
        return np.stack(layers).astype(np.float64), data["y"].astype(np.float64), data["fold"]


def sweep(path: str) -> Turn:
    """Predict every fold's rows at all layers and penalties."""
    import torch

    from sonde.probes.logistic_solver import logistic_solver
    from sonde.probes.problem import Problem

    x, y, fold = _read(path)
    tensors = torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(fold)
    start = time.perf_counter()
    solver = logistic_solver(Problem.plain(*tensors))
    for one in range(FOLDS):
        solver.held_out((one,), PENALTIES)
    seconds = time.perf_counter() - start
    # The same fits again, for their coefficients.
    fits = [solver.coefficients((one,), PENALTIES)[:, :, 0, 0].numpy() for one in range(FOLDS)]
    return Turn(seconds, objectives(x, y, fold, np.stack(fits, axis=1)))


def loop(path: str) -> Turn:
    """Fit and predict layer by layer, fold by fold, penalty by penalty.

    On one BLAS thread: with as many as there are cores its small products wait for each other at
    every step, and the loop takes more than twice as long.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, "blas")

    x, y, fold = _read(path)
    fits = np.empty((len(x), FOLDS, len(PENALTIES), x.shape[2] + 1))
    start = time.perf_counter()
    for layer, one, number in np.ndindex(fits.shape[:3]):
        train, penalty = fold != one, PENALTIES[number]
        model = LogisticRegression(C=1 / penalty, tol=1e-8, max_iter=100_000)
        pipeline = make_pipeline(StandardScaler(), model).fit(x[layer][train], y[train])
        pipeline.decision_function(x[layer][~train])
        fits[layer, one, number] = np.r_[model.coef_[0], model.intercept_]
    return Turn(time.perf_counter() - start, objectives(x, y, fold, fits))


def objectives(x: np.ndarray, y: np.ndarray, fold: np.ndarray, fits: np.ndarray) -> np.ndarray:
    """Return ``sum log-loss + penalty / 2 |w|^2`` of every fit on its training rows."""
    found = np.empty(fits.shape[:3])
    for layer, one in np.ndindex(fits.shape[:2]):
        train = fold != one
        rows = x[layer][train]
        z = (rows - rows.mean(axis=0)) / rows.std(axis=0)
        weight, bias = fits[layer, one, :, :-1], fits[layer, one, :, -1:]
        logits = weight @ z.T + bias
        loss = np.logaddexp(0, np.where(y[train] > 0.5, -logits, logits)).sum(axis=1)
        found[layer, one] = loss + np.array(PENALTIES) / 2 * (weight**2).sum(axis=1)
    return found
