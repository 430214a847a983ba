"""A tiny random model with a tokenizer, and examples of many lengths."""

import numpy as np
import pytest

from sonde.data.examples import Example
from sonde.models.model import Model, wrap
from sonde.models.tiny import tiny_hf
from sonde.models.tokenizers import byte_tokenizer


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


@pytest.fixture(scope="session")
def model() -> Model:
    return tiny_model()


@pytest.fixture(scope="session")
def data() -> list[Example]:
    return sentences(40)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """What runs learn about memory goes into a folder of the test's own."""
    monkeypatch.setenv("SONDE_CACHE", str(tmp_path / "cache"))
