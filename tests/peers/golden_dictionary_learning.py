"""Make golden files with dictionary_learning: each of its classes, saved as its trainers do.

    <python of the peer> golden_dictionary_learning.py <folder>

Run by ``make_dictionary_golden.py``; needs no sonde.
"""

import json
import sys
from pathlib import Path

import torch
from ask_dictionaries import ask
from dictionary_learning import dictionary as classes
from dictionary_learning.trainers.batch_top_k import BatchTopKSAE
from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKSAE
from dictionary_learning.trainers.top_k import AutoEncoderTopK
from safetensors.torch import save_file

D, LATENTS, ROWS = 6, 16, 5
MADE = {
    "relu": lambda: classes.AutoEncoder(D, LATENTS),
    "relu-new": lambda: classes.AutoEncoderNew(D, LATENTS),
    "gated": lambda: classes.GatedAutoEncoder(D, LATENTS),
    "jumprelu": lambda: classes.JumpReluAutoEncoder(D, LATENTS),
    "topk": lambda: AutoEncoderTopK(D, LATENTS, 4),
    "batchtopk": lambda: BatchTopKSAE(D, LATENTS, 4),
    "matryoshka": lambda: MatryoshkaBatchTopKSAE(D, LATENTS, 4, [4, 4, 8]),
}


def main():
    torch.manual_seed(2)
    for case, make in MADE.items():
        found = make()
        with torch.no_grad():
            for name, one in found.state_dict().items():
                if name == "threshold":
                    one.copy_(0.5 + 0.5 * torch.rand_like(one))
                elif one.is_floating_point():
                    one.copy_(torch.randn_like(one))
        folder = Path(sys.argv[1]) / f"dictionary-learning-{case}"
        folder.mkdir(parents=True)
        torch.save(found.state_dict(), folder / "ae.pt")
        trainer = {
            "dict_class": type(found).__name__,
            "activation_dim": D,
            "dict_size": LATENTS,
            "k": 4,
            "layer": 3,
            "lm_name": "EleutherAI/pythia-70m-deduped",
            "submodule_name": "resid_post_layer_3",
        }
        (folder / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {}}))
        answer = ask("dictionary-learning", folder, 2 * torch.randn(ROWS, D))
        save_file(answer, folder / "golden.safetensors")


main()
