"""How far a dictionary found known causes: directions, and when they fire."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sonde.core.errors import SondeError


@dataclass(frozen=True, slots=True, eq=False)
class Recovery:
    """Each cause's latent, by the one-to-one assignment with the largest sum of cosines.

    ``latent`` is -1, and all scores 0, for a cause that no latent is left for. ``precision`` is the
    share of a latent's active rows in which its cause fires, ``recall`` the share of the cause's
    rows in which the latent is active; a latent that is never active has precision 0. ``n_rows``
    are the rows that a cause fires in: with few, its recall says little.
    """

    latent: Int[np.ndarray, " cause"]
    cosine: Float[np.ndarray, " cause"]
    precision: Float[np.ndarray, " cause"]
    recall: Float[np.ndarray, " cause"]
    n_rows: Int[np.ndarray, " cause"]

    @property
    def mcc(self) -> float:
        """The mean cosine of causes with their latents (mean correlation coefficient).

        In [0, 1] for latents that point along their causes; a latent that points the opposite way
        counts against it, since activations are not negative.
        """
        return float(self.cosine.mean())

    @property
    def f1(self) -> Float[np.ndarray, " cause"]:
        """The harmonic mean of precision and recall, 0 where both are."""
        total = self.precision + self.recall
        product = 2 * self.precision * self.recall
        return np.divide(product, total, out=np.zeros_like(total), where=total > 0)


def recovery(
    directions: Float[Tensor, "cause d"],
    decoder: Float[Tensor, "latent d_latent"],
    fires: Bool[Tensor, "row cause"],
    active: Bool[Tensor, "row_too latent"],
) -> Recovery:
    """Match causes and latents by their directions, and compare when they fire.

    Args:
        directions: of the causes.
        decoder: rows of the dictionary's decoder; a row of zeros matches nothing.
        fires: whether a cause fires in a row.
        active: whether a latent is active in it.

    Raises:
        SondeError: widths or rows differ.
    """
    from scipy.optimize import linear_sum_assignment

    if directions.shape[1] != decoder.shape[1] or len(fires) != len(active):
        raise SondeError(
            f"Causes of width {directions.shape[1]} in {len(fires)} rows are compared with "
            f"latents of width {decoder.shape[1]} in {len(active)} rows.",
            fix="Give the dictionary of these activations, and its latents on the same rows.",
        )
    cosines = (_unit(directions) @ _unit(decoder).T).numpy()
    cause, latent = linear_sum_assignment(cosines, maximize=True)
    n = len(directions)
    found = np.full(n, -1)
    found[cause] = latent
    own = fires.numpy()[:, cause].astype(np.float64)
    theirs = active.numpy()[:, latent].astype(np.float64)
    both = (own * theirs).sum(axis=0)
    scores = np.zeros((3, n))
    scores[0, cause] = cosines[cause, latent]
    for row, total in ((1, theirs.sum(axis=0)), (2, own.sum(axis=0))):
        scores[row, cause] = np.divide(both, total, out=np.zeros_like(both), where=total > 0)
    cosine, precision, recall = scores
    return Recovery(found, cosine, precision, recall, fires.sum(dim=0).numpy())


def _unit(rows: Float[Tensor, "any d"]) -> Float[Tensor, "any d"]:
    rows = rows.detach().double()
    return rows / rows.norm(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
