"""The optimisers, their states as flat tensors, and decoder rows of length 1."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.training.settings import Adam, Optimiser

INT = ":int"  # behind the name of what is no tensor, as 8-bit Adam's number of steps


def optimisers_of(dictionary: Dictionary, settings: Optimiser) -> list[torch.optim.Optimizer]:
    """Make the optimisers of a dictionary; Muon has a second one for what is no matrix.

    What they need of the machine is for ``check_machine`` to say.
    """
    everything = list(dictionary.parameters())
    if isinstance(settings, Adam):
        return [_adam(everything, settings)]
    matrices = [one for block in dictionary.parts for one in (block.encoder, block.decoder)]
    named = {id(one) for one in matrices}
    rest = [one for one in everything if id(one) not in named]
    muon = torch.optim.Muon(
        matrices, momentum=settings.momentum, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
    )
    return [muon, _adam(rest, Adam(betas=settings.betas))]


def _adam(parameters: Sequence[nn.Parameter], settings: Adam) -> torch.optim.Optimizer:
    betas, eps = settings.betas, settings.eps
    if not settings.eight_bit:
        return torch.optim.Adam(parameters, betas=betas, eps=eps, fused=True)
    from bitsandbytes.optim import Adam8bit  # pyright: ignore[reportMissingImports]

    return Adam8bit(parameters, betas=betas, eps=eps)


def set_learning_rate(optimisers: Iterable[torch.optim.Optimizer], lr: float) -> None:
    """Give the next step its learning rate."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = lr


def state_of(optimisers: Sequence[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """Return the optimisers' states as ``<optimiser>.<parameter>.<name>``, ints as tensors.

    Read without ``state_dict``, in which bitsandbytes wraps moments or casts them, by version.
    """
    return {
        f"{owner}.{name}" + ("" if isinstance(value, Tensor) else INT): torch.as_tensor(value)
        for owner, optimiser, parameter in _owned(optimisers)
        for name, value in optimiser.state.get(parameter, {}).items()
    }


def load_state(optimisers: Sequence[torch.optim.Optimizer], state: dict[str, Tensor]) -> None:
    """Put back what ``state_of`` returned: the same types, beside their parameters."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in state.items():
        number, index, name = key.split(".", 2)
        is_int = name.endswith(INT)
        values = found.setdefault(f"{number}.{index}", {})
        values[name.removesuffix(INT)] = value.item() if is_int else value
    for owner, optimiser, parameter in _owned(optimisers):
        optimiser.state.pop(parameter, None)
        if owner in found:
            optimiser.state[parameter] = {
                name: one.to(parameter.device) if isinstance(one, Tensor) else one
                for name, one in found[owner].items()
            }


def _owned(
    optimisers: Sequence[torch.optim.Optimizer],
) -> Iterator[tuple[str, torch.optim.Optimizer, nn.Parameter]]:
    """Yield every parameter with its optimiser, and the numbers of both."""
    for number, optimiser in enumerate(optimisers):
        parameters = [one for group in optimiser.param_groups for one in group["params"]]
        for index, parameter in enumerate(parameters):
            yield f"{number}.{index}", optimiser, parameter


@torch.no_grad()
def take_out_lengthening(dictionary: Dictionary) -> None:
    """Take the part along each decoder row, of length 1, out of its gradient.

    What is left turns the row; Adam's moments then know nothing of lengths.
    """
    for block in dictionary.parts:
        slope, row = block.decoder.grad, block.decoder
        if slope is not None:
            slope.addcmul_(row, torch.linalg.vecdot(slope, row)[:, None], value=-1)


@torch.no_grad()
def make_unit(dictionary: Dictionary) -> None:
    """Bring every decoder row back to length 1."""
    for block in dictionary.parts:
        norm = torch.linalg.vector_norm(block.decoder, dim=1, keepdim=True)
        block.decoder.div_(norm.clamp(min=torch.finfo(norm.dtype).tiny))


@torch.no_grad()
def clip_gradients(
    parameters: Iterable[nn.Parameter], most: float, total: Tensor | None = None
) -> Tensor:
    """Scale all gradients so that their common norm is at most ``most``; return the norm before.

    ``total`` is that norm where it is known, such as that of a dictionary which processes share.
    """
    slopes = [one.grad for one in parameters if one.grad is not None]
    if total is None:
        total = torch.stack([torch.linalg.vector_norm(one) for one in slopes]).norm()
    if slopes[0].is_cuda:  # without waiting for the device
        share = (most / total).clamp(max=1.0)
        for slope in slopes:
            slope.mul_(share)
    elif total > most:
        for slope in slopes:
            slope.mul_(most / float(total))
    return total


@torch.no_grad()
def forget_rows(
    optimisers: Iterable[torch.optim.Optimizer], dictionary: Dictionary, latents: Sequence[Tensor]
) -> None:
    """Set the moments of some latents of each block to 0."""
    of_latents: dict[Tensor, Tensor] = {
        parameter: among
        for block, among in zip(dictionary.parts, latents, strict=True)
        for parameter in block.parameters()
    }
    for optimiser in optimisers:
        for parameter, values in optimiser.state.items():
            among = of_latents.get(parameter)
            if among is None or not len(among):
                continue
            for value in values.values():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    value[among] = 0.0
