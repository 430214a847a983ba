"""How many layers are held together."""

from hypothesis import given
from hypothesis import strategies as st

from sonde.probes.at_once import MOMENTS, ROWS, layers_at_once, scatter_bytes


def test_by_hand():
    # 3,000 x 4,608 x 8 = 110.6 MB of 268.4: two layers; no scatters where rows are fewer.
    assert layers_at_once(3_000, 4_608, 5) == 2
    # 5 x 4,608^2 x 8 = 849 MB is more than there is room for: one layer all the same.
    assert scatter_bytes(5_000, 4_608, 5) == 849_346_560
    assert layers_at_once(5_000, 4_608, 5) == 1
    # 1,000 x 576 x 8 = 4.6 MB would give 58 layers, 5 x 576^2 x 8 = 13.3 MB of scatters 40.
    assert layers_at_once(1_000, 576, 5) == 40


@given(st.integers(1, 10**6), st.integers(1, 10**4), st.integers(3, 100))
def test_what_is_held_stays_within_its_bounds(rows, width, folds):
    layers = layers_at_once(rows, width, folds)
    if layers > 1:
        assert layers * rows * width * 8 <= ROWS
        assert layers * scatter_bytes(rows, width, folds) <= MOMENTS
