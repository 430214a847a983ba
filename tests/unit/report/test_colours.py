import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.report.colours import (
    DARK,
    INK_DARK,
    INK_LIGHT,
    LIGHT,
    STEPS,
    bin_of,
    contrast,
    css_rules,
    scale,
)


def test_contrast_of_black_on_white_is_21():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#777777") == pytest.approx(1)


@pytest.mark.parametrize(("ends", "ink"), [(LIGHT, INK_LIGHT), (DARK, INK_DARK)])
def test_text_can_be_read_on_every_colour(ends, ink):
    assert min(contrast(colour, ink) for colour in scale(ends)) >= 4.5


@pytest.mark.parametrize("ends", [LIGHT, DARK])
def test_the_scale_runs_through_its_three_colours(ends):
    colours = scale(ends)
    assert len(colours) == 2 * STEPS + 1
    assert (colours[0], colours[STEPS], colours[-1]) == ends
    away = [contrast(colour, ends[1]) for colour in colours[STEPS:]]
    assert away == sorted(away)


@pytest.mark.parametrize("ends", [LIGHT, DARK])
def test_the_two_sides_differ_without_green(ends):
    """To red-green blind eyes yellow against blue remains: blue minus the mean of red and green."""
    low, _, high = (
        tuple(int(end[at : at + 2], 16) for at in (1, 3, 5)) for end in (ends[0], ends[1], ends[2])
    )
    yellow_blue = [colour[2] - (colour[0] + colour[1]) / 2 for colour in (low, high)]
    assert yellow_blue[0] > 40
    assert yellow_blue[1] < -40


def test_steps_worked_by_hand():
    assert bin_of(0.5, 0.0, 0.5, 1.0) == 0
    assert bin_of(1.0, 0.0, 0.5, 1.0) == STEPS
    assert bin_of(0.0, 0.0, 0.5, 1.0) == -STEPS
    assert bin_of(0.75, 0.0, 0.5, 1.0) == 5
    # A threshold of .8: half of the way up from it is .9, half of the way down .4.
    assert bin_of(0.9, 0.0, 0.8, 1.0) == 5
    assert bin_of(0.4, 0.0, 0.8, 1.0) == -5
    assert bin_of(7.0, -1.0, 0.0, 1.0) == STEPS
    assert bin_of(float("nan"), 0.0, 0.5, 1.0) is None
    assert bin_of(None, 0.0, 0.5, 1.0) is None


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.05, 0.95))
def test_steps_keep_the_order_of_scores(one, other, threshold):
    steps = [bin_of(value, 0.0, threshold, 1.0) for value in sorted((one, other))]
    assert steps[0] is not None and steps[1] is not None
    assert steps[0] <= steps[1]


def test_every_step_has_a_light_and_a_dark_rule():
    rules = css_rules()
    for step in range(-STEPS, STEPS + 1):
        assert rules.count(f".b{step}{{") == 2
