"""A tiny random model with a tokenizer, examples of many lengths, and machines that fail."""

import numpy as np

from sonde.activations import passes as passes_module
from sonde.core.hooks import parse_hook_point
from sonde.data.examples import Example
from sonde.models.model import Model, wrap
from sonde.models.tiny import tiny_hf
from sonde.models.tokenizers import byte_tokenizer

HOOK = parse_hook_point("blocks.1.resid_post")


def tiny_model(family: str = "llama", seed: int = 0) -> Model:
    tokenizer = byte_tokenizer(320)
    hf = tiny_hf(family, seed=seed, vocab_size=320)
    return wrap(hf, tokenizer, name=f"tiny-{family}", revision="0", fingerprint=f"{family}{seed}")


def sentences(count: int, seed: int = 0) -> list[Example]:
    random = np.random.default_rng(seed)
    letters = list("abcdefghij     ")
    return [
        Example(
            id=f"s{number}",
            prompt="x" + "".join(random.choice(letters, random.integers(1, 40))) + "y",
            group=f"g{number // 2}",
            label=number % 2,
        )
        for number in range(count)
    ]


def break_rows(monkeypatch, hook, bad: set[int], value: float):
    """Make some rows of a hook point non-finite after the real pass, by example number."""
    real = passes_module.Passes._pass

    def broken(self, members):
        tensors = real(self, members)
        for place, member in enumerate(members):
            if int(member) in bad:
                tensors[hook][place, 3] = value
        return tensors

    monkeypatch.setattr(passes_module.Passes, "_pass", broken)


def limited_memory(monkeypatch, limit: int, error: BaseException):
    """A machine on which a pass of more than ``limit`` padded tokens runs out of memory."""
    real = passes_module.forward
    failed = []

    def forward_or_fail(model, batch, **rest):
        if batch.ids.numel() > limit:
            failed.append(batch.ids.numel())
            raise error
        return real(model, batch, **rest)

    monkeypatch.setattr(passes_module, "forward", forward_or_fail)
    return failed
