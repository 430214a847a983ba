"""Stages that hold probes against each other: equal items, equal depth, other data."""

from pathlib import Path

import pytest

from sonde.core.errors import SondeError
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.ledger.ledger import Ledger

FILE = """
name: pairs
question: Does it carry over?
model: {name: random:llama, check: false}
stages:
  many: {kind: data, path: contrast_sentences, limit: 60}
  few: {kind: data, path: contrast_sentences, limit: 48}
  one: {kind: extract, data: many}
  two: {kind: extract, data: few, model: {name: random:gemma2, check: false}}
  first:
    kind: probe
    activations: one
    labels: many
    examples_of: [two]
    method: &method {kind: mean_difference, shuffles: 1, directions: 1, resamples: 20}
  second: {kind: probe, activations: two, labels: few, method: *method}
  beside: {kind: compare, first: first, second: second}
  moved:
    kind: transfer
    sources:
      low: {activations: one, labels: many, hook: blocks.0.resid_post}
      high: {activations: one, labels: many, hook: blocks.1.resid_post}
      other: {activations: two, labels: few}
    train: [low, other]
    method: *method
  page: {kind: report}
claims:
  carries: {statement: It does., kind: superiority, of: moved.low to high, over: 0.5, by: 0.01}
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("pairs")
    (folder / "pairs.yaml").write_text(FILE)
    options = Options(out=folder / "runs", say=lambda _: None, progress=False)
    (report,) = run(read_specification(folder / "pairs.yaml", []), options)
    return folder, report.finished


def test_a_probe_on_the_examples_of_another_stage_lists_the_rest(done):
    _, finished = done
    join = finished["first"].summary["join"]
    assert join == "48 of 60 labels joined; 12 have no activations: 12 were skipped (not in two)."


def test_the_comparison_is_paired_and_by_depth(done):
    _, finished = done
    found = finished["beside"].summary
    assert (found["n"], found["design"], found["only_first"]) == (24, "paired", 0)
    for at in found["layers"]:
        assert at["first"] == at["second"]  # three layers each
        assert at["difference"]["value"] == pytest.approx(at["first_score"] - at["second_score"])
        assert at["difference"]["low"] < at["difference"]["high"]
    assert found["table"]["note"] == "random:llama beside random:gemma2, 24 units in both."
    assert finished["beside"].open()["n"] == 24


def test_every_pair_is_scored_and_can_be_made_again(done):
    folder, finished = done
    cells = finished["moved"].summary["cells"]
    assert [(it["train"], it["test"], it["shared"]) for it in cells] == [
        ("low", "low", 30), ("low", "high", 30), ("low", "other", 24),
        ("other", "low", 24), ("other", "high", 24), ("other", "other", 24),
    ]  # fmt: skip
    ledger = Ledger.open(folder / "runs" / "ledger.sqlite")
    (newest,) = ledger.list()
    kept = {it.name: it for it in ledger.show(newest.id).results if it.stage == "moved"}
    (scores,) = ledger.scores(kept["low to high"].id)
    assert scores.value == pytest.approx(cells[1]["score"]["value"])
    assert scores.cross_validated


def test_the_page_shows_both(done):
    _, finished = done
    page = finished["page"].open().read_text()
    assert "first beside second" in page
    assert "Trained here, tested there" in page


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("moved.train=[low, up]", r"train names 'up'; sources are low, high, other"),
        ("beside.first=one", "gives activations, not probe"),
        ("moved.sources={low: {activations: one, labels: many}}", "two sources at least"),
    ],
)
def test_what_is_not_there_is_refused_before_anything_runs(tmp_path, change, message):
    (tmp_path / "pairs.yaml").write_text(FILE)
    with pytest.raises(SondeError, match=message):
        run(
            read_specification(tmp_path / "pairs.yaml", [change]),
            Options(out=tmp_path / "runs", say=lambda _: None, progress=False),
        )
