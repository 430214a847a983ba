from pathlib import Path

from sonde.cli.results import headline, print_summary, print_sweep
from sonde.experiments.reports import StageReport, VariantReport
from sonde.experiments.stage import Finished
from sonde.experiments.stages.data import DataStage

SELECTED = {"selected": {"value": 0.8, "low": 0.7, "high": 0.9, "n": 12}}


def variant(label, **summaries) -> VariantReport:
    stage = DataStage(path="x.csv")
    stages = tuple(
        StageReport(name, "done", Finished(name, stage, Path(), "k", found, ""))
        for name, found in summaries.items()
    )
    return VariantReport(label, stages, None)


def test_a_sweep_ends_with_a_row_for_each_variant(capsys):
    reports = (
        variant("seed=0", data={"n": 3}, truth=SELECTED),
        variant("seed=1", data={"n": 3}, truth={}),
    )
    print_sweep(reports)
    lines = [line.rstrip() for line in capsys.readouterr().out.strip().split("\n")]
    assert lines[0] == "All variants"
    assert lines[1].split() == ["variant", "truth"]
    assert lines[2].split(maxsplit=1) == ["seed=0", "0.800 [0.700, 0.900]"]
    assert lines[3].split() == ["seed=1", "–"]


def test_without_a_measured_stage_there_is_no_table(capsys):
    print_sweep((variant("a", data={"n": 3}), variant("b", data={"n": 4})))
    assert capsys.readouterr().out == ""


def test_a_headline_is_the_first_number():
    assert headline(SELECTED) == "0.800 [0.700, 0.900]"
    assert headline({"n": 3}) == ""


def test_a_summary_is_printed_in_words(capsys):
    print_summary("data", {"n": 3, "skipped": {"NaN label": 2}, "labels": {}, "memory": 2e9})
    shown = capsys.readouterr().out
    assert "NaN label 2" in shown
    assert "2.0 GB" in shown
    assert not set("{}'") & set(shown)
