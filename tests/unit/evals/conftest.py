"""A tiny model, texts, and dictionaries that need no training."""

import pytest
import torch

from sonde.dictionaries import Architecture, Dictionary, ReLU
from sonde.evals.texts import given_texts
from sonde.models.tiny import tiny_model

WORDS = "the quick brown fox jumps over a lazy dog while seven small cats watch from the wall"


@pytest.fixture(scope="session")
def model():
    return tiny_model("llama")


@pytest.fixture(scope="session")
def texts(model):
    order = [WORDS[start:] + " " + WORDS[:start] for start in range(0, 48, 4)]
    return given_texts(model, order, context=40)


@pytest.fixture(scope="session")
def identity():
    """Make a dictionary that gives back what it reads: latents are the signed coordinates."""

    def make(source, target="", width=32):
        several = {"targets": (target,), "d_out": (width,)} if target else {}
        architecture = Architecture(
            sources=(source,), d_in=(width,), d_sae=2 * width, sparsity=ReLU(), **several
        )
        dictionary = Dictionary(architecture)
        signs = torch.cat([torch.eye(width), -torch.eye(width)])
        with torch.no_grad():
            dictionary.parts[0].encoder.copy_(signs)
            dictionary.parts[0].decoder.copy_(signs)
        return dictionary.eval()

    return make
