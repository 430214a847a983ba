import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sonde.report import svg
from sonde.report.charts import shown_layers


def test_node_escapes_text_and_attributes():
    made = svg.node("text", "<b>&", x=1.25, class_='a"b', data_series="s0", title=None)
    assert made == '<text x="1.2" class="a&#34;b" data-series="s0">&lt;b&gt;&amp;</text>'


def test_a_linear_scale():
    scale = svg.Scale(0, 10, 100, 0)
    assert (scale(0), scale(5), scale(10)) == (100, 50, 0)
    assert scale(99) == 0, "what lies outside stays at the edge"
    assert svg.Scale(0.42, 0.97, 0, 1).ticks(7) == (0.5, 0.6, 0.7, 0.8, 0.9)


def test_a_logarithmic_scale():
    scale = svg.Scale(1, 100, 0, 2, log=True)
    assert [scale(value) for value in (1, 10, 100)] == pytest.approx([0, 1, 2])
    assert svg.Scale(0.8, 2500, 0, 1, log=True).ticks() == (1, 10, 100, 1000)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.integers(2, 12))
def test_ticks_are_inside_rising_and_few(one, other, wanted):
    low, high = sorted((one, other))
    assume(high - low > 1e-3)
    ticks = svg.Scale(low, high, 0, 1).ticks(wanted)
    room = (high - low) * 1e-6
    assert all(low - room <= tick <= high + room for tick in ticks)
    assert list(ticks) == sorted(set(ticks))
    assert len(ticks) <= wanted + 1


def test_lines_and_bands_stop_where_a_value_is_missing():
    y = svg.Scale(0, 10, 10, 0)
    assert svg.line([0, 1, 2, 3], [1, None, 3, math.nan], y) == "M0 9M2 7"
    drawn = svg.band([0, 1, 2], [1, None, 2], [2, None, 4], y)
    assert drawn == "M0 8L0 9ZM2 6L2 8Z"


def test_bounds_ignore_what_is_not_finite():
    assert svg.bounds([1.0, None, math.nan, 3.0, math.inf], pad=0.5) == (0.0, 4.0)
    assert svg.bounds([None]) == (0.0, 1.0)
    assert svg.log_bounds([0.0, -1.0, math.nan, None]) == (1.0, 10.0)
    assert svg.log_bounds([2.0, None, 20.0]) == pytest.approx((1.6, 27.0))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=6))
def test_spread_labels_keep_their_distance_and_order(wanted):
    placed = svg.spread(wanted, 10, 0, 200)
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    gaps = [placed[b] - placed[a] for a, b in pairwise(order)]
    assert all(gap >= 10 - 1e-9 for gap in gaps)


@pytest.mark.parametrize("number", [1, 2, 5, 30, 46, 80])
def test_the_first_and_last_layer_are_always_named(number):
    shown = shown_layers(number, 8)
    assert (shown[0], shown[-1]) == (0, number - 1)
    assert len(shown) <= 10
    assert list(shown) == sorted(set(shown))
