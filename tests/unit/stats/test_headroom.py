from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.stats.headroom import headroom
from sonde.stats.interval import Interval
from sonde.stats.metrics import METRICS
from sonde.stats.proportion import wilson

ACCURACY = METRICS["accuracy"]


def test_steering_from_a_baseline_of_0_812():
    """16 continuations, 13 of which succeed unsteered; a rise of 0.25 was looked for."""
    found = headroom(Interval(0.8125, 0.57, 0.934, 16), ACCURACY, needed=0.25)
    assert not found.enough
    assert found.room == pytest.approx(0.1875)
    assert "0.188 of room to the ceiling of 1, less than the difference of 0.25" in found.why
    assert "already succeeds in 81% of cases" in found.fix
    assert "near 0.5" in found.fix


def test_a_ceiling_that_too_few_units_can_tell_apart():
    """The same baseline with no difference named: 16 of 16 would not be told from 13 of 16.

    Worked by hand: 0.934 - 0.8125 = 0.1215 up, 3.8415 / (16 + 3.8415) = 0.1936 down, together
    sqrt(0.1215^2 + 0.1936^2) = 0.2286, more than the room of 0.1875. Of 160 units 0.0355 and
    0.0234 make 0.0425.
    """
    few = wilson(13, 16)
    assert few.high == pytest.approx(0.934, abs=1e-3)
    found = headroom(few, ACCURACY)
    assert not found.enough
    assert "even a score at that ceiling of 16 units could not be told from it" in found.why
    assert headroom(wilson(130, 160), ACCURACY).enough


def test_the_mended_prompt_is_let_through():
    found = headroom(Interval(0.562, 0.33, 0.77, 16), ACCURACY, needed=0.25)
    assert (found.enough, found.why, found.fix) == (True, "", "")
    assert found.room == pytest.approx(0.438)


def test_an_interval_that_touches_the_end():
    found = headroom(Interval(0.8125, 0.625, 1.0, 16), ACCURACY)
    assert not found.enough
    assert "its interval touches that ceiling" in found.why


def test_downwards_the_floor_counts():
    low = Interval(0.06, 0.04, 0.09, 300)
    assert headroom(low, ACCURACY, needed=0.1).enough
    found = headroom(low, ACCURACY, needed=0.1, rises=False)
    assert not found.enough
    assert "0.06 of room to the floor of 0" in found.why
    assert "only 6% of cases" in found.fix


def test_a_metric_without_an_end_always_has_room():
    unbounded = replace(ACCURACY, ceiling=float("inf"))
    found = headroom(Interval(1e6, 0.0, 2e6, 5), unbounded, needed=3.0)
    assert (found.enough, found.room) == (True, np.inf)


def test_other_ranges_name_their_own_middle():
    found = headroom(Interval(0.98, 0.95, 0.99, 50), METRICS["pearson"], needed=0.1)
    assert "near 0." in found.fix + "."
    open_below = replace(ACCURACY, floor=-float("inf"))
    found = headroom(Interval(0.98, 0.95, 0.99, 50), open_below, needed=0.1)
    assert "further from 1" in found.fix


@given(value=st.floats(0.01, 0.99), half=st.floats(0, 0.3), needed=st.floats(0, 0.5))
def test_both_ends_mirror_each_other(value, half, needed):
    up = Interval(value, max(0.0, value - half), min(1.0, value + half), 20)
    down = Interval(1 - up.value, 1 - up.high, 1 - up.low, 20)
    rising = headroom(up, ACCURACY, needed)
    falling = headroom(down, ACCURACY, needed, rises=False)
    assert rising.room == pytest.approx(falling.room)
    if abs(rising.room - needed) > 1e-9:
        assert rising.enough == falling.enough
    assert rising.enough == (not rising.why) == (not rising.fix)
