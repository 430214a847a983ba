"""What networks are to say: answers, their loss, and where the outputs begin."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# Log-odds of the second of two classes; one logit a class; numbers.
Fitted: TypeAlias = Literal["two_classes", "classes", "numbers"]


def logit_loss(
    said: Float[Tensor, "layer column example output"],
    y: Float[Tensor, "column example output"],
) -> Float[Tensor, "layer column"]:
    """Mean log-loss of two classes: log(1 + exp(f)) - y f, in nats."""
    return (torch.nn.functional.softplus(said) - y * said).mean(dim=(2, 3))


def class_loss(
    said: Float[Tensor, "layer column example output"],
    y: Float[Tensor, "column example one"],
) -> Float[Tensor, "layer column"]:
    """Mean log-loss of several classes: logsumexp(f) - f[y], in nats."""
    chosen = y.long().expand(len(said), -1, -1, -1)
    own = said.gather(3, chosen)[..., 0]
    return (said.logsumexp(dim=3) - own).mean(dim=2)


def number_loss(
    said: Float[Tensor, "layer column example target"],
    y: Float[Tensor, "column example target"],
) -> Float[Tensor, "layer column"]:
    """Half the mean squared error, (f - y)^2 / 2, summed over targets."""
    return (said - y).square().mean(dim=2).sum(dim=2) / 2


LOSSES = {"two_classes": logit_loss, "classes": class_loss, "numbers": number_loss}


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The answers of each example, by repetition; numbers are standardised by the training ones.

    ``mean`` and ``spread`` take numbers back to the labels' unit.
    """

    fitted: Fitted
    y: Float[Tensor, "repetition example target"]
    outputs: int
    mean: Float[Tensor, "repetition target"]
    spread: Float[Tensor, "repetition target"]

    @classmethod
    def of(
        cls,
        fitted: Fitted,
        labels: Float[Tensor, "example repetition target"],
        train: Bool[Tensor, " example"],
    ) -> "Answers":
        """Take the labels and their shuffles."""
        y = labels.transpose(0, 1)
        outputs = int(labels.max()) + 1 if fitted == "classes" else labels.shape[2]
        mean, spread = torch.zeros_like(y[:, 0]), torch.ones_like(y[:, 0])
        if fitted == "numbers":
            variance, mean = torch.var_mean(y[:, train], dim=1, correction=0)
            spread = torch.where(variance > 0, variance.sqrt(), 1.0)
        return cls(fitted, (y - mean[:, None]) / spread[:, None], outputs, mean, spread)

    def begin(self, train: Bool[Tensor, " example"]) -> Float[Tensor, "repetition output"]:
        """Return what says each repetition's training answers best without looking at the rows.

        The log-odds, or log-shares, with half an example added to each class; 0 for numbers.
        """
        y = self.y[:, train]
        if self.fitted == "two_classes":
            ones, n = y.sum(dim=1), y.shape[1]
            return torch.log((ones + 0.5) / (n - ones + 0.5))
        if self.fitted == "classes":
            counts = torch.nn.functional.one_hot(y[..., 0].long(), self.outputs).sum(dim=1)
            return torch.log((counts + 0.5) / (y.shape[1] + 0.5 * self.outputs)).to(y)
        return torch.zeros_like(self.mean)

    def restored(
        self, said: Float[Tensor, "*batch repetition example output"]
    ) -> Float[Tensor, "*batch repetition example output"]:
        """Return numbers in the labels' unit; logits as they are."""
        if self.fitted != "numbers":
            return said
        return said * self.spread[:, None] + self.mean[:, None]
