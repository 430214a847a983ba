"""Medians from histograms, against numpy's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sonde.activations.medians import LogHistogram

CPU = torch.device("cpu")


def two_passes(x: np.ndarray) -> np.ndarray:
    """Medians of ``[token, width]`` by a coarse and a fine histogram, in chunks."""
    coarse = LogHistogram.whole(1, x.shape[1], 192, CPU)
    parts = [torch.from_numpy(part).float() for part in np.array_split(x, 3)]
    for part in parts:
        coarse.add(0, part)
    fine = coarse.narrowed(0.1, 160)
    for part in parts:
        fine.add(0, part)
    values, inside = fine.medians()
    assert bool((inside | (values == 0)).all())
    return values[0].numpy()


def test_a_median_worked_by_hand():
    # Four bins between 2^0 and 2^4: 3 lies in [2, 4), 9 in [8, 16). Alone each is put in the
    # middle of its bin on the log scale, 2^1.5 and 2^3.5; the median of both is their mean.
    histogram = LogHistogram(torch.zeros(1, 1), torch.full((1, 1), 4.0), 4)
    histogram.add(0, torch.tensor([[3.0]]))
    assert histogram.medians()[0].item() == pytest.approx(2**1.5)
    histogram.add(0, torch.tensor([[9.0]]))
    assert histogram.medians()[0].item() == pytest.approx((2**1.5 + 2**3.5) / 2)
    assert histogram.counts[0, 0].tolist() == [0, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("count", [1, 2, 7, 100, 5001])
def test_medians_equal_numpys_within_two_percent(count):
    random = np.random.default_rng(count)
    scale = np.exp(random.normal(0, 3, 50))
    x = np.abs(random.normal(random.normal(0, 2, 50), 1, (count, 50)) * scale)
    error = np.abs(two_passes(x) / np.median(x, axis=0) - 1)
    assert error.max() < 0.03
    if count > 1000:
        assert error.max() < 0.005


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 40), st.just(2)),
        elements=st.floats(2**-20, 2**20),
    )
)
def test_a_coarse_median_is_never_off_by_more_than_its_bin(x):
    histogram = LogHistogram.whole(1, 2, 192, CPU)
    histogram.add(0, torch.from_numpy(x).float())
    values = histogram.medians()[0][0].numpy()
    error = np.log2(values / np.median(x, axis=0))
    assert np.abs(error).max() <= 48 / 192 + 1e-4


def test_zeros_and_overflow():
    histogram = LogHistogram.whole(1, 3, 192, CPU)
    x = torch.tensor([[0.0, 1e30, 0.0], [0.0, 1e30, 1.0], [0.0, 1.0, 1.0]])
    histogram.add(0, x)
    values, inside = histogram.medians()
    assert values[0, 0] == 0
    assert inside[0].tolist() == [False, False, True]
    assert values[0, 2].item() == pytest.approx(1, rel=0.2)
