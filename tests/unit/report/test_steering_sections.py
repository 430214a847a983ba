"""Steering in a report: curves over coefficients, cosines, and what was written."""

import math
import re
from dataclasses import replace

import pytest

from sonde.core.errors import SondeError
from sonde.report import (
    CosineMatrix,
    Report,
    Sample,
    Samples,
    SteeredPoint,
    SteeringCurve,
    SteeringCurves,
    render,
)
from sonde.report.sections import cosine_matrix, steering_curves
from sonde.stats.interval import Interval


def score(value: float) -> Interval:
    return Interval(value, value - 4, value + 4, n=20)


def curve(name: str, *held: float, best: int | None = 1) -> SteeringCurve:
    """Coefficients 1/4, 1/2, 1 …; the trait is ten times the number of the point."""
    points = [
        SteeredPoint(2.0 ** (at - 2), 12.0 * 2.0 ** (at - 2), score(10.0 * at), one, one <= 1.5)
        for at, one in enumerate(held)
    ]
    return SteeringCurve(name, tuple(points), best)


CURVES = SteeringCurves(
    (curve("probe", 1.0, 1.2, 4.0), curve("mean difference", 1.0, 1.1, best=0)),
    trait="enthusiasm",
    held_name="perplexity ratio",
    limit=1.5,
    levels={"unsteered": score(3.0)},
)


def test_the_best_vector_and_the_cliff_are_named():
    said = steering_curves.sentence(CURVES)
    assert "highest with probe at 0.5 typical norms (6.0 raw): 10.0 [6.0, 14.0]" in said
    assert "breaks for probe between 0.5 and 1 typical norms" in said
    assert "mean difference" not in said  # it stayed coherent, so it has no cliff


def test_no_coherent_coefficient_is_said():
    broken = replace(CURVES, curves=(curve("probe", 9.0, 9.0, best=None),))
    assert "No coefficient that was tried kept perplexity ratio" in steering_curves.sentence(broken)


def test_points_lie_where_their_logarithm_says():
    page = render(Report("t", "q", (CURVES,)))
    wide = page.index('class="chart wide"')
    series = page[page.index('data-series="s0"', wide) :]
    xs = [float(at) for at in re.findall(r'<circle cx="([\d.]+)"', series)[:3]]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.2)
    assert series.index("point broken") < series.index("</g>")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"curves": ()}, "need a vector"),
        ({"curves": (curve("a", 1.0),) * 7}, "7 curves cannot be told apart"),
        (
            {"curves": (SteeringCurve("a", tuple(reversed(curve("a", 1.0, 1.0).points))),)},
            "not positive and rising",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(wrong, said):
    with pytest.raises(SondeError, match=said):
        replace(CURVES, **wrong)


def test_a_name_that_is_cut_says_so():
    named = replace(CURVES, curves=(replace(CURVES.curves[0], name="random, blocks 13, 15, 17"),))
    chart = str(steering_curves.prepare(named)["trait_chart"])
    assert ">random, blocks 13, 15…<" in chart and ">random, blocks 13, 15,<" not in chart


def test_missing_scores_leave_a_gap_and_a_dash():
    points = curve("probe", 1.0, 1.2, 1.3).points
    gap = replace(points[1], trait=None, held=math.nan)
    section = replace(CURVES, curves=(SteeringCurve("probe", (points[0], gap, points[2]), 2),))
    rows = steering_curves.prepare(section)["rows"]
    assert rows[1][3:] == ["–", "–", "yes"]
    render(Report("t", "q", (section,)))


def test_one_coefficient_is_drawn():
    one = replace(CURVES, curves=(curve("probe", 1.0, best=0),))
    (row,) = [it for it in steering_curves.prepare(one)["rows"] if it[0] == "probe"]
    assert row[1] == "0.25"
    page = render(Report("t", "q", (one,)))
    assert "0.25" in page and ">probe<" in page


def test_cosines_name_the_ends():
    section = CosineMatrix(
        ("a", "b", "c"), ((1.0, 0.9, -0.2), (0.9, 1.0, math.nan), (-0.2, math.nan, 1.0)), "block 3"
    )
    assert cosine_matrix.sentence(section) == (
        "Most alike at block 3 are a and b, with a cosine of .90; least alike a and c, −.20."
    )
    assert cosine_matrix.prepare(section)["rows"][1] == ["b", ".900", "1.000", "–"]
    with pytest.raises(SondeError, match="square"):
        CosineMatrix(("a", "b"), ((1.0,), (1.0,)))


def test_what_a_model_wrote_is_escaped():
    asked = "<b>why?</b>"
    page = render(Report("t", "q", (Samples(((asked, (Sample("<i>", "<script>x</script>"),)),)),)))
    assert asked not in page
    assert "<script>x" not in page
    assert "&lt;script&gt;x" in page
