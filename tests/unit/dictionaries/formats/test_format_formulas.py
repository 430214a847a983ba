"""Formulas worked by hand, of formats whose libraries are on no package index; and old settings."""

import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.unit.dictionaries.test_dictionary import SHAPES, SPARSITIES, architecture, random, rows

from sonde.dictionaries import BatchTopK, JumpReLU, ReLU, TopK
from sonde.dictionaries.formats.content import HookPoints
from sonde.dictionaries.formats.converting import check_source, read_source, run_dictionary
from sonde.dictionaries.formats.recognising import recognised


def read(path, **hooks):
    found = read_source(path, str(path), recognised(path), HookPoints(**hooks))
    assert all(check.found.holds for check in check_source(found))
    return found


def both(source, *given):
    """The formula and the dictionary on rows, which must agree; the formula's is returned."""
    sources = [torch.tensor(one, dtype=torch.float64) for one in given]
    naive = source.reference(sources)
    own = run_dictionary(source.loaded.dictionary.double(), sources)
    torch.testing.assert_close(own.latents, naive.latents)
    for one, other in zip(own.targets, naive.targets, strict=True):
        torch.testing.assert_close(one, other)
    return naive


def tensor(rows):
    return torch.tensor(rows, dtype=torch.float32)


@pytest.fixture
def plt(tmp_path):
    """A transcoder of circuit-tracer with two latents along the axes."""

    def write(config="", **more):
        tensors = {
            "W_enc": tensor([[1, 0], [0, 1], [-1, 0]]),
            "W_dec": tensor([[1, 1], [0, 2], [5, 0]]),
            "b_enc": tensor([0.0, 0.5, 0]),
            "b_dec": tensor([1.0, 0]),
            **more,
        }
        save_file(tensors, tmp_path / "layer_2.safetensors")
        text = "model_name: google/gemma-2-2b\nfeature_input_hook: hook_resid_mid\n"
        text += f"feature_output_hook: hook_mlp_out\nmodel_kind: transcoder_set\n{config}"
        (tmp_path / "config.yaml").write_text(text)
        return read(tmp_path / "layer_2.safetensors")

    return write


def test_circuit_tracer_keeps_the_k_largest_even_below_zero(plt):
    """Pre-activations of (-1, -2) are -1, -1.5 and 1: the two largest are latents 2 and 0."""
    source = plt("activation: topk\nk: 2\n")
    found = both(source, [[-1.0, -2.0]])
    assert found.latents.tolist() == [[-1, 0, 1]]
    assert found.targets[0].tolist() == [[-1 + 5 + 1, -1]]
    assert source.loaded.architecture.sparsity == TopK(k=2, relu=False)
    assert source.loaded.architecture.sources == ("blocks.2.resid_mid",)
    assert source.loaded.origin.model == "google/gemma-2-2b"


def test_circuit_tracer_without_settings_is_relu_and_with_a_threshold_jumps(plt):
    skip = tensor([[0, 1], [1, 0]])
    found = both(plt(W_skip=skip), [[2.0, 1.0]])
    assert found.latents.tolist() == [[2, 1.5, 0]]
    assert found.targets[0].tolist() == [[2 + 1 + 1.0, 2 + 3 + 2.0]]  # the skip swaps the two
    jumping = {"activation_function.threshold": tensor([3, 1, 1])}
    source = plt(**jumping)
    assert isinstance(source.loaded.architecture.sparsity, JumpReLU)
    assert both(source, [[2.0, 1.0]]).latents.tolist() == [[0, 1.5, 0]]
    # ``k`` beside the weights, as circuit-tracer itself saves TopK, needs no word in the settings.
    assert plt(k=torch.tensor(1)).loaded.architecture.sparsity == TopK(k=1, relu=False)


def test_latents_of_a_clt_write_into_their_own_and_later_layers(tmp_path):
    """Two layers of width 1, one latent each: the first writes x and 10 x, the second 3 y."""
    for layer, decoder in ((0, [[[1.0], [10.0]]]), (1, [[[3.0]]])):
        encoder = {
            f"W_enc_{layer}": tensor([[1.0]]),
            f"b_enc_{layer}": tensor([0.0]),
            f"b_dec_{layer}": tensor([0.5]),
        }
        save_file(encoder, tmp_path / f"W_enc_{layer}.safetensors")
        save_file({f"W_dec_{layer}": tensor(decoder)}, tmp_path / f"W_dec_{layer}.safetensors")
    text = "feature_input_hook: hook_resid_mid\nfeature_output_hook: hook_mlp_out\n"
    (tmp_path / "config.yaml").write_text(text)
    source = read(tmp_path)
    found = both(source, [[2.0]], [[4.0]])
    assert found.latents.tolist() == [[2, 4]]
    assert [one.tolist() for one in found.targets] == [[[2.5]], [[20 + 12 + 0.5]]]
    assert source.loaded.architecture.name == "cross-layer transcoder"
    assert source.loaded.architecture.targets == ("blocks.0.mlp_out", "blocks.1.mlp_out")


def test_a_clt_of_gemma_scope_2_is_the_same_with_every_layer_in_each_file(tmp_path):
    folder = tmp_path / "clt"
    folder.mkdir()
    for layer, decoder in ((0, [[[1.0], [10.0]]]), (1, [[[0.0], [3.0]]])):
        tensors = {
            "w_enc": tensor([[1.0]]),
            "w_dec": tensor(decoder),
            "b_enc": tensor([0.0]),
            "b_dec": tensor([0.5]),
            "threshold": tensor([1.0]),
            "affine_skip_connection": tensor([[2.0]]),
        }
        save_file(tensors, folder / f"params_layer_{layer}.safetensors")
    source = read(folder)
    found = both(source, [[2.0]], [[0.5]])
    assert found.latents.tolist() == [[2, 0]]  # 0.5 lies below the threshold
    assert [one.tolist() for one in found.targets] == [[[2 + 0.5 + 4]], [[20 + 0.5 + 1.0]]]
    assert source.loaded.architecture.skip
    assert source.loaded.architecture.sources == ("blocks.0.mlp_normed", "blocks.1.mlp_normed")


def test_openai_normalises_rows_and_brings_them_back(tmp_path):
    """(1, 2, 3) has mean 2 and deviation 1; less 2 that is (-1, 0, 1), over 1 + 1e-5."""
    state = {
        "encoder.weight": torch.eye(3),
        "decoder.weight": 2 * torch.eye(3),
        "pre_bias": torch.tensor([0.0, 0, 0.25]),
        "latent_bias": torch.zeros(3),
        "activation": "TopK",
        "activation_state_dict": {"k": 1, "postact_fn": "ReLU"},
        "stats_last_nonzero": torch.zeros(3, dtype=torch.long),
    }
    path = tmp_path / "resid_post_mlp_v5_32k" / "autoencoders" / "8.pt"
    path.parent.mkdir(parents=True)
    torch.save(state, path)
    source = read(path)
    found = both(source, [[1.0, 2.0, 3.0]])
    only = 1 / (1 + 1e-5) - 0.25
    torch.testing.assert_close(found.latents[0], torch.tensor([0, 0, only], dtype=torch.float64))
    expected = torch.tensor([2, 2, 2 * only + 0.25 + 2], dtype=torch.float64)
    torch.testing.assert_close(found.targets[0][0], expected)
    assert source.loaded.architecture.sources == ("blocks.8.resid_post",)
    assert source.loaded.architecture.normalise == "layer_norm"
    first = {name: state[name] for name in list(state)[:4]}  # ReLU of rows as they are
    torch.save(first, path)
    plain = read(path).loaded.architecture
    assert (plain.normalise, plain.sparsity) == ("none", ReLU())


def test_llama_scope_folds_scale_and_norms_into_latents_of_raw_rows(tmp_path):
    """Width 1: s = 1 / 0.5 = 2, a decoder row of norm 3, a bias of 1: p = 3 (x + 1 / 2)."""
    (tmp_path / "checkpoints").mkdir()
    tensors = {
        "encoder.weight": tensor([[1.0]]),
        "encoder.bias": tensor([1.0]),
        "decoder.weight": tensor([[3.0]]),
        "decoder.bias": tensor([4.0]),
    }
    save_file(tensors, tmp_path / "checkpoints" / "final.safetensors")
    settings = {
        "act_fn": "jumprelu",
        "jump_relu_threshold": 5.0,
        "norm_activation": "dataset-wise",
        "dataset_average_activation_norm": {"in": 0.5, "out": 0.5},
        "hook_point_in": "blocks.15.hook_resid_post",
        "hook_point_out": "blocks.15.hook_resid_post",
    }
    (tmp_path / "hyperparams.json").write_text(json.dumps(settings))
    found = both(read(tmp_path), [[1.0], [2.0]])
    assert found.latents.tolist() == [[0], [7.5]]  # 3 * 1.5 lies below the threshold
    assert found.targets[0].tolist() == [[2], [7.5 + 2]]


def test_gemma_scope_in_a_folder_of_another_name_needs_its_hook_points(tmp_path):
    arrays = {
        "W_enc": np.eye(2, dtype=np.float32),
        "W_dec": np.eye(2, dtype=np.float32),
        "b_enc": np.zeros(2, dtype=np.float32),
        "b_dec": np.ones(2, dtype=np.float32),
        "threshold": np.array([1, 2], dtype=np.float32),
    }
    np.savez(tmp_path / "params.npz", **arrays)
    source = read(tmp_path, sources=("blocks.3.hook_resid_post",))
    found = both(source, [[1.5, 1.5]])
    assert found.latents.tolist() == [[1.5, 0]]
    assert found.targets[0].tolist() == [[2.5, 1]]
    there = read(tmp_path, sources=("blocks.3.resid_mid",), targets=("blocks.3.mlp_out",))
    assert there.loaded.architecture.name == "transcoder"


OLD = {
    "hook_point": "blocks.8.hook_resid_pre",
    "d_in": 2,
    "d_sae": 3,
    "dtype": "torch.float32",
    "normalize_activations": False,
}


def saelens(folder, settings, **more):
    tensors = {
        "W_enc": tensor([[1, 0, 1], [0, 1, 1]]),
        "b_enc": tensor([0, 0, -1.0]),
        "W_dec": tensor([[1, 0], [0, 1], [2, 2]]),
        "b_dec": tensor([1, 0.0]),
        **more,
    }
    (folder / "cfg.json").write_text(json.dumps({**OLD, **settings}))
    save_file(tensors, folder / "sae_weights.safetensors")
    return read(folder)


def test_saelens_of_before_version_6(tmp_path):
    """Then b_dec was taken off unless said otherwise, and TopK was an activation function."""
    source = saelens(tmp_path, {})
    assert source.loaded.architecture.centred
    assert both(source, [[3.0, 1.0]]).latents.tolist() == [[2, 1, 2]]
    source = saelens(tmp_path, {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 1}})
    assert source.loaded.architecture.sparsity == TopK(k=1)
    source = saelens(tmp_path, {"apply_b_dec_to_input": False})
    assert both(source, [[3.0, 1.0]]).latents.tolist() == [[3, 1, 3]]


def test_factors_of_finetuning_are_folded_into_the_decoder(tmp_path):
    settings = {"finetuning_scaling_factor": True}
    source = saelens(tmp_path, settings, scaling_factor=tensor([1, 1, 0.5]))
    found = both(source, [[3.0, 1.0]])
    assert found.latents.tolist() == [[2, 1, 2]]
    assert found.targets[0].tolist() == [[2 + 2 + 1, 1 + 2]]
    assert any("finetuning" in note for note in source.loaded.notes)


def test_scales_that_saelens_leaves_out_are_said(tmp_path):
    found = saelens(tmp_path, {"normalize_activations": "expected_average_only_in"}).loaded
    assert any("hold no scale" in note for note in found.notes)


@pytest.mark.parametrize("sparsity", SPARSITIES, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_formula_of_sondes_own_files_is_that_of_its_dictionaries(tmp_path, shape, sparsity):
    from sonde.activations.origin import Origin
    from sonde.dictionaries.artifact import save_dictionary

    made = architecture(shape, sparsity, (2, 4, 6), skip=shape not in ("SAE", "crosscoder"))
    if made.is_autoencoder:
        made = made.model_copy(update={"normalise": "constant_norm"})
    one = random(made)
    if isinstance(sparsity, BatchTopK):
        one(*rows(made))  # learns the threshold
    path = save_dictionary(one.float().eval(), tmp_path / "it.safetensors", Origin())
    assert read(path).loaded.architecture == made


def test_half_precision_is_said(tmp_path):
    source = saelens(tmp_path, {})
    tensors = load_file(tmp_path / "sae_weights.safetensors")
    save_file({k: v.bfloat16() for k, v in tensors.items()}, tmp_path / "sae_weights.safetensors")
    assert source.loaded.notes == ()
    assert "kept in bfloat16" in read(tmp_path).loaded.notes[0]


def test_scale_of_unit_norm_is_the_square_root_of_the_width():
    from sonde.dictionaries.normalising import row_scale

    x = torch.tensor([[3.0, 4.0, 0.0, 0.0]])
    found = row_scale(x, "constant_norm")
    assert math.isclose(float(found.there(x).norm()), 2.0, rel_tol=1e-6)
    torch.testing.assert_close(found.back(found.there(x)), x)
