"""``sonde convert``: what it prints, compares and leaves."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from sonde.activations import import_activations
from sonde.cli.app import app
from sonde.core.errors import SondeError
from sonde.dictionaries.artifact import load_dictionary

GOLDEN = Path(__file__).parents[2] / "peers" / "dictionary_golden"


def convert(*words):
    done = CliRunner().invoke(app, ["convert", *map(str, words)])
    if done.exception is not None:
        raise done.exception
    return done.output


def test_from_one_library_to_another_and_home(tmp_path):
    learning, home = tmp_path / "learning", tmp_path / "it.safetensors"
    said = convert(GOLDEN / "sparsify-sae" / "layers.3", learning, "--to", "dictionary-learning")
    assert "sparsify: SAE, topk, 16 latents" in said
    assert "Held against the formula of sparsify" in said
    assert "as written for dictionary_learning" in said
    assert json.loads((learning / "config.json").read_text())["trainer"]["k"] == 4
    convert(learning, home, "--to", "sonde")
    _, header = load_dictionary(home)
    assert header.architecture.sources == ("blocks.3.resid_post",)
    moved = convert(home, tmp_path / "moved.safetensors", "--to", "sonde", "--source",
                    "blocks.4.hook_resid_mid")  # fmt: skip
    assert "reads blocks.4.resid_mid" in moved


def test_notes_of_a_conversion_are_printed(tmp_path):
    said = convert(GOLDEN / "saelens-topk-uncentred", tmp_path / "layers.3", "--to", "sparsify")
    assert "the encoder's bias takes in what that changes" in " ".join(said.split())


def test_weights_that_need_a_look_are_named(tmp_path):
    shutil.copytree(GOLDEN / "saelens-jumprelu", tmp_path / "it")
    weights = tmp_path / "it" / "sae_weights.safetensors"
    tensors = load_file(weights)
    tensors["W_dec"][:3] = 0
    tensors["threshold"][:9] = 0.25
    save_file(tensors, weights)
    said = " ".join(convert(tmp_path / "it", tmp_path / "out", "--to", "saelens").split())
    assert "Weights that need a look" in said
    assert "3 of 16 rows are zero, so they write nothing" in said
    assert "9 of 16 are 0.25 to the digit: frozen" in said
    sound = convert(GOLDEN / "saelens-jumprelu", tmp_path / "sound", "--to", "saelens")
    assert "need a look" not in sound


def test_what_cannot_be_is_refused_before_anything_is_read(tmp_path):
    here, out = GOLDEN / "saelens-topk", tmp_path / "out"
    for words, said in (
        ((here, out, "--to", "openai"), "is read, not written"),
        ((here, out, "--to", "sonde"), "does not end in .safetensors"),
        ((here, out, "--to", "saelens", "--push", "name"), "is not a repository"),
        ((here, out, "--to", "saelens", "--from", "sparsify"), "does not exist"),
    ):
        with pytest.raises(SondeError, match=said):
            convert(*words)
    (tmp_path / "metrics.json").write_text('{"fvu": "low"}')
    with pytest.raises(SondeError, match="not a mapping of metrics to numbers"):
        convert(here, out, "--to", "saelens", "--metrics", tmp_path / "metrics.json")
    assert not out.exists()


def test_rows_of_a_store_are_compared_as_well(tmp_path):
    rows = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    np.savez(tmp_path / "a.npz", ids=np.arange(20), **{"blocks.3.resid_pre": rows})
    import_activations(tmp_path / "a.npz", out=tmp_path / "store")
    said = convert(
        GOLDEN / "saelens-topk", tmp_path / "it.safetensors", "--to", "sonde", "--activations",
        tmp_path / "store",
    )  # fmt: skip
    assert "20 activations" in said
