"""How well a dictionary reconstructs, one formula each, and all of them for a batch of training.

y is a target ``[row, d_out]`` and ŷ its reconstruction; sums run over rows and coordinates, and
are taken in float32 at least. ``metric_sums`` has the same of any number of rows, with intervals.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from sonde.dictionaries.dictionary import Reconstruction


DENSE = 0.1  # share of rows above which a latent counts as dense


def fvu(y: Float[Tensor, "row d_out"], made: Float[Tensor, "row d_out"]) -> Float[Tensor, ""]:
    """Fraction of variance unexplained: sum |y - ŷ|^2 / sum |y - mean(y)|^2.

    0 is perfect, 1 no better than the mean of these rows, more is worse than it. Unitless; blind to
    shift and scale of both. Infinite or NaN where all rows are equal.
    """
    y, made = _exact(y), _exact(made)
    return (y - made).square().sum() / (y - y.mean(dim=0)).square().sum()


def variance_explained(
    y: Float[Tensor, "row d_out"], made: Float[Tensor, "row d_out"]
) -> Float[Tensor, ""]:
    """One minus ``fvu``: 1 is perfect, 0 no better than the mean, negative worse than it."""
    return 1 - fvu(y, made)


def norm_ratio(
    y: Float[Tensor, "row d_out"], made: Float[Tensor, "row d_out"]
) -> Float[Tensor, ""]:
    """How long reconstructions are: sum over rows of |ŷ| / sum over rows of |y|.

    Below 1 is shrinkage. Unitless; blind to scale, not to shift.
    """
    return _exact(made).norm(dim=1).sum() / _exact(y).norm(dim=1).sum()


def reconstruction_bias(
    y: Float[Tensor, "row d_out"], made: Float[Tensor, "row d_out"]
) -> Float[Tensor, ""]:
    """Relative reconstruction bias: the γ with the least sum |ŷ / γ - y|^2.

    γ = sum |ŷ|^2 / sum ŷ·y (Rajamanoharan et al. 2024, "Improving dictionary learning with gated
    sparse autoencoders"). 1 is unbiased, below 1 shrunk. Unitless; blind to scale, not to shift.
    """
    y, made = _exact(y), _exact(made)
    return made.square().sum() / (made * y).sum()


def mean_cosine(
    y: Float[Tensor, "row d_out"], made: Float[Tensor, "row d_out"]
) -> Float[Tensor, ""]:
    """Mean over rows of the cosine of y and ŷ, in [-1, 1]; a row of zeros counts as 0.

    Blind to the scale of each row of either, not to shift.
    """
    return torch.cosine_similarity(_exact(y), _exact(made), dim=1).mean()


def metrics_of_batch(
    reconstruction: "Reconstruction",
    targets: Sequence[Float[Tensor, "row _"]],
    names: Sequence[str] = (),
) -> dict[str, float]:
    """Return what to log of one batch while training; the mean in FVU is that of its rows.

    ``fvu``, ``variance_explained``, ``cosine``, ``norm_ratio`` and ``reconstruction_bias`` are
    means over the targets, so that none counts more for its scale; with several, ``fvu/<name>`` is
    that of each. ``fvu_prefix_<n>`` is that of the n-th nested dictionary from 1 on, where there
    are several. ``l0`` is the mean number of active latents a row, ``l1`` the mean sum of their
    magnitudes, ``active`` the share of all latents that are active in any row, ``dense`` of those
    active in more than a tenth of them.
    """
    with torch.no_grad():
        found = _of_targets(reconstruction, targets, names)
        found |= _of_latents(reconstruction)
        values = torch.stack([one.float() for one in found.values()]).tolist()  # waits once
    return dict(zip(found, values, strict=True))


def _of_targets(
    reconstruction: "Reconstruction", targets: Sequence[Tensor], names: Sequence[str]
) -> dict[str, Tensor]:
    pairs = list(zip(targets, reconstruction.targets, strict=True))
    by_target = torch.stack([fvu(y, made) for y, made in pairs])
    found = {"fvu": by_target.mean(), "variance_explained": 1 - by_target.mean()}
    for name, metric in _OTHERS.items():
        found[name] = torch.stack([metric(y, made) for y, made in pairs]).mean()
    if len(pairs) > 1:
        called = names or [str(number) for number in range(len(pairs))]
        found |= {f"fvu/{name}": one for name, one in zip(called, by_target, strict=True)}
    n_prefixes = len(reconstruction.prefixes[0])
    for number in range(n_prefixes if n_prefixes > 1 else 0):
        of_prefix = [
            fvu(y, made[number]) for y, made in zip(targets, reconstruction.prefixes, strict=True)
        ]
        found[f"fvu_prefix_{number + 1}"] = torch.stack(of_prefix).mean()
    return found


def _of_latents(reconstruction: "Reconstruction") -> dict[str, Tensor]:
    blocks = reconstruction.latents
    n_rows = len(reconstruction.targets[0])
    fired = torch.cat([one.fired() for one in blocks])
    magnitude = torch.stack([one.value.detach().float().abs().sum() for one in blocks]).sum()
    return {
        "l0": fired.sum() / n_rows,
        "l1": magnitude / n_rows,
        "active": (fired > 0).float().mean(),
        "dense": (fired > DENSE * n_rows).float().mean(),
    }


_OTHERS = {
    "cosine": mean_cosine,
    "norm_ratio": norm_ratio,
    "reconstruction_bias": reconstruction_bias,
}


def _exact(x: Tensor) -> Tensor:
    """Return numbers that hold a sum of squares: half precision does not."""
    x = x.detach()
    return x if x.dtype in (torch.float32, torch.float64) else x.float()
