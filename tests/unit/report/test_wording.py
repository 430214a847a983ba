import math

import pytest

from sonde.report import Report, Text, TokenText, TokenView, render
from sonde.report.wording import (
    counted,
    figure,
    interval_text,
    listed,
    magnitude,
    share,
)
from sonde.stats.interval import Interval


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.934, 2, ".93"),
        (0.999, 2, "1.00"),
        (-0.2, 2, "−.20"),
        (-0.001, 2, ".00"),
        (12.5, 1, "12.5"),
        (0.0, 3, ".000"),
        (math.nan, 2, "–"),
        (None, 2, "–"),
    ],
)
def test_figure(value, digits, text):
    assert figure(value, digits) == text


def test_interval_text():
    assert interval_text(Interval(0.934, 0.902, 0.96, 160)) == ".93 [.90, .96]"
    assert interval_text(Interval(0.934, math.nan, 0.96, 1)) == ".93"
    assert interval_text(Interval(math.nan, 0.1, 0.2, 1)) == "–"
    assert interval_text(None) == "–"


@pytest.mark.parametrize(
    ("value", "text"), [(0.25, "0.25"), (4.19, "4.2"), (37.2, "37"), (25984.0, "25,984")]
)
def test_magnitude(value, text):
    assert magnitude(value) == text


def test_shares_counts_and_lists():
    assert share(3, 100) == "3.0 %"
    assert share(0.5) == "50 %"
    assert (share(1, 1000), share(1, 4608), share(0.0)) == ("0.10 %", "0.02 %", "0 %")
    assert share(1, 65_536) == "under 0.01 %"
    assert share(1, 0) == "–"
    assert counted(1, "row") == "1 row"
    assert counted(2000, "row") == "2,000 rows"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a"]) == "a"


def test_a_number_and_its_percent_sign_stay_on_one_line_but_data_is_left_alone():
    text = TokenText(("5 %",), (1,), ((0.5,),))
    page = render(Report("t", "At 95 % or 5%?", (TokenView((0,), (text,)), Text("A 10 % share"))))
    assert "At 95\u00a0% or 5%?" in page
    assert "A 10\u00a0% share" in page
    assert '"tokens":["5 %"]' in page
