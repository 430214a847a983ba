"""Make golden files with SAELens: its own dictionaries, and other formats through its loaders.

    <python of the peer> golden_saelens.py <folder>

Run by ``make_dictionary_golden.py``; needs no sonde.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from ask_dictionaries import ask
from sae_lens.loading import pretrained_sae_loaders as loaders
from sae_lens.registry import get_sae_class, get_sae_training_class
from safetensors.torch import save_file

D, LATENTS, ROWS = 6, 16, 5
HOOK, OUT = "blocks.3.hook_resid_pre", "blocks.3.hook_mlp_out"
HEADS = "blocks.3.attn.hook_z"
CASES = {
    "standard": ("standard", {}),
    "standard-uncentred": ("standard", {"apply_b_dec_to_input": False}),
    "standard-layer-norm": ("standard", {"normalize_activations": "layer_norm"}),
    "standard-constant-norm": ("standard", {"normalize_activations": "constant_norm_rescale"}),
    "topk": ("topk", {"k": 4}),
    "topk-uncentred": ("topk", {"k": 4, "apply_b_dec_to_input": False}),
    "topk-rescaled": ("topk", {"k": 4, "rescale_acts_by_decoder_norm": True}),
    "jumprelu": ("jumprelu", {}),
    "jumprelu-uncentred": ("jumprelu", {"apply_b_dec_to_input": False}),
    "gated": ("gated", {}),
    "transcoder": ("transcoder", {}),
    "transcoder-layer-norm": ("transcoder", {"normalize_activations": "layer_norm"}),
    "skip-transcoder": ("skip_transcoder", {}),
    "jumprelu-transcoder": ("jumprelu_transcoder", {}),
    "jumprelu-skip-transcoder": ("jumprelu_skip_transcoder", {}),
}
TRAINED = {
    "batchtopk": ("batchtopk", {"k": 4}),
    "matryoshka": ("matryoshka_batchtopk", {"k": 4, "matryoshka_widths": [4, 8, LATENTS]}),
}


def randomise(sae):
    """Give every parameter numbers, and thresholds that some pre-activations pass."""
    for name, one in sae.state_dict().items():
        drawn = torch.randn_like(one)
        one.copy_(0.3 + 0.5 * torch.rand_like(one) if "threshold" in name else drawn)


def made(name, settings, find):
    sae_class, config_class = find(name)
    transcodes = name.endswith("transcoder")
    if transcodes:
        settings = {"d_out": D, "apply_b_dec_to_input": False, **settings}
    config = config_class(d_in=D, d_sae=LATENTS, **settings)
    config.metadata.hook_name = HEADS if config.reshape_activations == "hook_z" else HOOK
    config.metadata.model_name = "tiny"
    if transcodes:
        config.metadata.hook_name_out = OUT
    sae = sae_class(config)
    randomise(sae)
    return sae


def own(folder):
    for case, (name, settings) in CASES.items():
        made(name, settings, get_sae_class).save_model(folder / f"saelens-{case}")
        record(folder / f"saelens-{case}")
    for case, (name, settings) in TRAINED.items():
        trained = made(name, settings, get_sae_training_class)
        trained.save_inference_model(folder / f"saelens-{case}")
        record(folder / f"saelens-{case}")


def of_heads(folder):
    settings = {"reshape_activations": "hook_z"}
    made("jumprelu", settings, get_sae_class).save_model(folder / "saelens-hook-z")
    record(folder / "saelens-hook-z")


def record(folder):
    found = ask("saelens", folder, 2 * torch.randn(ROWS, D))
    save_file(found, folder / "golden.safetensors")


def of_loader(loader, root, inside, repository, changes):
    """Run a loader of SAELens on files here instead of the hub's, and what it loads on rows."""
    loaders.hf_hub_download = lambda repo_id, filename, subfolder="", **_: str(
        root / subfolder / filename
    )
    loaders.get_safetensors_tensor_shapes = lambda _, filename: shapes(root / filename)
    config, state, _ = loader(repository, inside, "cpu", False, changes)
    config = loaders.handle_config_defaulting(config)
    sae_class, config_class = get_sae_class(config["architecture"])
    sae = sae_class(config_class.from_dict(config))
    sae.load_state_dict(state)
    return sae


def shapes(path):
    from safetensors.torch import load_file

    return {name: list(one.shape) for name, one in load_file(path).items()}


def jumping(prefix):
    return {
        f"{prefix}_enc": torch.randn(D, LATENTS),
        f"{prefix}_dec": torch.randn(LATENTS, D),
        "b_enc": torch.randn(LATENTS),
        "b_dec": torch.randn(D),
        "threshold": 0.3 + torch.rand(LATENTS),
    }


def gemma_scope(folder):
    changes = {"d_in": D, "d_sae": LATENTS}
    for kind, loader in (
        ("res", loaders.gemma_2_sae_huggingface_loader),
        ("transcoders", loaders.gemma_2_transcoder_huggingface_loader),
    ):
        repository = f"gemma-scope-2b-pt-{kind}"
        root = folder / f"gemma-scope-{kind}" / repository
        inside = "layer_5/width_16k/average_l0_4"
        (root / inside).mkdir(parents=True)
        arrays = {name: one.numpy() for name, one in jumping("W").items()}
        np.savez(root / inside / "params.npz", **arrays)
        beside = {**changes, "d_out": D} if kind == "transcoders" else changes
        sae = of_loader(loader, root, inside, f"google/{repository}", beside)
        record_sae(sae, root / inside)


def gemma_scope_2(folder):
    for case, inside, extra in (
        ("sae", "resid_post/layer_5_width_16k_l0_small", {}),
        ("transcoder", "transcoder/layer_5_width_16k_l0_small_affine", {"affine": True}),
    ):
        root = folder / f"gemma-scope-2-{case}"
        (root / inside).mkdir(parents=True)
        tensors = jumping("w")
        settings = {
            "architecture": "jump_relu",
            "model_name": "gemma-v3-1b-pt",
            "hf_hook_point_in": "model.layers.5.output",
        }
        if extra:
            tensors["affine_skip_connection"] = torch.randn(D, D)
            settings |= {
                "hf_hook_point_in": "model.layers.5.pre_feedforward_layernorm.output",
                "hf_hook_point_out": "model.layers.5.post_feedforward_layernorm.output",
                "affine_connection": True,
            }
        save_file(tensors, root / inside / "params.safetensors")
        (root / inside / "config.json").write_text(json.dumps(settings))
        loader = loaders.gemma_3_sae_huggingface_loader
        record_sae(of_loader(loader, root, inside, "google/gemma-scope-2-1b-pt", {}), root / inside)


def llama_scope(folder):
    """Decoder rows have unit length: SAELens' loader leaves norms out that others would have."""
    root, inside = folder / "llama-scope", "Llama3_1-8B-Base-L5R-8x"
    (root / inside / "checkpoints").mkdir(parents=True)
    decoder = torch.randn(D, LATENTS)
    tensors = {
        "encoder.weight": torch.randn(LATENTS, D),
        "encoder.bias": torch.randn(LATENTS),
        "decoder.weight": decoder / decoder.norm(dim=0),
        "decoder.bias": torch.randn(D),
    }
    mean = 1.7
    settings = {
        "d_model": D,
        "d_sae": LATENTS,
        "act_fn": "jumprelu",
        "jump_relu_threshold": 0.4,
        "norm_activation": "dataset-wise",
        "dataset_average_activation_norm": {"in": mean, "out": mean},
        "sparsity_include_decoder_norm": True,
        "apply_decoder_bias_to_pre_encoder": False,
        "hook_point_in": "blocks.5.hook_resid_post",
        "hook_point_out": "blocks.5.hook_resid_post",
    }
    save_file(tensors, root / inside / "checkpoints" / "final.safetensors")
    (root / inside / "hyperparams.json").write_text(json.dumps(settings))
    loader = loaders.llama_scope_sae_huggingface_loader
    sae = of_loader(loader, root, inside, "fnlp/Llama3_1-8B-Base-LXR-8x", {"dtype": "float32"})
    sae.fold_activation_norm_scaling_factor(D**0.5 / mean)
    record_sae(sae, root / inside)


@torch.no_grad()
def record_sae(sae, folder):
    rows = 2 * torch.randn(ROWS, D)
    found = {"rows": rows, "latents": sae.encode(rows), "made": sae(rows)}
    save_file(
        {name: one.contiguous() for name, one in found.items()}, folder / "golden.safetensors"
    )


def main():
    folder = Path(sys.argv[1])
    torch.manual_seed(0)
    with torch.no_grad():
        own(folder)
        gemma_scope(folder)
        gemma_scope_2(folder)
        llama_scope(folder)
        of_heads(folder)  # last, so that the others stay as they were


main()
