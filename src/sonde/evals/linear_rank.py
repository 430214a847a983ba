"""The best linear reconstruction of some rank: what a dictionary's k active latents compete with.

Reduced-rank regression (Izenman 1975): the map of rank k from sources to targets with the least
squared error. Where targets are sources it is PCA with k components.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.activations.running_moments import RunningMoments
from sonde.core.errors import SondeError
from sonde.dictionaries.dictionary import Reconstruction

LARGEST = 8_192  # width whose covariance is taken apart: half a gigabyte, and minutes
SINGULAR = 1e-9  # share of the largest variance below which a direction has none


@dataclass(frozen=True, slots=True, eq=False)
class LinearRank:
    """``mean_y + (x - mean_x) A``, with A of rank k; it has no latents."""

    mean_in: Float[Tensor, " d_in"]
    mean_out: Float[Tensor, " d_out"]
    left: Float[Tensor, "d_in k"]
    right: Float[Tensor, "k d_out"]
    widths: tuple[int, ...]

    @property
    def k(self) -> int:
        """The rank."""
        return self.left.shape[1]

    def __call__(self, *sources: Float[Tensor, "row _"]) -> Reconstruction:
        """Reconstruct every target."""
        x = torch.cat(sources, dim=1).to(self.left)
        made = self.mean_out + (x - self.mean_in) @ self.left @ self.right
        targets = made.split(list(self.widths), dim=1)
        return Reconstruction((), targets, tuple(one[None] for one in targets))


def fit_linear(
    sources: Sequence[Float[Tensor, "row _"]], targets: Sequence[Float[Tensor, "row _"]], k: int
) -> LinearRank:
    """Fit the best linear map of rank k by least squares, on rows that it is not judged on.

    Args:
        sources: what is read, in the dictionary's order.
        targets: what is written; the sources themselves for PCA.
        k: the rank.

    Raises:
        SondeError: k is not between 1 and the widths, or they are too wide.
    """
    x, y = torch.cat(list(sources), dim=1), torch.cat(list(targets), dim=1)
    widest = max(x.shape[1], y.shape[1])
    if not 1 <= k <= min(x.shape[1], y.shape[1]) or widest > LARGEST:
        raise SondeError(
            f"A linear map of rank {k} from {x.shape[1]:,} to {y.shape[1]:,} coordinates cannot be "
            "fitted.",
            fix=f"A rank is at least 1 and at most the widths, and those at most {LARGEST:,}.",
        )
    moments = RunningMoments(x.shape[1], y.shape[1], x.device)
    for rows_x, rows_y in zip(x.split(4096), y.split(4096), strict=True):
        moments.add(rows_x, rows_y)
    size, axes = torch.linalg.eigh(moments.scatter)
    there = size > SINGULAR * size[-1].clamp(min=torch.finfo(size.dtype).tiny)
    half = axes[:, there] / size[there].sqrt()  # whitens x
    along = moments.cross @ half
    # The fitted targets' scatter; its first axes are kept.
    kept = torch.linalg.eigh(along @ along.T).eigenvectors.flip(1)[:, :k]
    return LinearRank(
        mean_in=moments.mean.clone(),
        mean_out=moments.target_mean.clone(),
        left=half @ (along.T @ kept),
        right=kept.T,
        widths=tuple(one.shape[1] for one in targets),
    )
