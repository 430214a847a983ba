"""Files that are damaged, incomplete, of other shapes, dangerous, or nothing at all."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sonde.core.errors import SondeError
from sonde.dictionaries.formats import read_dictionary
from sonde.dictionaries.formats.content import HookPoints
from sonde.dictionaries.formats.foreign_hooks import hook_point, input_of
from sonde.dictionaries.formats.recognising import recognised

GOLDEN = Path(__file__).parents[3] / "peers" / "dictionary_golden"
WEIGHTS = {
    "saelens-jumprelu": "sae_weights.safetensors",
    "sparsify-sae/layers.3": "sae.safetensors",
    "dictionary-learning-topk": "ae.pt",
    "gemma-scope-res/gemma-scope-2b-pt-res/layer_5/width_16k/average_l0_4": "params.npz",
    "gemma-scope-2-sae/resid_post/layer_5_width_16k_l0_small": "params.safetensors",
    "llama-scope/Llama3_1-8B-Base-L5R-8x": "checkpoints/final.safetensors",
}


@pytest.fixture(params=WEIGHTS, ids=lambda name: name.split("/")[0])
def there(request, tmp_path):
    """A folder as a library wrote it, and its weights' file."""
    folder = tmp_path / request.param
    shutil.copytree(GOLDEN / request.param, folder)
    return folder, folder / WEIGHTS[request.param]


def load(path):
    if path.suffix == ".npz":
        return {name: torch.from_numpy(one) for name, one in np.load(path).items()}
    return torch.load(path, weights_only=True) if path.suffix == ".pt" else load_file(path)


def save(tensors, path):
    if path.suffix == ".npz":
        np.savez(path, **{name: one.numpy() for name, one in tensors.items()})
    elif path.suffix == ".pt":
        torch.save(tensors, path)
    else:
        save_file(tensors, path)


def matrices(tensors):
    return [name for name, one in tensors.items() if one.ndim == 2]


def test_a_missing_an_unknown_and_a_misshapen_tensor_are_named(there):
    folder, path = there
    tensors = load(path)
    bias = next(name for name, one in tensors.items() if one.shape == (6,))
    more = {**tensors, "extra": torch.ones(2), bias: torch.ones(7)}
    last = next(name for name, one in tensors.items() if one.shape == (16,))
    more.pop(last)
    save(more, path)
    with pytest.raises(SondeError, match="does not hold the tensors of its format") as error:
        read_dictionary(str(folder))
    said = str(error.value)
    assert f"missing are {last}" in said and "unknown are extra" in said
    assert f"{bias} is [7] and should be [6]" in said


def test_a_missing_matrix_is_named(there):
    folder, path = there
    tensors = load(path)
    first = next(name for name in matrices(tensors) if "enc" in name)
    tensors.pop(first)
    save(tensors, path)
    with pytest.raises(SondeError, match=f"{first} is not there"):
        read_dictionary(str(folder))


def test_a_damaged_file_is_named(there):
    folder, path = there
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(SondeError, match="is not a"):
        read_dictionary(str(folder))


class Command:
    """What a pickle can do when it is read."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def test_nothing_in_a_pickle_is_run(tmp_path):
    marker = tmp_path / "it ran"
    shutil.copytree(GOLDEN / "dictionary-learning-topk", tmp_path / "it")
    for write in (torch.save, lambda one, path: path.write_bytes(pickle.dumps(one, protocol=2))):
        write({"encoder.weight": Command(marker)}, tmp_path / "it" / "ae.pt")
        with pytest.raises(SondeError, match="is not a file of plain tensors"):
            read_dictionary(str(tmp_path / "it"))
    np.savez(tmp_path / "params.npz", W_enc=np.array([Command(marker)], dtype=object))
    with pytest.raises(SondeError, match="is not a whole npz file"):
        read_dictionary(str(tmp_path / "params.npz"))
    assert not marker.exists()


def test_settings_that_are_unknown_are_named(tmp_path):
    def changed(case, file, **settings):
        folder = tmp_path / case.replace("/", "-") / "layers.3"
        shutil.rmtree(folder.parent, ignore_errors=True)
        shutil.copytree(GOLDEN / case, folder)
        given = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps({**given, **settings}))
        with pytest.raises(SondeError) as error:
            read_dictionary(str(folder))
        return str(error.value)

    topk, sparsify = "saelens-topk", "sparsify-sae/layers.3"
    assert "architecture 'temporal'" in changed(topk, "cfg.json", architecture="temporal")
    assert "is 'odd'; sonde knows none" in changed(topk, "cfg.json", normalize_activations="odd")
    assert "k is None" in changed(topk, "cfg.json", k=None)
    metadata = {"sae_lens_version": "6.0.0", "hook_name": "blocks.2.attn.hook_q"}
    assert "'blocks.2.attn.hook_q', which sonde" in changed(topk, "cfg.json", metadata=metadata)
    headed = {**metadata, "hook_name": "blocks.2.attn.hook_z", "hook_head_index": 3}
    assert "reads head 3 alone" in changed(topk, "cfg.json", metadata=headed)
    assert "the activation 'groupmax'" in changed(sparsify, "cfg.json", activation="groupmax")
    assert "says 17 latents" in changed(sparsify, "cfg.json", num_latents=17)
    learning = changed("dictionary-learning-topk", "config.json", trainer={"dict_class": "Odd"})
    assert "the class is 'Odd'" in learning
    scope = "llama-scope/Llama3_1-8B-Base-L5R-8x"
    said = changed(scope, "hyperparams.json", norm_activation="token-wise")
    assert "norm_activation is 'token-wise'" in said
    assert "gated linear encoder" in changed(scope, "hyperparams.json", use_glu_encoder=True)


def test_folders_of_several_dictionaries_name_them(tmp_path):
    for layer in (3, 4):
        shutil.copytree(GOLDEN / "sparsify-sae" / "layers.3", tmp_path / f"layers.{layer}")
    with pytest.raises(SondeError, match=r"holds 2 dictionaries: .*layers\.3, .*layers\.4"):
        recognised(tmp_path)
    with pytest.raises(SondeError, match="does not exist"):
        recognised(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SondeError, match="holds no dictionary of a format"):
        recognised(tmp_path / "empty")


def test_two_formats_in_one_folder_need_a_word(tmp_path):
    shutil.copytree(GOLDEN / "saelens-topk", tmp_path / "it")
    sparsify = GOLDEN / "sparsify-sae" / "layers.3" / "sae.safetensors"
    shutil.copy(sparsify, tmp_path / "it" / "sae.safetensors")
    with pytest.raises(SondeError, match=r"several formats: saelens, sparsify\. Say which"):
        read_dictionary(str(tmp_path / "it"))
    assert read_dictionary(str(tmp_path / "it"), format_name="saelens").architecture.d_sae == 16


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("blocks.8.hook_resid_pre", "blocks.8.resid_pre"),
        ("blocks.8.attn.hook_z", "blocks.8.head_out"),
        ("blocks.8.ln2.hook_normalized", "blocks.8.mlp_normed_ungained"),
        ("blocks.8.hook_mlp_in", "blocks.8.resid_mid"),
        ("blocks.8.mlp.hook_in", "blocks.8.mlp_normed"),
        ("layers.12", "blocks.12.resid_post"),
        ("layers.12.mlp", "blocks.12.mlp_module_out"),
        ("gpt_neox.layers.3", "blocks.3.resid_post"),
        ("transformer.h.3.mlp", "blocks.3.mlp_module_out"),
        ("model.layers.7.output", "blocks.7.resid_post"),
        ("model.language_model.layers.7.mlp.input", "blocks.7.mlp_normed"),
        ("model.layers.7.self_attn.o_proj.input", "blocks.7.head_out"),
    ],
)
def test_names_of_hook_points(theirs, ours):
    assert hook_point(theirs) == ours


def test_what_is_no_hook_point_is_named():
    with pytest.raises(SondeError, match="'embed_tokens', which sonde does not know"):
        hook_point("embed_tokens")
    assert input_of("blocks.3.mlp_module_out") == "blocks.3.mlp_normed"
    with pytest.raises(SondeError, match="is not one of sonde's hook points"):
        input_of("blocks.3.attn_out")


def test_a_transcoder_of_one_place_needs_two(tmp_path):
    shutil.copytree(GOLDEN / "sparsify-transcoder" / "layers.3.mlp", tmp_path / "mine")
    with pytest.raises(SondeError, match="'mine', which sonde does not know"):
        read_dictionary(str(tmp_path / "mine"))
    hooks = HookPoints(("blocks.3.mlp_normed",), ("blocks.3.mlp_out",))
    assert read_dictionary(str(tmp_path / "mine"), hooks=hooks).architecture.name == "transcoder"


@pytest.mark.parametrize("k", [0, 99])
@pytest.mark.parametrize(
    ("case", "file"),
    [
        ("saelens-topk", "cfg.json"),
        ("sparsify-sae/layers.3", "cfg.json"),
        ("dictionary-learning-topk", "ae.pt"),
        ("dictionary-learning-batchtopk", "ae.pt"),
        ("llama-scope/Llama3_1-8B-Base-L5R-8x", "hyperparams.json"),
    ],
)
def test_k_below_1_or_above_the_latents_is_said(tmp_path, case, file, k):
    folder = tmp_path / "layers.3"
    shutil.copytree(GOLDEN / case, folder)
    path = folder / file
    if file == "ae.pt":
        torch.save({**load(path), "k": torch.tensor(k)}, path)
    else:
        changed = {"k": k, "act_fn": "topk", "top_k": k, "jump_relu_threshold": 0}
        path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    said = rf"k is {k}, (not a whole number of at least 1|and there are 16 latents)\. Check that"
    with pytest.raises(SondeError, match=said):
        read_dictionary(str(folder))


def test_groups_that_do_not_add_up_are_said(tmp_path):
    folder = tmp_path / "it"
    shutil.copytree(GOLDEN / "dictionary-learning-matryoshka", folder)
    sizes = {"group_sizes": torch.tensor([4, 4])}
    torch.save({**load(folder / "ae.pt"), **sizes}, folder / "ae.pt")
    with pytest.raises(SondeError, match=r"the groups add up to 8 .* there are 16 latents\. Check"):
        read_dictionary(str(folder))


@pytest.mark.parametrize(("k", "said"), [(0, "the activation is 'TopK'"), (9, "k is 9, and there")])
def test_k_of_openai_is_said(tmp_path, k, said):
    state = {"encoder.weight": torch.eye(3), "decoder.weight": torch.eye(3)}
    state |= {"pre_bias": torch.zeros(3), "latent_bias": torch.zeros(3), "activation": "TopK"}
    state["activation_state_dict"] = {"k": k, "postact_fn": "ReLU"}
    path = tmp_path / "resid_post_mlp_v5_32k" / "8.pt"
    path.parent.mkdir()
    torch.save(state, path)
    with pytest.raises(SondeError, match=said):
        read_dictionary(str(path))
