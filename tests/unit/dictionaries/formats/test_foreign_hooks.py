"""Which hook points a foreign dictionary gets: by its files, by the user, or none."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sonde.core.errors import SondeError
from sonde.dictionaries.formats import read_dictionary
from sonde.dictionaries.formats.content import HookPoints
from sonde.dictionaries.formats.foreign_hooks import hook_point
from sonde.models.families import FAMILIES
from sonde.models.sites import site_of_module

GOLDEN = Path(__file__).parents[3] / "peers" / "dictionary_golden"
RESID, MLP, MORE = "blocks.3.resid_pre", "blocks.3.mlp_out", "blocks.4.resid_pre"
TOPK, TRANSCODER = "saelens-topk", "saelens-transcoder"
SCOPE = "gemma-scope-2-transcoder/transcoder/layer_5_width_16k_l0_small_affine"
EVERY = {
    TOPK: 1,
    "sparsify-sae/layers.3": 1,
    "dictionary-learning-topk": 1,
    "gemma-scope-res/gemma-scope-2b-pt-res/layer_5/width_16k/average_l0_4": 1,
    SCOPE: 2,
    "llama-scope/Llama3_1-8B-Base-L5R-8x": 1,
}


def read(path, sources=(), targets=(), **more):
    return read_dictionary(str(path), hooks=HookPoints(sources, targets), **more)


@pytest.mark.parametrize("case", EVERY)
def test_a_dictionary_of_one_source_takes_one(case):
    with pytest.raises(SondeError, match="has one source and at most one target, and 2 sources"):
        read(GOLDEN / case, (RESID, MORE), (MLP,) * (EVERY[case] - 1))


def test_an_sae_takes_no_target():
    for case in (TOPK, "sparsify-sae/layers.3", "dictionary-learning-topk"):
        with pytest.raises(SondeError, match=r"is an SAE, which .*Leave --target away"):
            read(GOLDEN / case, (RESID,), (MLP,))
        assert read(GOLDEN / case, (RESID,), (RESID,)).architecture.targets == ()


@pytest.mark.parametrize("target", [(), (RESID,)])
@pytest.mark.parametrize("case", [TRANSCODER, "saelens-skip-transcoder"])
def test_a_transcoder_without_a_target_is_no_sae(tmp_path, case, target):
    """Its settings name none, the user names none or the source: with b_dec 0 it would pass."""
    folder = tmp_path / "it"
    shutil.copytree(GOLDEN / case, folder)
    settings = json.loads((folder / "cfg.json").read_text())
    settings["metadata"].pop("hook_name_out")
    (folder / "cfg.json").write_text(json.dumps(settings))
    tensors = load_file(folder / "sae_weights.safetensors")
    tensors["b_dec"].zero_()
    save_file(tensors, folder / "sae_weights.safetensors")
    with pytest.raises(SondeError, match=r"is a transcoder, and its .*--target blocks\.<layer>"):
        read(folder, (RESID,), target)
    assert read(folder, targets=(MLP,)).architecture.targets == (MLP,)


def test_a_skip_or_another_width_makes_a_transcoder(tmp_path):
    path = tmp_path / "mine" / "params.safetensors"
    path.parent.mkdir()
    save_file(load_file(GOLDEN / SCOPE / path.name), path)
    with pytest.raises(SondeError, match="is a transcoder, and its target is not named"):
        read(path.parent, (RESID,))
    assert read(path.parent, (RESID,), (MLP,)).architecture.skip
    tensors = load_file(path)
    tensors.pop("affine_skip_connection")
    tensors |= {"w_dec": torch.randn(16, 7), "b_dec": torch.randn(7)}
    save_file(tensors, path)
    with pytest.raises(SondeError, match="is a transcoder, and its target is not named"):
        read(path.parent, (RESID,))
    assert read(path.parent, (RESID,), (MLP,)).architecture.widths_out == (7,)


def test_a_file_of_circuit_tracer_of_another_name_has_no_layer(tmp_path):
    tensors = {name: torch.randn(4, 4) for name in ("W_enc", "W_dec")}
    path = tmp_path / "mine.safetensors"
    save_file({**tensors, "b_enc": torch.randn(4), "b_dec": torch.randn(4)}, path)
    settings = "feature_input_hook: hook_resid_mid\nfeature_output_hook: hook_mlp_out\n"
    (tmp_path / "config.yaml").write_text(settings)
    name = {"format_name": "circuit-tracer"}
    for sources in ((), (RESID,)):
        with pytest.raises(SondeError, match=r"layer is not known\. Give .*--source .* --target"):
            read(path, sources, **name)
    assert read(path, (RESID,), (MLP,), **name).architecture.outputs == (MLP,)
    path = path.rename(tmp_path / "layer_2.safetensors")
    assert read(path).architecture.sources == ("blocks.2.resid_mid",)


def test_a_cross_layer_transcoder_takes_all_its_hook_points_or_none(tmp_path):
    tensors = load_file(GOLDEN / SCOPE / "params.safetensors")
    tensors["w_dec"] = torch.randn(16, 2, 6)
    folder = tmp_path / "clt"
    folder.mkdir()
    for layer in (0, 1):
        tensors["w_dec"][:, :layer] = 0
        save_file(tensors, folder / f"params_layer_{layer}.safetensors")
    for sources, targets in (((RESID,), ()), ((RESID, MORE), ()), ((RESID,), (MLP,))):
        with pytest.raises(SondeError, match="has 2 layers, each with a source and a target, and"):
            read(folder, sources, targets)
    with pytest.raises(SondeError, match="a hook point is named twice"):
        read(folder, (RESID, RESID), (MLP, "blocks.4.mlp_out"))
    found = read(folder, (RESID, MORE), (MLP, "blocks.4.mlp_out")).architecture
    assert (found.sources, found.reaches[1].targets) == ((RESID, MORE), (1,))


def named(tmp_path, module):
    """A dictionary of sparsify under the name of a module."""
    shutil.copytree(GOLDEN / "sparsify-sae" / "layers.3", tmp_path / module)
    return read(tmp_path / module)


def test_attention_before_a_norm_is_said(tmp_path):
    """In families with a norm behind attention, what the module returns is no site."""
    found = named(tmp_path, "layers.3.self_attn")
    assert found.architecture.sources == ("blocks.3.attn_out",)
    assert "In gemma2, gemma3 and olmo2 it is not" in found.notes[0]
    for module in ("h.3.attn", "layers.3.attention", "layers.3.mlp", "layers.3"):
        assert named(tmp_path, module).notes == ()
    folder = tmp_path / "trainer_0"
    shutil.copytree(GOLDEN / "dictionary-learning-topk", folder)
    settings = json.loads((folder / "config.json").read_text())
    for name, site in (
        ("attn", "attn_out"),
        ("mlp", "mlp_module_out"),
        ("resid_post", "resid_post"),
    ):
        settings["trainer"]["submodule_name"] = f"{name}_layer_4"
        (folder / "config.json").write_text(json.dumps(settings))
        found = read(folder)
        assert found.architecture.sources == (f"blocks.4.{site}",)
        assert any("passes a norm first" in note for note in found.notes) == (name == "attn")


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda one: one.name)
def test_modules_mean_what_they_mean_in_every_family(family):
    """Or, of attention before a norm, are no site there, which a note says."""
    for module in ("", family.mlp, family.attn):
        path = f"{family.blocks}.3.{module}".rstrip(".")
        site = hook_point(path).rsplit(".", 1)[1]
        if module == family.attn and family.attn_post_norm:
            with pytest.raises(SondeError, match="is no hook point"):
                site_of_module(family, module, path)
        else:
            assert site_of_module(family, module, path) == site


def test_norms_have_names_of_one_family(tmp_path):
    """In Llama the norm after attention is the one before the MLP."""
    name = "model.layers.5.post_attention_layernorm.output"
    with pytest.raises(SondeError, match=re.escape(f"{name!r}, which sonde does not know")):
        hook_point(name)
    folder = tmp_path / "layer_5"
    shutil.copytree(GOLDEN / "gemma-scope-2-sae/resid_post/layer_5_width_16k_l0_small", folder)
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "hf_hook_point_in": name}))
    assert read(folder).architecture.sources == ("blocks.5.attn_out",)
