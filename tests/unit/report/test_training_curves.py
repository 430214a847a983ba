"""Training curves: what is said, drawn and refused, from what was logged while training."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.report import Report, TrainingCurve, TrainingCurves, render, training_from
from sonde.report.from_training import POINTS
from sonde.report.sections import training_curves, training_curves_chart
from sonde.stats.interval import Interval


def logged(steps, fvu):
    return [
        {
            "step": float(step), "fvu": value, "fvu_prefix_1": value + 0.2, "fvu_prefix_2": value,
            "l0": 8.0, "dead": 0.25, "loss": 1.0,
        }
        for step, value in zip(steps, fvu, strict=True)
    ]  # fmt: skip


HELD = {
    "fvu": Interval(0.4, 0.35, 0.45, n=9),
    "fvu_prefix_1": Interval(0.6, 0.55, 0.65, n=9),
    "l0": Interval(7.5, 7.0, 8.0, n=9),
}


def section(**given):
    plain = {"held_out": HELD, "prefixes": (16, 64), "batch": 32, "window": 96}
    return training_from(logged((0, 10, 20), (1.0, 0.5, 0.3)), **(plain | given))


def test_the_sentence_has_both_ends_and_the_held_out_figure():
    assert training_curves.sentence(section()) == (
        "In 21 steps of 32 rows FVU on the training batches fell from 1.00 to .30; on rows held "
        "out it is .40 [.35, .45]. In the last batch 8.0 latents are active a row, and 25 % are "
        "dead."
    )
    risen = training_from(logged((0, 1), (0.5, 0.6)), held_out={}, batch=32, window=96)
    assert "rose from .50 to .60. In the last" in training_curves.sentence(risen)


def test_fvu_is_that_of_rows_training_never_sees_where_the_history_has_it():
    rows = [
        one | {"held_out/fvu": one["fvu"] + 0.1, "held_out/fvu_prefix_1": 0.9}
        for one in logged((0, 10), (1.0, 0.5))
    ]
    plain = training_from(rows, held_out=HELD, batch=32, window=96)
    assert [one.name for one in plain.fvu] == ["held-out rows", "training batches"]
    assert [one.values for one in plain.fvu] == [(1.1, 0.6), (1.0, 0.5)]
    assert plain.fvu[0].held_out == HELD["fvu"] and plain.fvu[1].held_out is None
    assert (
        "FVU on the first held-out rows fell from 1.10 to .60; on all of them it is .40"
        in training_curves.sentence(plain)
    )
    nested = training_from(rows, held_out=HELD, prefixes=(16, 64), batch=32, window=96)
    assert [one.values for one in nested.fvu] == [(1.1, 0.6), (0.9, 0.9)]
    page = render(Report("t", "q", (nested,)))
    assert "of the first rows that training did not see" in page
    assert "of the first rows" not in render(Report("t", "q", (section(),)))


def test_prefixes_are_drawn_once_and_named_by_their_latents():
    found = section()
    assert [one.name for one in found.fvu] == ["all 64 latents", "the first 16"]
    assert found.fvu[1].held_out == HELD["fvu_prefix_1"]
    plain = section(prefixes=(64,))
    assert [one.name for one in plain.fvu] == ["all"]


def test_single_targets_are_drawn_and_those_beyond_the_colours_named():
    rows = [one | {f"fvu/blocks.{n}.mlp_out": 0.5 for n in range(8)} for one in logged((0,), (1,))]
    found = training_from(rows, held_out={}, batch=32, window=96)
    assert len(found.fvu) == 6 and found.fvu[1].name == "blocks.0.mlp_out"
    assert found.note == "Not drawn: blocks.5.mlp_out, blocks.6.mlp_out, blocks.7.mlp_out."


def test_held_out_figures_stand_behind_the_last_step_with_their_interval():
    page = render(Report("t", "q", (section(),)))
    wide = page.index('class="chart wide"')
    xs = [
        float(at)
        for at in page[wide - 9999 : wide + 400].split('data-x="')[1].split('"')[0].split()
    ]
    series = page[page.index('data-series="s0"', wide) :]
    (circle,) = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', series[: series.index("</g>")])
    (x, top, low) = re.findall(
        r'<line x1="([\d.]+)" x2="[\d.]+" y1="([\d.]+)" y2="([\d.]+)"', series
    )[0]
    assert len(xs) == 4 and float(circle[0]) == float(x) == xs[-1] > xs[-2]
    assert float(circle[1]) == pytest.approx((float(top) + float(low)) / 2, abs=0.11)
    rows = training_curves.prepare(section())["rows"]
    assert rows[-1] == ["held out", ".400 [.350, .450]", ".600 [.550, .650]", "7.5 [7.0, 8.0]", "–"]
    assert rows[0] == ["0", "1.000", "1.200", "8.0", "25 %"]


def test_a_history_without_steps_is_no_section():
    assert training_from([], held_out={}, batch=32, window=96) is None


def test_names_are_escaped():
    curves = replace(section(), title="<script>x</script>")
    page = render(Report("t", "q", (curves,)))
    assert "<script>x" not in page and "&lt;script&gt;x" in page


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 400), st.integers(1, 1000))
def test_as_many_steps_are_drawn_as_fit_from_the_first_to_the_last(number, every):
    steps = [at * every for at in range(number)]
    found = training_from(logged(steps, [0.5] * number), held_out={}, batch=1, window=1)
    assert len(found.steps) == min(number, POINTS)
    assert (found.steps[0], found.steps[-1]) == (steps[0], steps[-1])
    assert ("logged steps are drawn" in found.note) == (number > POINTS)
    gaps = [b - a for a, b in zip(found.steps, found.steps[1:], strict=False)]
    assert not gaps or max(gaps) - min(gaps) <= every


LINE = TrainingCurve("all", (1.0, 0.5))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"steps": (), "fvu": (LINE,)}, "need a step"),
        ({"fvu": ()}, "FVU of one dictionary"),
        ({"fvu": (LINE,) * 7}, "7 curves cannot be told apart"),
        ({"steps": (3, 2)}, "not in rising order"),
        ({"fvu": (TrainingCurve("all", (1.0,)),)}, "has 1 values for 2 steps"),
    ],
)
def test_what_cannot_be_drawn_is_refused(wrong, said):
    plain = {"steps": (1, 2), "fvu": (LINE,), "l0": LINE, "dead": LINE, "batch": 1, "window": 1}
    with pytest.raises(SondeError, match=said):
        TrainingCurves(**(plain | wrong))


def test_missing_and_infinite_values_leave_gaps():
    broken = TrainingCurve("all", (None, float("inf")), Interval(float("nan"), 0.0, 1.0, n=2))
    found = TrainingCurves((1, 2), (broken,), broken, broken, batch=1, window=1)
    assert "There were 3 steps of 1 row." in training_curves.sentence(found)
    render(Report("t", "q", (found,)))


def test_a_curve_that_begins_above_the_chart_comes_in_from_its_edge():
    """At 3 and 1 of a chart up to 2: from the edge, half of the way between the two."""
    at, values = training_curves_chart._in_view([0.0, 10.0, 20.0], [3.0, 1.0, 0.5], 2.0)
    assert (at, values) == ([5.0, 10.0, 20.0], [2.0, 1.0, 0.5])
    inside = [1.0, 3.0, 0.5]
    assert training_curves_chart._in_view([0.0, 10.0, 20.0], inside, 2.0)[1] == inside
    assert training_curves_chart._in_view([0.0, 10.0], [None, 1.0], 2.0) == ([10.0], [1.0])
