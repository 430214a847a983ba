"""Prompts of log-normal length, cut from real prose."""

import inspect
import pydoc_data.topics
from pathlib import Path

import numpy as np

SHARED_TEXT = Path(__file__).parents[2] / "shared" / "data" / "text" / "american_adventures.txt"


def prose() -> str:
    """Return the book beside the project, or Python's own documentation where it is missing."""
    if SHARED_TEXT.exists():
        return SHARED_TEXT.read_text(encoding="utf-8")
    topics = "\n\n".join(pydoc_data.topics.topics.values())
    return topics + inspect.getsource(inspect)


def log_normal_prompts(tokenizer, count: int, *, seed: int = 0) -> list[str]:
    """Cut ``count`` texts of 5 to 400 tokens: log-normal, median 60, sigma 0.9."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(np.exp(rng.normal(np.log(60), 0.9, count)), 5, 400).astype(int)
    ids = tokenizer(prose(), add_special_tokens=False)["input_ids"]
    starts = rng.integers(0, len(ids) - 400, count)
    return [
        tokenizer.decode(ids[start : start + length]).strip() or "An empty stretch of text."
        for start, length in zip(starts, lengths, strict=True)
    ]
