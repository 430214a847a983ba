"""Perplexity of several texts together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from hypothesis.strategies import floats, integers

from sonde.steering.perplexity import perplexity_ratio, pooled_perplexity


def test_by_hand():
    # Two tokens of probability 1/2 and six of 1/4: 14 halvings over 8 tokens.
    total = np.array([2 * np.log(1 / 2), 6 * np.log(1 / 4)])
    assert pooled_perplexity(total, np.array([2, 6])) == pytest.approx(2 ** (14 / 8))
    ratio = perplexity_ratio(total, np.array([2, 6]), (total * 2, np.array([4, 12])))
    assert ratio == pytest.approx(1.0)


def test_silence_is_not_coherent():
    silent = np.zeros((1, 3)), np.zeros((1, 3), int)
    assert pooled_perplexity(*silent).tolist() == [np.inf]
    spoken = np.array([-4.0, -4.0, -4.0]), np.array([2, 2, 2])
    assert perplexity_ratio(*silent, spoken).tolist() == [np.inf]
    assert np.isnan(perplexity_ratio(*silent, (silent[0][0], silent[1][0]))).all()


@given(
    total=arrays(np.float64, (3, 5), elements=floats(-200, -0.1)),
    count=arrays(np.int64, (3, 5), elements=integers(1, 60)),
)
def test_agrees_with_pooling_the_tokens(total, count):
    """A text's tokens, each of the text's mean log-likelihood, pooled one by one."""
    for arm in range(3):
        tokens = np.repeat(total[arm] / count[arm], count[arm])
        expected = np.exp(-tokens.mean())
        assert pooled_perplexity(total, count)[arm] == pytest.approx(expected)
        own = perplexity_ratio(total, count, (total[arm], count[arm]))[arm]
        assert own == pytest.approx(1.0)
