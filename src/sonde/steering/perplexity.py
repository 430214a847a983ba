"""Perplexity of several texts together, and how it compares with other texts' of the same."""

import numpy as np
from jaxtyping import Float, Int


def pooled_perplexity(
    log_likelihood: Float[np.ndarray, "*arms question"], n_tokens: Int[np.ndarray, "*arms question"]
) -> Float[np.ndarray, "*arms"]:
    """Return exp(-sum of log-likelihoods / number of tokens), a ratio of sums.

    At least 1 for texts of discrete tokens; infinite where no text has a token, so that silence is
    not taken for coherence.

    Args:
        log_likelihood: of each text, the sum over its tokens in nats.
        n_tokens: how many each has.
    """
    tokens = n_tokens.sum(axis=-1)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        found = np.exp(-log_likelihood.sum(axis=-1) / tokens)
    return np.where(tokens > 0, found, np.inf)


def perplexity_ratio(
    log_likelihood: Float[np.ndarray, "*arms question"],
    n_tokens: Int[np.ndarray, "*arms question"],
    baseline: tuple[Float[np.ndarray, " question"], Int[np.ndarray, " question"]],
) -> Float[np.ndarray, "*arms"]:
    """Return the texts' pooled perplexity over the baseline's of the same questions.

    1 is as likely as the baseline; without a unit. NaN where the baseline has no token.
    """
    unsteered = pooled_perplexity(*baseline)
    if not np.isfinite(unsteered):
        return np.full(log_likelihood.shape[:-1], np.nan)
    return np.asarray(pooled_perplexity(log_likelihood, n_tokens) / unsteered)
