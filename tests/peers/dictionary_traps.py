"""What was read in other libraries' code, tried on the libraries themselves; needs no sonde.

    <python of a peer> dictionary_traps.py saelens|sparsify <folder of golden files>

Writes the findings to standard output as JSON.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file


def jaccard(one, two):
    both, either = (one & two).sum(1), (one | two).sum(1)
    return float((both / either).mean())


def sparsify_file_in_saelens(golden, scratch, **settings):
    """Load a file of sparsify by SAELens' loader; say how far what is active agrees."""
    from sae_lens import SAE
    from sae_lens.loading.pretrained_sae_loaders import sparsify_disk_loader

    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(golden, scratch)
    config = json.loads((scratch / "cfg.json").read_text())
    (scratch / "cfg.json").write_text(json.dumps({**config, **settings}))
    try:
        sae = SAE.load_from_disk(scratch, dtype="float32", converter=sparsify_disk_loader)
    except RuntimeError as error:
        return {"refused": " ".join(str(error).split())[:200]}
    found = load_file(scratch / "golden.safetensors")
    return {
        "architecture": sae.cfg.architecture(),
        "apply_b_dec_to_input": sae.cfg.apply_b_dec_to_input,
        "shape of W_dec": list(sae.W_dec.shape),
        "jaccard": jaccard(sae.encode(found["rows"]) != 0, found["latents"] != 0),
    }


def llama_scope_in_saelens(root, inside):
    """Which latents SAELens' loader of Llama Scope makes active, as 0 and 1."""
    from sae_lens.loading import pretrained_sae_loaders as loaders
    from sae_lens.registry import get_sae_class

    loaders.hf_hub_download = lambda repo_id, filename, subfolder="", **_: str(
        root / subfolder / filename
    )
    changes = {"dtype": "float32"}
    config, state, _ = loaders.llama_scope_sae_huggingface_loader("", inside, "cpu", False, changes)
    sae_class, config_class = get_sae_class(config["architecture"])
    sae = sae_class(config_class.from_dict(loaders.handle_config_defaulting(config)))
    sae.load_state_dict(state)
    means = json.loads((root / inside / "hyperparams.json").read_text())
    scale = sae.cfg.d_in**0.5 / means["dataset_average_activation_norm"]["in"]
    sae.fold_activation_norm_scaling_factor(scale)
    rows = load_file(root / inside / "golden.safetensors")["rows"]
    return (sae.encode(rows) != 0).int().tolist()


@torch.no_grad()
def saelens(golden):
    scratch = golden.parent / "scratch" / "layers.3"
    square = golden.parent / "square" / "layers.3"
    return {
        "sparsify, decoder normalised": sparsify_file_in_saelens(
            golden / "sparsify-sae" / "layers.3", scratch
        ),
        "the same with as many latents as the width": sparsify_file_in_saelens(
            square, scratch, normalize_decoder=True
        ),
        "and with normalize_decoder false": sparsify_file_in_saelens(
            square, scratch, normalize_decoder=False
        ),
        "explained variance": explained_variance(),
        "llama scope": llama_scope_in_saelens(
            golden.parent / "llama-scope", "Llama3_1-8B-Base-L5R-8x"
        ),
    }


def explained_variance():
    from sae_lens.evals import ExplainedVarianceCalculator

    torch.manual_seed(0)
    x = torch.randn(4096, 16)
    made = x + 0.5 * torch.randn(4096, 16)
    found = {}
    for name, scale, shift in (("as it is", 1, 0), ("10 times", 10, 0), ("shifted by 10", 1, 10)):
        calculator = ExplainedVarianceCalculator()
        calculator.add_batch(scale * made + shift, scale * x + shift)
        found[name] = calculator.compute()
    return found


def sparsify(golden):
    """Whether AuxK, the loss of dead latents, moves their encoder rows."""
    from sparsify import SparseCoder

    torch.manual_seed(0)
    coder = SparseCoder.load_from_disk(golden / "sparsify-sae" / "layers.3")
    x = torch.randn(32, coder.d_in)
    _, indices, _ = coder.encode(x)
    dead = torch.ones(coder.num_latents, dtype=torch.bool)
    dead[: coder.num_latents // 2] = False
    coder(x, dead_mask=dead).auxk_loss.backward()
    encoder = coder.encoder.weight.grad
    return {
        "gradient of the encoder": 0.0 if encoder is None else float(encoder.norm()),
        "gradient of dead latents' decoder rows": float(coder.W_dec.grad[dead].norm()),
        "active latents": int(indices.unique().numel()),
    }


FINDINGS = {"saelens": saelens, "sparsify": sparsify}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(FINDINGS[sys.argv[1]](Path(sys.argv[2]))) + "\n")
