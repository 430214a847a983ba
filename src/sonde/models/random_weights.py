"""Models with random weights, at real or tiny size: controls, and benchmarks without downloads."""

from pathlib import Path
from typing import Any

import torch

from sonde.core.errors import SondeError
from sonde.models.checkpoint import build_empty, read_tensor

INITIALISATION = 1  # raised when the same seed would give other weights


def draw(
    config: Any, *, family: str | None, dtype: torch.dtype, device: torch.device, seed: int
) -> Any:
    """Build a model with random weights.

    A tiny model of a family also has random gains and biases, so that a mistake about them shows.
    The same seed gives the same weights on the same kind of device. torch's global random state
    is left as it was.
    """
    if family is None:
        return _draw_as_trained(config, dtype=dtype, device=device, seed=seed)
    from sonde.models.tiny import tiny_hf

    return tiny_hf(family, seed=seed).to(device=device, dtype=dtype).requires_grad_(False)


def _draw_as_trained(config: Any, *, dtype: torch.dtype, device: torch.device, seed: int) -> Any:
    """Draw the weights that training of this family starts from.

    Every weight is drawn once, straight in its dtype, on its device; building the model the plain
    way would draw each matrix twice.
    """
    hf = build_empty(config, dtype=dtype, device=device)
    head, embeddings = hf.get_output_embeddings(), hf.get_input_embeddings()
    if head is not None and head.weight is embeddings.weight:
        head._is_hf_initialized = True  # one matrix, drawn with the embeddings
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        hf.initialize_weights()
    return hf.requires_grad_(False).eval()


def embedding_suffix(hf: Any) -> str:
    """Return the end of the name of the token embeddings' weight, such as ``wte.weight``.

    Checkpoints and models put different prefixes before it.
    """
    embeddings = hf.get_input_embeddings()
    name = next(name for name, module in hf.named_modules() if module is embeddings)
    return f"{name.rsplit('.', 1)[-1]}.weight"


@torch.no_grad()
def put_embeddings(hf: Any, folder: Path, where: str) -> None:
    """Put real token embeddings into a random model (and into its head, where that is tied).

    Raises:
        SondeError: the folder has none, or of another shape.
    """
    real = read_tensor(folder, embedding_suffix(hf))
    weight = hf.get_input_embeddings().weight
    if real.shape != weight.shape:
        raise SondeError(
            f"{where} has embeddings of shape {list(real.shape)}, and the model's are "
            f"{list(weight.shape)}.",
            fix="Use a checkpoint and a configuration of the same model.",
        )
    weight.copy_(real)
