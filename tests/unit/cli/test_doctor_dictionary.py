"""``sonde doctor --dictionary``: weights alone, and with a model what it is fed."""

import pytest
import torch
from typer.testing import CliRunner

from sonde.activations.origin import Origin
from sonde.cli.app import app
from sonde.dictionaries import Architecture, Dictionary, ReLU
from sonde.dictionaries.artifact import save_dictionary


@pytest.fixture
def saved(tmp_path):
    """An identity of 32 coordinates, some decoder rows of which may be drawn out."""

    def save(stretch=1.0, hook="blocks.1.resid_post"):
        dictionary = Dictionary(
            Architecture(sources=(hook,), d_in=(32,), d_sae=64, sparsity=ReLU())
        )
        signs = torch.cat([torch.eye(32), -torch.eye(32)])
        with torch.no_grad():
            dictionary.parts[0].encoder.copy_(signs)
            dictionary.parts[0].decoder.copy_(signs * stretch)
        return str(save_dictionary(dictionary, tmp_path / "dictionary.safetensors", Origin()))

    return save


def test_weights_alone(saved):
    done = CliRunner().invoke(app, ["doctor", "--dictionary", saved()])
    assert done.exit_code == 0, done.output
    assert "SAE, 64 latents, of blocks.1.resid_post" in done.output
    assert "all alike" in done.output
    assert "name its --model" in done.output


def test_with_a_model_and_texts(saved, tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("some words that are read by a small model " * 5)
    run = ["doctor", "--model", "random:llama", "--texts", str(folder), "--dictionary"]
    done = CliRunner().invoke(app, [*run, saved()])
    assert done.exit_code == 0, done.output
    assert "variance explained 1.00" in done.output
    assert "nothing seems wrong" in done.output
    wrong = CliRunner().invoke(app, [*run, saved(stretch=10.0)])
    assert wrong.exit_code == 1
    assert "LOOK" in wrong.output
    assert "Fed otherwise" in wrong.output
