"""Make golden files with sparsify: SAE, transcoder, skip transcoder.

    <python of the peer> golden_sparsify.py <folder>

Run by ``make_dictionary_golden.py``; needs no sonde.
"""

import sys
from pathlib import Path

import torch
from ask_dictionaries import ask
from safetensors.torch import save_file
from sparsify import SparseCoder, SparseCoderConfig

D, LATENTS, ROWS = 6, 16, 5
CASES = {
    "sae": ("layers.3", {"num_latents": LATENTS}),
    "expansion": ("layers.3", {"num_latents": 0, "expansion_factor": 2}),
    "transcoder": ("layers.3.mlp", {"num_latents": LATENTS, "transcode": True}),
    "skip": (
        "layers.3.mlp",
        {"num_latents": LATENTS, "transcode": True, "skip_connection": True},
    ),
}


def main():
    torch.manual_seed(1)
    for case, (name, settings) in CASES.items():
        coder = SparseCoder(D, SparseCoderConfig(k=4, **settings))
        with torch.no_grad():
            for one in coder.parameters():
                one.copy_(torch.randn_like(one))
        folder = Path(sys.argv[1]) / f"sparsify-{case}" / name
        coder.save_to_disk(folder)
        found = ask("sparsify", folder, 2 * torch.randn(ROWS, D))
        save_file(found, folder / "golden.safetensors")


main()
