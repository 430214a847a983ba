"""A grid on a GPU against one coefficient at a time, of random weights at real sizes."""

import time
from statistics import median

import numpy as np
import torch

from bench.table import Line

MODELS = ("random:gemma-2-2b", "random:gemma-3-4b")
METHODS, QUESTIONS, PROMPT, NEW_TOKENS = 3, 5, 32, 24
COEFFICIENTS = (0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3)
WANTED = 10.0


def steering_gpu(rounds: int) -> list[Line]:
    """3 methods, 8 coefficients, 5 questions, 24 new tokens at gemma's sizes."""
    if not torch.cuda.is_available():
        print("  left out: there is no CUDA device")
        return []
    import sonde

    lines: list[Line] = []
    for name in MODELS:
        lines += race(sonde.load(name, device="cuda", check=False), name, rounds)
        torch.cuda.empty_cache()
    return lines


def race(model, name: str, rounds: int) -> list[Line]:
    """Let the grid and the loop over coefficients take turns on one loaded model."""
    rng = np.random.default_rng(0)
    vocabulary = min(model.info.d_vocab, 1_000)
    prompts = [rng.integers(10, vocabulary, PROMPT).tolist() for _ in range(QUESTIONS)]
    vectors = torch.from_numpy(rng.normal(size=(METHODS, model.info.d_model))).float()
    unit = model.info.d_model**0.5
    grid: list[float] = []
    loop: list[float] = []
    same = 0
    for number in range(rounds + 1):  # the first turn of each is to warm up
        seconds, texts = _timed(model, lambda: _grid(model, prompts, vectors, unit))
        others, apart = _timed(model, lambda: _loop(model, prompts, vectors, unit))
        if number:
            grid.append(seconds)
            loop.append(others)
            same = sum(one == other for one, other in zip(texts, apart, strict=True))
    times = median(b / a for a, b in zip(grid, loop, strict=True))
    return [
        Line(f"{name}, one grid", f"{median(grid):.2f} s"),
        Line(f"{name}, one coefficient at a time", f"{median(loop):.2f} s"),
        Line(f"{name}, texts that are the same", f"{same} of {len(texts)}"),
        Line(f"{name}, the grid's gain", f"{times:.1f}×", f"at least {WANTED:g}×", times >= WANTED),
    ]


def _timed(model, run):
    start = time.perf_counter()
    found = run()
    if model.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start, found


def _edit(model, vector, coefficient: float, unit: float):
    from sonde.core.edits import Add, Scope, When
    from sonde.core.hooks import HookPoint, Site

    hook = HookPoint(model.info.n_layers // 2, Site.RESID_POST)
    direction = (vector / vector.norm()).to(model.device)
    return Add(hook, direction, coefficient * unit, Scope(when=When.GENERATED))


def _grid(model, prompts, vectors, unit: float) -> list[tuple[int, ...]]:
    from sonde.models.grid import GridRow, GridSettings, generate_grid

    rows = [
        GridRow(prompt, (_edit(model, vector, coefficient, unit),))
        for vector in vectors
        for coefficient in COEFFICIENTS
        for prompt in range(len(prompts))
    ]
    found: list[tuple[int, ...]] = [()] * len(rows)
    settings = GridSettings(max_new_tokens=NEW_TOKENS)
    for one in generate_grid(model, prompts, rows, settings, progress=False):
        found[one.row] = tuple(one.tokens)
    return found


def _loop(model, prompts, vectors, unit: float) -> list[tuple[int, ...]]:
    from sonde.models.generate import GenerateSettings, generate

    settings = GenerateSettings(max_new_tokens=NEW_TOKENS)
    found: list[tuple[int, ...]] = []
    for vector in vectors:
        for coefficient in COEFFICIENTS:
            edits = (_edit(model, vector, coefficient, unit),)
            made = generate(model, prompts, settings, edits).tokens
            found += [tuple(int(token) for token in row) for row in made]
    return found
