"""Training from text at four hook points at once, against its parts: whether anything waits.

The embedded model runs to its middle, and a dictionary at each of four hook points is trained on
what it gives. The parts are the bare forward passes over the same tokens to that depth, and as many
steps of the same dictionaries on rows in memory.
"""

import os
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.contest import Contestant, contest
from bench.model import model_folder
from bench.rows import LAYER, texts
from bench.table import Line

SITES = ("attn_out", "resid_mid", "mlp_out", "resid_post")
TOKENS, BATCH = 128 * 256, 2_048
D_SAE, K = 9_216, 32
LEAST = 0.85


def dictionary_end_to_end(rounds: int) -> list[Line]:
    """Four TopK dictionaries of 9,216 latents on 32,768 tokens."""
    script = "run_corpus_training.py"
    parts = ("everything", "passes", "steps")
    contestants = [Contestant(part, script, given={"part": part}) for part in parts]
    with TemporaryDirectory() as folder:
        task = {
            "model": str(model_folder()),
            "texts": texts(),
            "corpus": str(Path(folder) / "corpus"),
            "tokens": TOKENS,
            "hooks": [f"blocks.{LAYER}.{site}" for site in SITES],
            "batch": BATCH,
            "d_sae": D_SAE,
            "k": K,
            "threads": os.cpu_count(),
        }
        outcomes = contest(contestants, task, rounds=rounds)
    whole, passes, steps = (outcomes[part].seconds for part in parts)
    share = median((b + c) / a for a, b, c in zip(whole, passes, steps, strict=True))
    what = f"{TOKENS:,} tokens to block {LAYER}, 4 TopK dictionaries of {D_SAE:,} latents"
    return [
        Line(f"{what}, forward passes alone", f"{TOKENS / median(passes):,.0f} tokens/s"),
        Line(f"{what}, steps alone", f"{TOKENS / median(steps):,.0f} tokens/s"),
        Line(f"{what}, trained from text", f"{TOKENS / median(whole):,.0f} tokens/s"),
        Line(
            f"{what}, share of the passes and the steps",
            f"{share:.2f}",
            f"at least {LEAST:g}",
            share >= LEAST,
        ),
    ]
