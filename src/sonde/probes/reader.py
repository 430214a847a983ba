"""Fitted maps of raw activations: what a probe is made of, and all that its file holds."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Reader(Protocol):
    """A fitted map of raw activations to one number or several; safe tensors only.

    ``name`` is its tag in a saved probe's header. Where ``pools`` is True the rows given are those
    of one example in the order of its tokens, read together, and the answer stands at each of them.
    ``tensors`` has ``mean`` and ``scale`` ``[d_model]``, those of the training rows, among others.
    """

    name: ClassVar[str]
    pools: ClassVar[bool]

    def __call__(self, x: Float[Tensor, "row d_model"]) -> Float[Tensor, "row output"]:
        """Read raw activations: logits, or numbers."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Return everything that was fitted, by name."""
        ...

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "Reader":
        """Make the reader again of its tensors."""
        ...


def on_host(reader: Reader) -> Reader:
    """Return a reader whose tensors lie in the host's memory, wherever it was fitted."""
    tensors = reader.tensors()
    if all(tensor.device.type == "cpu" for tensor in tensors.values()):
        return reader
    return type(reader).of({name: tensor.cpu() for name, tensor in tensors.items()})


def fields_of(reader: Any) -> dict[str, Tensor]:
    """Return the fields of a reader all of which are tensors."""
    return {field.name: getattr(reader, field.name) for field in fields(reader)}


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """``x @ weight.T + bias``; the standardisation by ``mean`` and ``scale`` is folded in."""

    weight: Float[Tensor, "output d_model"]
    bias: Float[Tensor, " output"]
    mean: Float[Tensor, " d_model"]
    scale: Float[Tensor, " d_model"]

    name: ClassVar[str] = "linear"
    pools: ClassVar[bool] = False

    def __call__(self, x: Float[Tensor, "row d_model"]) -> Float[Tensor, "row output"]:
        """Read raw activations, in float64."""
        return x.to(torch.float64) @ self.weight.to(x.device).T + self.bias.to(x.device)

    def tensors(self) -> dict[str, Tensor]:
        """Return weight, bias, mean and scale."""
        return fields_of(self)

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "Linear":
        """Make it again; a weight of one output may have been written as a vector."""
        weight, bias = tensors["weight"], tensors["bias"]
        if weight.ndim == 1:
            weight = weight[None]
        return cls(weight, bias, tensors["mean"], tensors["scale"])


def folded(
    weight: Float[Tensor, "layer output d_model"],
    bias: Float[Tensor, "layer output"],
    mean: Float[Tensor, "layer d_model"],
    scale: Float[Tensor, "layer d_model"],
) -> tuple[Linear, ...]:
    """Fold the standardisation into fits on standardised activations, one a layer."""
    raw = weight / scale[:, None]
    moved = bias - torch.einsum("lod,ld->lo", raw, mean)
    return tuple(Linear(*one) for one in zip(raw, moved, mean, scale, strict=True))


def read_rows(
    reader: Reader, x: Float[Tensor, "row d_model"], example: Int[Tensor, " row"]
) -> Float[Tensor, "row output"]:
    """Read rows of several examples: all at once, or each example's together where they pool.

    Rows of one example follow one another.
    """
    if not reader.pools or not len(x):
        return reader(x)
    _, sizes = torch.unique_consecutive(example, return_counts=True)
    return torch.cat([reader(rows) for rows in x.split(sizes.tolist())])
