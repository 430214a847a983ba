"""Run dictionaries by the libraries that they are written for; needs no sonde.

    <python of a peer> ask_dictionaries.py <library> <rows.safetensors> <folder>...

Rows hold one tensor a folder, under the folder's name. Each folder gets ``answer.safetensors``:
latents, and what the library makes of the rows.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

HEADS = 2


def saelens(folder):
    from sae_lens import SAE

    sae = SAE.load_from_disk(folder)
    if sae.cfg.reshape_activations != "hook_z":
        return sae.encode, sae

    def by_head(x):
        return x.unflatten(-1, (HEADS, -1))  # as hook_z is

    return lambda x: sae.encode(by_head(x)), lambda x: sae(by_head(x)).flatten(-2)


def sparsify(folder):
    from sparsify import SparseCoder

    coder = SparseCoder.load_from_disk(folder)

    def encode(x):
        acts, indices, _ = coder.encode(x)
        return torch.zeros(len(x), coder.num_latents).scatter(1, indices, acts)

    return encode, lambda x: coder(x).sae_out


def dictionary_learning(folder):
    from dictionary_learning.utils import load_dictionary

    found, config = load_dictionary(str(folder), device="cpu")
    name = config["trainer"]["dict_class"]
    if name == "AutoEncoder":  # the loader brings decoder rows to unit length; training does not
        found = type(found).from_pretrained(folder / "ae.pt", normalize_decoder=False)
    return found.encode, found


LIBRARIES = {
    "saelens": saelens,
    "sparsify": sparsify,
    "dictionary-learning": dictionary_learning,
}


@torch.no_grad()
def ask(library, folder, rows):
    """Return latents and what is made of rows."""
    encode, forward = LIBRARIES[library](folder)
    latents = encode(rows)
    return {"rows": rows, "latents": latents.contiguous(), "made": forward(rows).contiguous()}


def main():
    library, rows, *folders = sys.argv[1:]
    given = load_file(rows)
    for folder in map(Path, folders):
        save_file(ask(library, folder, given[folder.name]), folder / "answer.safetensors")


if __name__ == "__main__":
    main()
