"""The reliability diagram keeps the numbers that were measured."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from sonde.probes.reliability import calibration
from sonde.probes.scored import Scored
from sonde.report import Calibration, Report, Text, calibration_from, calibration_view, render
from sonde.report.sections.calibration import prepare
from sonde.stats.bootstrap import Bootstrap

FAST = Bootstrap(20)


def scored(n: int = 200, sure: float = 3.0) -> Scored:
    """Rows whose log-odds are ``sure`` times too large."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, n)
    truth = (rng.random(n) < 1 / (1 + np.exp(-logits))).astype(float)
    names, ones = np.array([f"e{at}" for at in range(n)]), np.ones(n)
    return Scored(names, ones.astype(int), names, np.arange(n) % 5, truth, logits * sure, ones)


def result(of: Scored, says: str = "logit"):
    return SimpleNamespace(
        kind="logistic",
        best=SimpleNamespace(says=says),
        labels=("no", "yes"),
        selection=SimpleNamespace(scored=of),
        settings=SimpleNamespace(bootstrap=FAST),
    )


def test_the_diagram_has_the_measured_bins_before_and_after():
    measured = calibration(scored(), bootstrap=FAST)
    section = calibration_view(measured, "logistic", "yes")
    before, after = section.curves
    assert [one.n for one in before.bins] == [one.n for one in measured.own.bins]
    assert [one.observed for one in after.bins] == [
        one.observed for one in measured.with_temperature.bins
    ]
    assert before.error == measured.own.error and after.error < before.error
    shown = prepare(section)
    assert "As fitted: in" in shown["sentence"] and "overconfident" in shown["sentence"]
    assert after.name.startswith("temperature 2.") or after.name.startswith("temperature 3.")
    assert any("by luck alone" in value for _, value in shown["facts"])


def test_results_of_two_classes_have_one_and_others_none():
    (one,) = calibration_from({"truth": result(scored())})
    assert isinstance(one, Calibration) and one.positive == "yes" and "Truth." in one.note
    assert calibration_from({"numbers": result(scored(), "number")}) == ()
    broken = scored()
    broken.predicted[3] = np.nan
    (said,) = calibration_from({"truth": result(broken)})
    assert isinstance(said, Text) and "NaN or infinite" in said.body
    page = render(Report("t", "q", (one, said)))
    assert page.count("What the probabilities are worth") == 2


def test_honest_probabilities_are_called_so():
    shown = prepare(calibration_view(calibration(scored(2000, 1.0), bootstrap=FAST)))
    assert shown["sentence"].startswith("As fitted: in every one of 10 bins")


def test_bins_that_one_curve_lacks_are_dashes_in_the_tooltips():
    measured = calibration(scored(), bootstrap=FAST)
    section = calibration_view(measured)
    before, after = section.curves
    fewer = replace(section, curves=(before, replace(after, bins=after.bins[:-2])))
    data = json.loads(prepare(fewer)["chart"].data)
    assert {len(row["texts"]) for row in data["rows"]} == {len(data["heads"])}
    observed = next(row for row in data["rows"] if row["name"].endswith("observed"))
    assert "[" in observed["texts"][0]
    assert data["rows"][-1]["texts"][-2:] == ["–", "–"]


def test_of_several_probes_each_diagram_says_whose_it_is():
    one, two = calibration_from({"early": result(scored()), "late": result(scored(sure=1.0))})
    assert one.title == "What the probabilities are worth: early"
    assert two.title == "What the probabilities are worth: late"
    (alone,) = calibration_from({"early": result(scored())})
    assert alone.title == "What the probabilities are worth"
