"""Gradients of a dictionary that several processes share."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.parallel.share import Share


class WithLoss(nn.Module):
    """A dictionary and its loss as one module, since DDP adds up what a ``forward`` leads to.

    ``loss(dictionary, *arguments)`` is a mean over rows, with normalisers that hang on no batch:
    then the mean over processes of its gradients is the gradient of the whole batch.
    """

    def __init__(self, dictionary: Dictionary, loss: Callable[..., Any]) -> None:
        super().__init__()
        self.dictionary = dictionary
        self.loss = loss

    def forward(self, *arguments: Any) -> Any:
        """Return the loss."""
        return self.loss(self.dictionary, *arguments)


def data_parallel(module: WithLoss) -> nn.Module:
    """Return the module; under DDP where other processes have other rows of the batch.

    The gradients that its backward pass leaves are then the mean over these processes.
    """
    rows = module.dictionary.share.rows
    if rows.world == 1:
        return module
    from torch.nn.parallel import DistributedDataParallel

    return DistributedDataParallel(module, process_group=rows.group, gradient_as_bucket_view=True)


def local_parameters(dictionary: Dictionary) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the parameters of the latents that are here, and those that every process has."""
    of_latents = [one for block in dictionary.parts for one in block.parameters()]
    named = {id(one) for one in of_latents}
    return of_latents, [one for one in dictionary.parameters() if id(one) not in named]


@torch.no_grad()
def norm_of_gradients(dictionary: Dictionary) -> Float[Tensor, ""]:
    """Return the norm of all gradients together, of all latents, wherever these are."""
    share: Share = dictionary.share
    own, common = (_square(some) for some in local_parameters(dictionary))
    return (share.latents.sum(own) + common).sqrt()


def _square(parameters: Sequence[nn.Parameter]) -> Float[Tensor, ""]:
    """Return the squared norm of all their gradients together."""
    slopes = [one.grad for one in parameters if one.grad is not None]
    each = [torch.linalg.vector_norm(one).square() for one in slopes]
    return torch.stack(each).sum() if each else parameters[0].new_zeros(())
