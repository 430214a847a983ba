"""A grid of methods, coefficients and questions against libraries that steer one at a time."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np

from bench.contest import Contestant, Outcome, contest, ratio
from bench.model import model_folder
from bench.table import Line

LAYER = 15
QUESTIONS = 5
NEW_TOKENS = 24
COEFFICIENTS = (0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3)  # of the typical norm
BUDGET = 4_096  # tokens in caches
TIE = 1e-3  # where the two best logits are nearer, rounding may choose
SONDE = Contestant("sonde", "run_grid.py")
PEERS = [
    Contestant("steering-vectors", "run_steering_vectors.py", "steering-vectors"),
    Contestant("repeng", "run_repeng.py", "repeng"),
]
WANTED = {"generated": 6.0, "both": 4.5}
SHOWN = {"generated": "edits on generated tokens", "both": "edits on the prompt too"}


def steering(rounds: int) -> list[Line]:
    """3 methods, 8 coefficients, 5 questions, 24 new tokens; then memory under a budget."""
    task = _task()
    return [
        *(line for when in WANTED for line in _race({**task, "when": when}, rounds)),
        *_memory(task),
    ]


def _race(task: dict, rounds: int) -> list[Line]:
    outcomes = contest([SONDE, *PEERS], task, rounds=rounds)
    alone = contest([SONDE], {**task, "alone": True}, rounds=1)["sonde"]
    ours, what = outcomes["sonde"], SHOWN[task["when"]]
    lines = [
        Line(f"{what}, sonde", f"{ours.median:.1f} s"),
        _same(what, "one row at a time", ours, alone),
    ]
    for peer in PEERS:
        theirs, wanted = outcomes[peer.name], WANTED[task["when"]]
        times = ratio(theirs, ours)
        lines += [
            Line(f"{what}, {peer.name}", f"{theirs.median:.1f} s"),
            Line(
                f"{what}, sonde against {peer.name}",
                f"{times:.2f}×",
                f"at least {wanted:g}×",
                times >= wanted,
            ),
            _same(what, peer.name, ours, theirs),
        ]
    return lines


def _same(what: str, name: str, ours: Outcome, theirs: Outcome) -> Line:
    """Count texts that are the same; others may diverge only where the best logits are near."""
    assert ours.result is not None
    assert theirs.result is not None
    tokens, margin = ours.result[:, :NEW_TOKENS], ours.result[:, NEW_TOKENS]
    differs = (tokens != theirs.result[:, :NEW_TOKENS]).any(axis=1)
    clear = int((differs & (margin >= TIE)).sum())
    return Line(
        f"{what}, texts as {name}'s",
        f"{int((~differs).sum())} of {len(differs)}, {clear} others without a near tie",
        "0 others without a near tie",
        clear == 0,
    )


def _task() -> dict:
    """Render five questions, and make three directions from the scenarios of a trait."""
    import sonde
    from sonde.activations.massive import massive_dimensions
    from sonde.data.examples import Example
    from sonde.data.traits import read_trait

    folder = model_folder()
    model = sonde.load(str(folder), check=False)
    trait = read_trait("enthusiasm")
    texts = [*trait.positive, *trait.negative]
    acts = sonde.extract(model, texts, layers=LAYER, positions="prompt[-1]", progress=False)
    order = np.argsort([int(name) for name in acts.rows.example])
    x = acts.tensor(acts.hooks[0]).double().numpy()[order]
    massive = massive_dimensions(model, texts[::4], progress=False)
    return {
        "model": str(folder),
        "rope_theta": model.hf.config.rope_parameters["rope_theta"],
        "texts": [
            model.render(Example(id=str(number), prompt=question)).ids.tolist()
            for number, question in enumerate(trait.questions[:QUESTIONS])
        ],
        "layer": LAYER,
        "vectors": [one.tolist() for one in _directions(x, len(trait.positive))],
        "coefficients": COEFFICIENTS,
        "unit": massive.typical_norm(LAYER),
        "new_tokens": NEW_TOKENS,
        "threads": os.cpu_count(),
        "token_budget": None,
        "alone": False,
    }


def _directions(x: np.ndarray, n_positive: int) -> list[np.ndarray]:
    """Return the difference of means, the first principal component and a random direction."""
    found = [
        x[:n_positive].mean(axis=0) - x[n_positive:].mean(axis=0),
        np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2][0],
        np.random.default_rng(0).normal(size=x.shape[1]),
    ]
    return [(one / np.linalg.norm(one)).astype(np.float32) for one in found]


def _memory(task: dict) -> list[Line]:
    """Peak resident memory of a grid and of one twice as large, under one token budget.

    Both are many times larger than the budget, and large enough for packed weights.
    """
    small, large = _peak(task, 8), _peak(task, 16)
    grown = large - small
    what = f"a token budget of {BUDGET:,}"
    return [
        Line(f"peak memory, 960 rows, {what}", f"{small:,.0f} MB"),
        Line(f"peak memory, 1,920 rows, {what}", f"{large:,.0f} MB"),
        Line("growth", f"{grown:,.0f} MB", "within 100 MB", grown <= 100),
    ]


def _peak(task: dict, times: int) -> float:
    with NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({**task, "coefficients": COEFFICIENTS * times}, file)
        file.flush()
        command = [sys.executable, "-m", "bench.steering", file.name]
        return float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def _generate(path: str) -> None:
    """Generate 8 tokens a row, each with a coefficient of its own, and print the peak in MB."""
    import torch

    import sonde
    from sonde.core.edits import Add
    from sonde.core.hooks import HookPoint, Site
    from sonde.models.grid import GridRow, GridSettings, generate_grid

    task = json.loads(Path(path).read_text(encoding="utf-8"))
    torch.set_num_threads(task["threads"])
    model = sonde.load(task["model"], check=False)
    hook = HookPoint(task["layer"], Site.RESID_POST)
    rows = [
        GridRow(prompt, (Add(hook, torch.tensor(vector), task["unit"] * (c + number / 1000)),))
        for vector in task["vectors"]
        for number, c in enumerate(task["coefficients"])
        for prompt in range(len(task["texts"]))
    ]
    settings = GridSettings(max_new_tokens=8, token_budget=BUDGET)
    for _ in generate_grid(model, task["texts"], rows, settings, progress=False):
        pass
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    _generate(sys.argv[1])
