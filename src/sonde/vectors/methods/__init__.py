"""Ways to find a direction: one file each, and one line in this table."""

from sonde.vectors.methods import (
    gradient,
    lda,
    mean_difference,
    pca_paired,
    pca_pooled,
    probe,
    random_direction,
)
from sonde.vectors.methods.method import Method

__all__ = ["METHODS", "Method"]

METHODS: dict[str, Method] = {
    "mean_difference": Method(mean_difference.SAYS, mean_difference.mean_difference),
    "probe": Method(probe.SAYS, probe.probe),
    "pca_paired": Method(pca_paired.SAYS, pca_paired.pca_paired, needs="pairs"),
    "pca_pooled": Method(pca_pooled.SAYS, pca_pooled.pca_pooled),
    "lda": Method(lda.SAYS, lda.lda),
    "gradient": Method(gradient.SAYS, needs="model"),
    "random": Method(random_direction.SAYS, random_direction.random_direction, needs="nothing"),
}
