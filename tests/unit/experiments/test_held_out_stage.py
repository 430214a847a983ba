"""The held-out stage: groups left out in turn, some of them, parts that another stage names."""

from pathlib import Path

import pytest

from sonde.core.errors import SondeError
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.experiments.stages import held_out
from sonde.experiments.stages.held_out import UNITS, HeldOutStage
from sonde.ledger.ledger import Ledger
from sonde.ledger.units import read_scores

FILE = """
name: topics
question: Is it learnt on other topics?
model: {name: random:llama, check: false}
stages:
  sentences: {kind: data, path: sentences.csv}
  topics: {kind: data, path: sentences.csv, columns: {label: topic}}
  acts: {kind: extract, data: sentences, layers: [1], template: none}
  each: &each
    kind: held_out
    activations: acts
    labels: sentences
    parts: topics
    method: {kind: mean_difference, folds: 3, resamples: 20}
  some: {<<: *each, groups: [sea]}
  page: {kind: report}
claims:
  carries: {kind: superiority, of: each.all, over: 0.5, by: 0.01, statement: It does.}
  at_sea: {kind: superiority, of: each.without sea, over: 0.5, by: 0.01, statement: There too.}
"""
TOPICS = "sea", "town", "wood"


def specification(folder: Path, *changes):
    rows = [f"s{at},The {TOPICS[at % 3]} {at} was {('good', 'bad')[at // 3 % 2]},"
            f"{'ab'[at // 3 % 2]},{TOPICS[at % 3]},p{at // 6}" for at in range(54)]  # fmt: skip
    (folder / "sentences.csv").write_text("id,text,label,topic,pair\n" + "\n".join(rows) + "\n")
    (folder / "topics.yaml").write_text(FILE)
    return read_specification(folder / "topics.yaml", list(changes))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("topics")
    options = Options(out=folder / "runs", say=lambda _: None, progress=False)
    (report,) = run(specification(folder), options)
    return folder, report.finished


def test_each_topic_is_scored_without_itself(done):
    folder, finished = done
    summary = finished["each"].summary
    assert list(summary["groups"]) == list(TOPICS)
    assert all(one["value"] > 0.8 for one in summary["groups"].values())
    assert finished["each"].open() == summary
    detail = Ledger.open(folder / "runs" / "ledger.sqlite").show(1)
    results = {one.name: one for one in detail.results if one.stage == "each"}
    assert list(results) == ["all", "without sea", "without town", "without wood"]
    path = finished["each"].folder / UNITS
    for one in results.values():
        again = read_scores(path, one.series, "auroc")
        assert again.value == pytest.approx(one.score.value)
    whole = read_scores(path, "all", "auroc")
    assert (len(whole), whole.cross_validated) == (54, True)
    assert {one.name for one in detail.verdicts} == {"carries", "at_sea"}


def test_named_groups_are_held_out_alone(done):
    _, finished = done
    some, each = finished["some"].summary, finished["each"].summary
    assert some["groups"] == {"sea": each["groups"]["sea"]}
    page = finished["page"].open().read_text()
    title = "<h2>mean_difference probes on groups that they were not fitted on, auroc: "
    assert f"{title}each</h2>" in page
    assert f"{title}some</h2>" in page


def test_groups_that_cannot_be_held_out_are_named(tmp_path, monkeypatch):
    options = Options(out=tmp_path / "runs", say=lambda _: None, progress=False)
    with pytest.raises(SondeError, match=r"names 'seas', .*Did you mean 'sea'"):
        run(specification(tmp_path, "some.groups=[seas]"), options)
    monkeypatch.setattr(held_out, "MOST", 8)
    with pytest.raises(SondeError, match="fall into 9 groups, such as 'p0'"):
        run(specification(tmp_path, "each.parts=null", "claims={}"), options)


def test_examples_without_groups_have_nothing_to_hold_out(tmp_path):
    options = Options(out=tmp_path / "runs", say=lambda _: None, progress=False)
    spec = specification(tmp_path, "each.parts=null", "some.parts=null", "claims={}")
    rows = (tmp_path / "sentences.csv").read_text().replace(",pair\n", ",other\n")
    (tmp_path / "sentences.csv").write_text(rows)
    with pytest.raises(SondeError, match=r"stages\.each have no groups that could be held out"):
        run(spec, options)


def test_comparisons_are_refused():
    with pytest.raises(ValueError, match="fit utilities first"):
        HeldOutStage(activations="a", labels="l", method="bradley_terry")  # pyright: ignore
