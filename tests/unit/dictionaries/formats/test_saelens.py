"""SAELens' own ways: heads side by side, factors of finetuning, widths of Matryoshka."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sonde.activations.origin import Origin
from sonde.core.errors import SondeError
from sonde.dictionaries import Architecture, Dictionary, JumpReLU
from sonde.dictionaries.formats import format_called, read_dictionary
from sonde.dictionaries.formats.content import HookPoints, Loaded
from sonde.dictionaries.formats.converting import check_source, read_source, run_dictionary

GOLDEN = Path(__file__).parents[3] / "peers" / "dictionary_golden"
SAELENS = format_called("saelens")
SIDE_BY_SIDE = "Rows are all heads of a token side by side: [row, n_heads * d_head]."


def settings_of(source, target=""):
    """What is written of a dictionary at a hook point."""
    made = Architecture(
        sources=(source,),
        targets=(target,) if target else (),
        d_in=(6,),
        d_out=(6,) if target else (),
        d_sae=16,
        sparsity=JumpReLU(),
    )
    return SAELENS.make(Loaded(Dictionary(made), Origin()))


def test_an_sae_of_heads_is_written_for_rows_by_head():
    """SAELens flattens heads where that is said, and else adds b_dec to [heads, d_head]."""
    found = settings_of("blocks.3.head_out")
    assert found.settings["metadata"]["hook_name"] == "blocks.3.attn.hook_z"
    assert found.settings["reshape_activations"] == "hook_z"
    assert any("[..., n_heads, d_head]" in note for note in found.notes)
    # Its transcoders reshape nothing, whatever their settings say.
    for hooks in (("blocks.3.head_out", "blocks.3.mlp_out"), ("blocks.3.attn_out",)):
        found = settings_of(*hooks)
        assert (found.settings["reshape_activations"], found.notes) == ("none", ())


@pytest.mark.parametrize("reshaping", ["hook_z", "none", None])
def test_an_sae_of_heads_is_read_with_flat_rows(tmp_path, reshaping):
    shutil.copytree(GOLDEN / "saelens-hook-z", tmp_path / "it")
    settings = json.loads((tmp_path / "it" / "cfg.json").read_text())
    settings["reshape_activations"] = reshaping
    (tmp_path / "it" / "cfg.json").write_text(json.dumps(settings))
    found = read_dictionary(str(tmp_path / "it"))
    assert found.architecture.sources == ("blocks.3.head_out",)
    assert found.architecture.d_in == (6,)
    assert SIDE_BY_SIDE in found.notes


def write(folder, settings, **more):
    """Three latents: along the axes, and along both with a decoder row of norm sqrt(8)."""
    tensors = {
        "W_enc": torch.tensor([[1.0, 0, 1], [0, 1, 1]]),
        "b_enc": torch.tensor([0.0, 0, -1]),
        "W_dec": torch.tensor([[1.0, 0], [0, 1], [2, 2]]),
        "b_dec": torch.tensor([1.0, 0]),
        **more,
    }
    save_file(tensors, folder / "sae_weights.safetensors")
    given = {"hook_name": "blocks.8.hook_resid_pre", "architecture": "topk", "k": 1, **settings}
    (folder / "cfg.json").write_text(json.dumps(given))
    source = read_source(folder, str(folder), SAELENS, HookPoints())
    assert all(check.found.holds for check in check_source(source))
    return source


def test_factors_of_finetuning_go_into_a_decoder_that_is_rescaled(tmp_path):
    """z = (2, 1), p = (2, 1, 2), scores (2, 1, 2 sqrt 8): f = 2 sqrt 8, made 2 * 0.5 * (2, 2)."""
    settings = {"rescale_acts_by_decoder_norm": True, "finetuning_scaling_factor": True}
    source = write(tmp_path, settings, scaling_factor=torch.tensor([1, 1, 0.5]))
    for run in (source.reference, lambda x: run_dictionary(source.loaded.dictionary.double(), x)):
        found = run([torch.tensor([[3.0, 1.0]], dtype=torch.float64)])
        torch.testing.assert_close(found.latents, torch.tensor([[0, 0, 2 * 8**0.5]]).double())
        torch.testing.assert_close(found.targets[0], torch.tensor([[3.0, 2.0]]).double())


def test_decoder_norms_are_for_topk_alone(tmp_path):
    """SAELens reads the setting in no other class."""
    source = write(tmp_path, {"architecture": "standard", "rescale_acts_by_decoder_norm": True})
    found = source.reference([torch.tensor([[3.0, 1.0]])])
    assert found.latents.tolist() == [[2, 1, 2]]
    assert source.loaded.notes == ()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"k": 999}, "k is 999, and there are 3 latents. Check that settings and weights belong"),
        ({"k": 0}, "k is 0, not a whole number of at least 1"),
        ({"matryoshka_widths": [1, 2]}, "groups add up to 2 (prefixes 1, 2), and there are 3"),
        ({"matryoshka_widths": [2, 1, 3]}, "groups.1 is -1, which is too low"),
        ({"matryoshka_widths": "123"}, "matryoshka_widths is '123', not a list of whole numbers"),
    ],
)
def test_settings_that_do_not_go_together_are_said(tmp_path, settings, said):
    widths = {name: settings[name] for name in settings if name != "k"}
    with pytest.raises(SondeError) as error:
        write(tmp_path, {**settings, "metadata": {"sae_lens_version": "6.54.12", **widths}})
    assert said in str(error.value)
    assert str(error.value).startswith(str(tmp_path))
