"""Linear layers with weights laid out for the processor, for the time of many passes.

A processor multiplies batches of a hundred rows 10 to 50 % faster by weights in the order in which
oneDNN reads them. That order takes a copy of the weights, so it is for models that are small beside
a machine's memory, and for work that is long beside the time of copying. Sums are rounded otherwise
than in torch's own order.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sonde.models.model import Model

LARGEST = 2e9  # bytes of weights; fixed, so that what is computed does not hang on free memory
WORTH = 2_000  # tokens to be read; of fewer, copying takes much of what is gained


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """Linear layers, each with what replaces its ``forward``; none where nothing is gained."""

    layers: tuple[tuple[nn.Linear, Any], ...] = ()

    @contextmanager
    def applied(self) -> Generator[None]:
        """Let the layers use the packed weights while the block runs."""
        try:
            for layer, forward in self.layers:
                layer.forward = forward
            yield
        finally:
            for layer, _ in self.layers:
                layer.__dict__.pop("forward", None)


def packed(model: Model, n_tokens: int) -> Packed:
    """Pack a model's linear layers where that pays over ``n_tokens`` to be read.

    Layers that are not plain, or not float32 on a CPU, are left as they are.
    """
    layers = [
        module
        for module in model.hf.modules()
        if type(module) is nn.Linear
        and "forward" not in module.__dict__  # somebody else's already
        and module.weight.device.type == "cpu"
        and module.weight.dtype is torch.float32
    ]
    size = sum(layer.weight.numel() * layer.weight.itemsize for layer in layers)
    if n_tokens < WORTH or not 0 < size <= LARGEST or not torch.backends.mkldnn.is_available():
        return Packed()
    try:
        return Packed(tuple((layer, _forward(layer)) for layer in layers))
    except (AttributeError, RuntimeError):  # a build of torch without these operations
        return Packed()


def _forward(layer: nn.Linear) -> Any:
    rows = 128  # a hint: any number can be multiplied
    weight = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), rows)
    bias = None if layer.bias is None else layer.bias.detach()
    multiply = torch.ops.mkldnn._linear_pointwise
    multiply(layer.weight.new_zeros(1, layer.in_features), weight, bias, "none", [], "")

    def forward(x: Tensor) -> Tensor:
        return multiply(x, weight, bias, "none", [], "")

    return forward
