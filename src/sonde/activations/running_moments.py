"""Moments of activations together with numbers that are known of each row, in place.

What linear regression needs of rows that are not kept. The update is that of Chan, Golub and
LeVeque (1983), as in ``moments``; the scatter is added to where it lies, because at 4,608
coordinates it takes 170 MB and a new one at every chunk would take most of the time.
"""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from sonde.activations.gram import add_lower_gram, mirrored
from sonde.core.errors import SondeError


class RunningMoments:
    """Count, means, scatter of x, sum of products of deviations of x and y, and squares of y.

    Without ``covariance`` the scatter is that of each coordinate alone, ``square``.
    """

    def __init__(
        self,
        d_model: int,
        targets: int,
        device: torch.device | str = "cpu",
        *,
        covariance: bool = True,
    ) -> None:
        def zeros(*shape: int) -> Tensor:
            return torch.zeros(*shape, dtype=torch.float64, device=device)

        self.count = 0
        self.mean: Float64[Tensor, " d_model"] = zeros(d_model)
        self.target_mean: Float64[Tensor, " target"] = zeros(targets)
        self.target_square: Float64[Tensor, " target"] = zeros(targets)
        self.cross: Float64[Tensor, "target d_model"] = zeros(targets, d_model)
        self.covariance = covariance
        self._lower = zeros(d_model, d_model) if covariance else zeros(d_model)

    @property
    def scatter(self) -> Float64[Tensor, "d_model d_model"]:
        """Return the sum of (x - mean)(x - mean)', not copied: it changes as rows are added.

        Raises:
            SondeError: only squares were kept.
        """
        if not self.covariance:
            raise SondeError("These moments hold no covariance.", fix="Ask for covariance=True.")
        return mirrored(self._lower)

    @property
    def square(self) -> Float64[Tensor, " d_model"]:
        """The sum of (x - mean)^2 of each coordinate, not copied."""
        return self._lower.diagonal() if self.covariance else self._lower

    def add(self, x: Float[Tensor, "row d_model"], y: Float[Tensor, "row target"]) -> None:
        """Add some rows."""
        if not len(x):
            return
        x, y = x.double(), y.to(x.device, torch.float64)
        mean, target_mean = x.mean(dim=0), y.mean(dim=0)
        x, y = x - mean, y - target_mean
        whole = self.count + len(x)
        apart, target_apart = mean - self.mean, target_mean - self.target_mean
        weight = self.count * len(x) / whole
        deviations = torch.cat([x, weight**0.5 * apart[None]])
        if self.covariance:
            add_lower_gram(self._lower, deviations)
        else:
            self._lower += deviations.square().sum(dim=0)
        self.cross += y.T @ x + weight * torch.outer(target_apart, apart)
        self.target_square += y.square().sum(dim=0) + weight * target_apart.square()
        self.mean += apart * (len(x) / whole)
        self.target_mean += target_apart * (len(x) / whole)
        self.count = whole
