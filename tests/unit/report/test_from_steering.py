"""Sections of a search: what they mark and show first is what its table names."""

import json
import re

import numpy as np
import pytest
from tests.unit.steering.made_answers import made_answers, made_results, steered_by

from sonde.report import Report, render
from sonde.report.from_steering import samples_from, steering_from
from sonde.report.sections import steering_curves
from sonde.steering.evaluation import evaluation_table
from sonde.steering.settings import SearchSettings

QUESTIONS = 8
COEFFICIENTS = (0.5, 1.0, 2.0, 4.0)
# The unsteered arm, the plain prompt, and a vector whose last two coefficients are beyond the limit
TRAIT = [[level] * QUESTIONS for level in (5.0, 10.0, 20.0, 30.0, 40.0, 95.0)]
SURPRISE = [0.7, 0.7, 0.8, 0.9, 2.5, 5.0]


def results(trait=TRAIT, vectors=(("probe", 1),), settings=None, surprise=SURPRISE):
    several = len(vectors)
    rows = [*trait[:2], *(list(trait[2:]) * several)]
    nats = [*surprise[:2], *(list(surprise[2:]) * several)]
    made = [steered_by(*one) for one in vectors]
    return made_results(made_answers(rows, surprise=nats), made, COEFFICIENTS, settings)


def marked(found):
    ((curve,),) = (section.curves for section in steering_from(found))
    return None if curve.best is None else curve.points[curve.best].coefficient


def test_the_large_point_is_what_the_table_names():
    found = results()
    (row,) = (row for row in evaluation_table(found) if row.role == "steered")
    assert marked(found) == row.arm.coefficient == 1.0


def test_an_arm_without_some_scores_is_not_the_best_of_those_it_has():
    """Of the arm at 1.0 the judge left most without a score: what it has must not win."""
    trait = np.array(TRAIT)
    trait[3, :5] = np.nan
    found = results(trait)
    assert marked(found) == found.best().arm.coefficient == 0.5


def test_nothing_is_marked_where_nothing_is_within_the_limit():
    assert marked(results(surprise=[0.7, 0.7, 3.0, 3.0, 3.0, 3.0])) is None


def test_less_of_a_trait_is_said_as_the_lowest():
    settings = SearchSettings(towards="less")
    trait = [[level] * QUESTIONS for level in (60.0, 50.0, 40.0, 30.0, 20.0, 10.0)]
    found = results(trait, settings=settings)
    (section,) = steering_from(found)
    assert marked(found) == 1.0
    assert "is lowest with probe at 1 typical norms (10 raw): 30.0" in steering_curves.sentence(
        section
    )


def heads_and_texts(section):
    page = render(Report("t", "q", (section,)))
    islands = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.S)
    (data, *_) = (found for found in map(json.loads, islands) if "heads" in found)
    return data["heads"], [row["texts"] for row in data["rows"]]


def test_a_pointer_tells_each_curve_its_own_raw_size():
    found = results(vectors=(("probe", 1), ("probe", 2)))
    (section,) = steering_from(found)
    first, second = section.curves
    heads, texts = heads_and_texts(section)
    assert heads[0] == "0.5 typical norms, 5.0 raw"
    doubled = type(second)(
        second.name,
        tuple(
            type(point)(point.coefficient, 2 * point.raw, point.trait, point.held, point.coherent)
            for point in second.points
        ),
        second.best,
    )
    apart = steering_curves.SteeringCurves(
        (first, doubled), section.trait, section.held_name, section.limit
    )
    heads, texts = heads_and_texts(apart)
    assert heads[0] == "0.5 typical norms"
    assert [row[0].split(" (")[1] for row in texts] == ["5.0 raw)", "10 raw)"]


def test_the_question_that_differs_most_within_the_limit_is_open():
    trait = np.array(TRAIT)
    trait[3, 6] = 80.0  # within the limit
    trait[5, 2] = 0.0  # beyond it, where nothing counts
    found = results(trait)
    section = samples_from(found)
    assert [asked for asked, _ in section.groups][:2] == ["Question 6?", "Question 0?"]
    assert "differ most, from 5 to 80" in section.note
    assert "6 of 8 questions are shown" in section.note
    made = [sample.made for sample in section.groups[0][1]]
    assert made == [
        "unsteered",
        "plain prompt",
        "probe, block 1, 1 typical norms",
        "probe, block 1, 2 typical norms",
    ]
    assert [one.flagged for one in section.groups[0][1]] == [False, False, False, True]
    assert section.groups[0][1][2].remarks == (("trait", "80"),)


def test_where_nothing_differs_the_order_is_the_traits():
    flat = [[5.0] * QUESTIONS] * 6
    section = samples_from(results(flat))
    assert section.groups[0][0] == "Question 0?" and "differ" not in section.note


@pytest.mark.parametrize("coefficients", [(0.42, 0.5, 0.6), (0.5, 1.0, 2.0, 4.0, 8.0)])
def test_the_axis_has_marks_whatever_the_range(coefficients):
    found = made_results(
        made_answers([[5.0] * 4] * (2 + len(coefficients))), [steered_by("probe", 1)], coefficients
    )
    page = render(Report("t", "q", steering_from(found)))
    wide = page[page.index('class="chart wide"') :]
    axes = wide[: wide.index("coefficient, in typical norms")]
    ticks = re.findall(r'class="tick" text-anchor="middle">([\d.]+)<', axes)
    assert len(ticks) >= 3 and {float(tick) for tick in ticks} <= {*coefficients}
