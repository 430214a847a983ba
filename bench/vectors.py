"""Vectors of every layer, window and method from 200 responses, against the passes alone."""

import os

import numpy as np

from bench.contest import Contestant, Outcome, contest, ratio
from bench.model import model_folder, tokenizer_of
from bench.prompts import prose
from bench.table import Line

SONDE = Contestant("sonde", "run_vectors.py")
BARE = Contestant("bare forward", "run_bare_batches.py")
WINDOWS = ["response[:5].mean", "response[:10].mean", "response[:20].mean"]
METHODS = ["mean_difference", "probe", "pca_pooled", "lda"]
BUDGET = 2_048  # tokens in a pass
MOST = 1.2  # times the bare passes


def vectors(rounds: int) -> list[Line]:
    """Extraction, fits with held-out folds, and all scores, against the passes over the batches."""
    return vector_lines(rounds, 200)


def vector_lines(rounds: int, count: int) -> list[Line]:
    """Run the race with ``count`` responses; fewer are for a quick look."""
    from sonde.activations.plan import plan_batches
    from sonde.models.render import render

    folder = model_folder()
    tokenizer = tokenizer_of(folder)
    examples = labelled_responses(tokenizer, count)
    rendered = [render(tokenizer, one).ids.tolist() for one in examples]
    lengths = np.array([len(ids) for ids in rendered])
    plan = plan_batches(lengths, BUDGET)
    task = {
        "model": str(folder),
        "texts": [one.id for one in examples],
        "examples": [[one.id, one.prompt, one.response, one.group, one.label] for one in examples],
        "windows": WINDOWS,
        "methods": METHODS,
        "token_budget": BUDGET,
        "batches": [_padded(rendered, plan.batch(at)) for at in range(len(plan.sizes))],
        "threads": os.cpu_count(),
    }
    outcomes = contest([SONDE, BARE], task, rounds=rounds)
    ours, bare = outcomes["sonde"], outcomes["bare forward"]
    times, tokens = ratio(ours, bare), int(lengths.sum())
    made = len(ours.result) if ours.result is not None else 0
    return [
        _speed(f"{count} responses, bare forward", bare, tokens),
        _speed(f"{count} responses, {made} vectors with held-out scores", ours, tokens),
        Line(
            "with everything, against the bare passes",
            f"{times:.2f}×",
            f"at most {MOST}×",
            times <= MOST,
        ),
    ]


def labelled_responses(tokenizer, count: int) -> list:
    """Return scenarios of a shipped trait, both sides, each with 24 to 48 tokens of prose."""
    from sonde.data.examples import Example
    from sonde.data.traits import read_trait

    trait = read_trait("enthusiasm")
    ids = tokenizer(prose(), add_special_tokens=False)["input_ids"]
    rng = np.random.default_rng(0)
    found = []
    for number in range(count):
        side = ("positive", "negative")[number % 2]
        scenarios = getattr(trait, side)
        start, length = int(rng.integers(0, len(ids) - 100)), int(rng.integers(24, 49))
        found.append(
            Example(
                id=str(number),
                prompt=scenarios[number // 2 % len(scenarios)],
                response=tokenizer.decode(ids[start : start + length]),
                group=str(number // 2),
                label=side,
            )
        )
    return found


def _padded(sequences: list[list[int]], members: np.ndarray) -> list[list[int]]:
    chosen = [sequences[one] for one in members]
    width = max(map(len, chosen))
    return [one + [0] * (width - len(one)) for one in chosen]


def _speed(what: str, outcome: Outcome, count: int) -> Line:
    return Line(what, f"{count / outcome.median:,.0f} tokens/s ({outcome.median:.1f} s)")
