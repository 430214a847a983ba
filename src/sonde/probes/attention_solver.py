"""A learnt attention over the tokens of an example, at every layer, repetition and penalty at once.

For one example with tokens x_1 … x_T and heads h,

    score = sum_h sum_t a_ht (v_h · x_t) + b,   a_h = softmax over t of (q_h · x_t),

as in McKenzie et al. (2025, "Detecting high-stakes interactions with activation probes", one head)
and Shabalin and Belrose (2025, "Attention probes", several). There is no scaling by the width: the
inputs are standardised and the query is learnt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.probes.network_solver import NetworkSolver, Schedule
from sonde.probes.networks import Inputs, Parameters, Weight
from sonde.probes.reader import fields_of
from sonde.probes.settings.networks import AttentionSettings
from sonde.probes.solver import Prepare
from sonde.probes.tokens import by_token


@dataclass(frozen=True, slots=True)
class Attention:
    """Queries ``[head, d_model]``, values ``[output, head, d_model]`` and an intercept.

    The values start at 0, so every network begins with one answer for all; the queries at random,
    a tenth of what would make their logits vary by 1, so it begins close to the mean of the tokens
    and heads can part.
    """

    heads: int

    pools: ClassVar[bool] = True

    @property
    def settled(self) -> int:
        """The first epoch: it is computed alike in all."""
        return 0

    def weights(self, d_model: int, outputs: int) -> tuple[Weight, ...]:
        """Describe the queries, the values and the intercept."""
        return (
            Weight((self.heads, d_model), d_model, 0.1 / d_model**0.5),
            Weight((outputs, self.heads, d_model), d_model),
            Weight((outputs,), intercept=True),
        )

    def __call__(
        self, parameters: Parameters, inputs: Inputs, epoch: int | None
    ) -> Float[Tensor, "layer column example output"]:
        """Read every example."""
        query, value, bias = parameters
        columns, outputs = value.shape[1:3]
        both = torch.cat([query[:, :, None], value], dim=2)  # one product for queries and values
        rows = both.flatten(1, 3) @ inputs.z.mT
        each, there = by_token(rows, inputs.tokens)
        each = each.unflatten(1, (columns, outputs + 1, self.heads))
        weight = each[:, :, :1].masked_fill(~there, -torch.inf).softmax(dim=-1)
        said = (weight * each[:, :, 1:]).sum(dim=(3, 5))  # [layer, column, output, example]
        return (said + bias[..., None]).mT


@dataclass(frozen=True, slots=True, eq=False)
class AttentionReader:
    """Queries, values and intercept for raw activations; the standardisation is folded in.

    A query's product with the mean is the same for each token, so attention is blind to it.
    """

    query: Float[Tensor, "head d_model"]
    value: Float[Tensor, "output head d_model"]
    bias: Float[Tensor, " output"]
    mean: Float[Tensor, " d_model"]
    scale: Float[Tensor, " d_model"]

    name: ClassVar[str] = "attention"
    pools: ClassVar[bool] = True

    @classmethod
    def fold(
        cls,
        tensors: tuple[Tensor, ...],
        mean: Float[Tensor, " d_model"],
        scale: Float[Tensor, " d_model"],
    ) -> "AttentionReader":
        """Fold the standardisation into a network of standardised activations."""
        query, value, bias = tensors
        raw = value / scale
        # Each head's weights add up to 1, so each head's value loses its product with the mean.
        return cls(query / scale, raw, bias - (raw @ mean).sum(dim=1), mean, scale)

    def attention(self, x: Float[Tensor, "row d_model"]) -> Float[Tensor, "row head"]:
        """Return how much each head attends to each token of one example; each head's sum is 1."""
        return (x.to(torch.float64) @ self.query.to(x.device).T).softmax(dim=0)

    def tokens(self, x: Float[Tensor, "row d_model"]) -> Float[Tensor, "row output"]:
        """Return what each token adds to the example's score, which is their sum and the bias."""
        value = torch.einsum("rd,ohd->roh", x.to(torch.float64), self.value.to(x.device))
        return (self.attention(x)[:, None] * value).sum(dim=2)

    def shares(self, x: Float[Tensor, "row d_model"]) -> Float[Tensor, "row output"]:
        """Return each token's share of the example's score, which is their sum and ``offset``.

        ``sum_h attention_h value_h . (x - mean)``: a token that is not attended to, or is like the
        mean of the training rows, has none.
        """
        middle = torch.einsum("ohd,d->oh", self.value, self.mean).to(x.device)
        return self.tokens(x) - torch.einsum("rh,oh->ro", self.attention(x), middle)

    @property
    def offset(self) -> Float[Tensor, " output"]:
        """What the score of an example is whose tokens are all the mean of the training rows."""
        return self.bias + torch.einsum("ohd,d->o", self.value, self.mean)

    def __call__(self, x: Float[Tensor, "row d_model"]) -> Float[Tensor, "row output"]:
        """Read the tokens of one example; its score stands at each of them."""
        said = self.tokens(x).sum(dim=0) + self.bias.to(x.device)
        return said.expand(len(x), -1)

    def tensors(self) -> dict[str, Tensor]:
        """Return queries, values, bias, and mean and scale."""
        return fields_of(self)

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "AttentionReader":
        """Make it again."""
        return cls(**tensors)


def attention_solver(settings: AttentionSettings) -> Prepare:
    """Prepare attention over the tokens of each example, trained as ``networks`` says."""
    schedule = Schedule.of(settings)
    network = Attention(settings.heads)
    return lambda problem: NetworkSolver(
        problem, network, settings.fitted, schedule, AttentionReader.fold
    )
