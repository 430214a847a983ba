"""What the steering peers share: the model, the questions as a batch, one coefficient at a time."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import torch
from serve import serve, task
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache

Steered = Callable[[int, float], AbstractContextManager[None]]


def load(job: dict):
    """Load the model; older transformers look for rope_theta by itself."""
    config = AutoConfig.from_pretrained(job["model"])
    config.rope_theta = job["rope_theta"]
    return AutoModelForCausalLM.from_pretrained(
        job["model"], config=config, dtype=torch.float32
    ).eval()


def race(job: dict, generate: Callable, model, steered: Steered) -> None:
    """Answer the questions under every method and coefficient, with all questions as the batch.

    ``steered(method, coefficient)`` steers while its block runs. Answers are ``[row, token]``, -1
    after the end.
    """
    n_new, end = job["new_tokens"], model.config.eos_token_id
    longest = max(map(len, job["texts"]))
    ids = torch.tensor([[end] * (longest - len(one)) + one for one in job["texts"]])
    real = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in job["texts"]])
    options = {"do_sample": False, "pad_token_id": end, "eos_token_id": end}

    def everywhere(method: int, coefficient: float) -> torch.Tensor:
        with steered(method, coefficient):
            made = generate(ids, attention_mask=real, max_new_tokens=n_new, **options)
        return made[:, longest:]

    def on_generated(method: int, coefficient: float) -> torch.Tensor:
        cache = DynamicCache()
        out = model(
            input_ids=ids,
            attention_mask=real,
            position_ids=(real.cumsum(1) - 1).clamp(min=0),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        whole = torch.cat([ids, out.logits[:, -1:].argmax(-1)], dim=1)
        mask = torch.cat([real, real[:, -1:]], dim=1)
        with steered(method, coefficient):
            made = generate(
                whole,
                attention_mask=mask,
                past_key_values=cache,
                max_new_tokens=n_new - 1,
                **options,
            )
        return made[:, longest:]

    once = {"generated": on_generated, "both": everywhere}[job["when"]]
    warm = False

    @torch.no_grad()
    def run(_: list) -> np.ndarray:
        nonlocal warm
        coefficients = job["coefficients"] if warm else job["coefficients"][:1]
        warm = True
        found = []
        for method in range(len(job["vectors"])):
            for coefficient in coefficients:
                found += [cut(row, end, n_new) for row in once(method, coefficient).tolist()]
        return np.array(found)

    serve(run, job)


def cut(tokens: list[int], end: int, width: int) -> list[int]:
    """Return a row of tokens up to its end, filled with -1."""
    kept = tokens[: tokens.index(end)] if end in tokens else tokens
    return kept[:width] + [-1] * (width - len(kept))


__all__ = ["load", "race", "task"]
