import math
import re
from dataclasses import replace

import pytest

from sonde.report import Claims, ClaimView, Report, render
from sonde.report.sections.claims import drawing
from sonde.stats.interval import Interval

ITEM = ClaimView(
    "readable",
    "Good news can be read.",
    "confirmed",
    "confirmatory",
    "The interval lies above 0.05.",
    effect=Interval(0.3, 0.2, 0.4, 180),
    bounds=(0.05, math.inf),
)


def page(*items: ClaimView) -> str:
    return render(Report("T", "Q", (Claims(items),)))


def places(item: ClaimView) -> dict[str, list[float]]:
    """Return the pixels of what is drawn for a wide page."""
    wide = drawing(item).split("</svg>")[0]
    rect = re.search(r'<rect x="([\d.]+)" y="0" width="([\d.]+)"', wide)
    return {
        "claimed": [float(rect[1]), float(rect[1]) + float(rect[2])],
        "bounds": [float(x) for x in re.findall(r'<line x1="([\d.]+)"[^>]*class="bound"', wide)],
        "reach": [
            float(x)
            for pair in re.findall(r'x1="([\d.]+)" x2="([\d.]+)" y1="22"', wide)
            for x in pair
        ],
        "value": [float(x) for x in re.findall(r'cx="([\d.]+)"', wide)],
    }


def test_the_interval_is_drawn_against_its_bound():
    found = places(ITEM)
    (bound,), (low, high), (value,) = found["bounds"], found["reach"], found["value"]
    assert found["claimed"][0] == pytest.approx(bound)
    assert found["claimed"][1] == pytest.approx(612)  # open to the right
    assert bound < low < value < high
    # One scale for all: 0.05 to 0.2 is as long as 0.2 to 0.35 would be.
    assert (low - bound) / (high - low) == pytest.approx(0.15 / 0.2, abs=0.01)


def test_two_bounds_are_drawn_with_the_region_between_them():
    found = places(replace(ITEM, bounds=(-0.05, 0.05), verdict="refuted"))
    assert found["claimed"] == pytest.approx(found["bounds"])
    assert found["bounds"][1] < found["reach"][0]


@pytest.mark.parametrize(
    "effect", [None, Interval(math.nan, math.nan, math.nan, 3), Interval(0.0, -math.inf, 1.0, 3)]
)
def test_what_has_no_finite_interval_is_not_drawn(effect):
    assert drawing(replace(ITEM, effect=effect)) == ""
    assert "Good news can be read." in page(replace(ITEM, effect=effect))


@pytest.mark.parametrize("verdict", ["confirmed", "refuted", "inconclusive", "partial"])
def test_a_verdict_is_a_word_and_not_only_a_colour(verdict):
    shown = page(replace(ITEM, verdict=verdict))
    assert f"</span>{verdict}</p>" in shown
    assert f"is-{verdict}" in shown


def test_marks_advice_and_facts_are_shown():
    item = replace(
        ITEM, mode="post hoc", marks=("Post hoc.",), advice="More.", facts=(("Registered", "now"),)
    )
    shown = page(item)
    for text in ("</span>confirmed, post hoc</p>", "Post hoc.", "More.", "Registered", "now"):
        assert text in shown
    assert "confirmatory" not in shown


def test_the_statement_is_text():
    shown = page(replace(ITEM, statement="<img src=x onerror=alert(1)>{{ 7*7 }}"))
    assert "<img" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;{{ 7*7 }}" in shown
