"""Extraction against other libraries, and against the bare forward pass."""

import os

import numpy as np

from bench.contest import Contestant, Outcome, contest, ratio
from bench.model import model_folder, tokenizer_of
from bench.prompts import log_normal_prompts
from bench.table import Line

LAYERS = [0, 5, 10, 15]
SONDE = Contestant("sonde", "run_sonde.py")
BARE = Contestant("bare forward", "run_bare.py")
PEERS = [
    Contestant("transformers, batches of 8", "run_transformers.py"),
    Contestant("TransformerLens", "run_transformer_lens.py", "transformer-lens"),
    Contestant("nnsight", "run_nnsight.py", "nnsight"),
]
WANTED = {"transformers, batches of 8": 5.0, "TransformerLens": 1.5, "nnsight": 1.5}


def against_peers(rounds: int) -> list[Line]:
    """300 prompts, last token of four layers up to mid depth."""
    task = _task(300)
    outcomes = contest([SONDE, *PEERS, BARE], task, rounds=rounds)
    tokens = task["tokens"]
    ours = outcomes["sonde"]
    lines = [_speed("300 prompts, sonde", ours, tokens)]
    for peer in PEERS:
        theirs = outcomes[peer.name]
        _same(ours, theirs)
        lines += [
            _speed(f"300 prompts, {peer.name}", theirs, tokens),
            Line(
                f"300 prompts, sonde against {peer.name}",
                f"{ratio(theirs, ours):.2f}×",
                f"at least {WANTED[peer.name]}×",
                ratio(theirs, ours) >= WANTED[peer.name],
            ),
        ]
    return [*lines, *_share("300 prompts", ours, outcomes["bare forward"], 0.80, tokens)]


def against_bare(rounds: int) -> list[Line]:
    """3,000 prompts against the bare limit, and the share of padding."""
    from sonde.activations.plan import plan_batches

    task = _task(3_000)
    outcomes = contest([SONDE, BARE], task, rounds=rounds)
    ours, bare = outcomes["sonde"], outcomes["bare forward"]
    tokenizer = tokenizer_of(model_folder())
    lengths = [len(ids) for ids in tokenizer(task["texts"], add_special_tokens=False)["input_ids"]]
    padding = plan_batches(np.array(lengths), task["token_budget"]).padding
    return [
        *_share("3,000 prompts", ours, bare, 0.90, task["tokens"]),
        Line("3,000 prompts, padding", f"{padding:.1%}", "below 5 %", padding < 0.05),
    ]


def _task(count: int) -> dict:
    folder = model_folder()
    tokenizer = tokenizer_of(folder)
    texts = log_normal_prompts(tokenizer, count)
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return {
        "model": str(folder),
        "texts": texts,
        "layers": LAYERS,
        "threads": os.cpu_count(),
        "token_budget": 2_048,
        "tokens": sum(map(len, ids)),
    }


def _speed(what: str, outcome: Outcome, tokens: int) -> Line:
    return Line(what, f"{tokens / outcome.median:,.0f} tokens/s ({outcome.median:.1f} s)")


def _share(what: str, ours: Outcome, bare: Outcome, wanted: float, tokens: int) -> list[Line]:
    share = ratio(bare, ours)
    return [
        _speed(f"{what}, bare forward", bare, tokens),
        Line(
            f"{what}, share of the bare limit",
            f"{share:.2f}",
            f"at least {wanted:.2f}",
            share >= wanted,
        ),
    ]


def _same(ours: Outcome, theirs: Outcome) -> None:
    """A race between different answers would mean nothing, so the answers are compared."""
    assert ours.result is not None
    assert theirs.result is not None
    scale = np.linalg.norm(theirs.result, axis=-1, keepdims=True)
    worst = float((np.abs(ours.result - theirs.result) / scale).max())
    if worst > 1e-4:
        raise RuntimeError(f"sonde and {theirs.name} differ by {worst:.1e} of the norm.")
