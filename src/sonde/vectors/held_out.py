"""What directions say of rows that they were not fitted to, and how well that separates them."""

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from sonde.stats.bootstrap import Bootstrap
from sonde.stats.effect_sizes import hedges_correction
from sonde.stats.effects import interval_of
from sonde.stats.interval import Interval
from sonde.stats.scores import REFITTED, Scores
from sonde.vectors.rows import Rows

METRICS = ("accuracy", "auroc")


def said_of(
    directions: Float64[Tensor, "fit layer cleaning d_model"],
    rows: Rows,
    fold: Int[np.ndarray, " row"],
) -> Float64[np.ndarray, "layer cleaning row"]:
    """Project each row on the direction of the fit that left its fold out, less the midpoint.

    The midpoint lies between the projections of the class means of that fit's training rows, so
    above 0 is the positive side. Directions are taken at unit length; one of no length says 0.
    """
    length = directions.norm(dim=-1, keepdim=True)
    unit = directions / torch.where(length > 0, length, 1.0)
    along = torch.einsum("lrd,flcd->flcr", rows.x.double(), unit)
    train, y = rows.train.double(), rows.y
    sides = [train * y, train * (1 - y)]
    means = [torch.einsum("fr,flcr->flc", one / one.sum(1, keepdim=True), along) for one in sides]
    along = along - ((means[0] + means[1]) / 2)[..., None]
    own = torch.from_numpy(np.asarray(fold, np.int64)) + 1  # fit 0 has all rows
    return along[own, :, :, torch.arange(len(own))].permute(1, 2, 0).numpy()


def separations(
    said: Float64[np.ndarray, "vector row"],
    truth: Float[np.ndarray, " row"],
    unit: np.ndarray,
    bootstrap: Bootstrap,
) -> list[dict[str, Interval]]:
    """Return each vector's held-out accuracy, AUROC and Cohen's d with intervals over units.

    Rows that nothing was said of (NaN) are left out; they are the same for all vectors.
    """
    there = ~np.isnan(said).any(axis=0)
    said, truth, unit = said[:, there], truth[there], unit[there]
    effects = standardised_differences(said, truth, unit, bootstrap.level)
    found: list[dict[str, Interval]] = []
    for one, d in zip(said, effects, strict=True):
        scored = {
            name: interval_of(Scores(name, unit, one, truth, cross_validated=True), bootstrap)
            for name in METRICS
        }
        found.append({**scored, "cohens_d": d})
    return found


def standardised_differences(
    said: Float64[np.ndarray, "vector row"],
    truth: Float[np.ndarray, " row"],
    unit: np.ndarray,
    level: float = 0.95,
) -> list[Interval]:
    """Return Cohen's d of each vector: J (mean of positive - mean of negative) / s.

    s is the pooled standard deviation, J Hedges' correction. The interval is d +- t standard
    errors of the delta method over units, whose rows may be dependent, widened as every
    cross-validated score's is (docs/decisions/0010). Unitless; NaN where a side has fewer than two
    rows or nothing varies.
    """
    from scipy.special import stdtrit

    positive, negative = truth > 0.5, truth < 0.5
    n1, n0 = int(positive.sum()), int(negative.sum())
    names, number = np.unique(unit, return_inverse=True)
    if min(n1, n0) < 2:
        return [Interval(np.nan, np.nan, np.nan, len(names), level) for _ in said]
    m1 = said[:, positive].mean(axis=1, keepdims=True)
    m0 = said[:, negative].mean(axis=1, keepdims=True)
    freedom = n1 + n0 - 2
    deviation = said - np.where(positive, m1, m0)
    variance = np.square(deviation).sum(axis=1, keepdims=True) / freedom
    s = np.sqrt(np.where(variance > 0, variance, np.nan))
    d = (m1 - m0) / s
    # What a row moves d by: through its class's mean, and through s.
    mean_part = deviation / s * np.where(positive, 1 / n1, -1 / n0)
    spread_part = d * (np.square(deviation / s) - 1) / (2 * freedom)
    influence = mean_part - spread_part
    sums = np.stack([np.bincount(number.reshape(-1), row, len(names)) for row in influence])
    units = len(names)
    error = REFITTED * np.sqrt(np.square(sums).sum(axis=1) * units / max(units - 1, 1))
    reach = float(stdtrit(max(units - 1, 1), (1 + level) / 2)) * error
    j = hedges_correction(freedom)
    return [
        Interval(j * value, j * (value - by), j * (value + by), units, level)
        for value, by in zip(d[:, 0].tolist(), reach.tolist(), strict=True)
    ]
