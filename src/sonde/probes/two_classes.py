"""What linear probes of two classes share: the classes' means on standardised rows."""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from sonde.probes.linear_fits import Fit


@dataclass(frozen=True, slots=True, eq=False)
class TwoClasses:
    """Shares and means of two classes, one column a repetition of the labels.

    Of the rows less their overall mean, the mean of class 1 is ``(1 - share) difference`` and that
    of class 0 ``-share difference``. Where a shuffle leaves one class empty the difference is 0.
    """

    share: Float64[Tensor, " column"]  # of class 1
    difference: Float64[Tensor, "column d_model"]  # mean of class 1 less mean of class 0

    @classmethod
    def of(
        cls, n: int, share: Float64[Tensor, " column"], cross: Float64[Tensor, "column d_model"]
    ) -> "TwoClasses":
        """Take them from targets 0 and 1: cross = z'(y - share) = n q difference."""
        q = share * (1 - share)
        return cls(share, cross / (n * torch.where(q > 0, q, torch.inf))[:, None])

    @classmethod
    def of_fit(cls, fit: Fit) -> "TwoClasses":
        """Take them from a fit whose targets are 0 and 1."""
        return cls.of(fit.n, fit.centre, fit.cross)

    @property
    def between(self) -> Float64[Tensor, " column"]:
        """How much of the total covariance lies between the means: q = share (1 - share)."""
        return self.share * (1 - self.share)

    @property
    def middle(self) -> Float64[Tensor, "column d_model"]:
        """The point midway between the two means."""
        return (0.5 - self.share)[:, None] * self.difference

    def bias(self, weight: Float64[Tensor, "column d_model"]) -> Float64[Tensor, " column"]:
        """Return the intercept with which a weight is 0 midway between the means."""
        return -torch.einsum("cd,cd->c", weight, self.middle)
