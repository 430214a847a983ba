"""Every kind of probe runs from an experiment file, with its results in the ledger."""

import pytest

from sonde.cli.results import print_summary
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.ledger.ledger import Ledger
from sonde.ledger.units import read_scores
from sonde.probes.kinds import KINDS
from sonde.probes.names import BAG, DIRECTION, LENGTH, SHUFFLED, WEIGHTS
from sonde.stats.metrics import METRICS

ITEMS = 30
NETWORKS = ("mlp", "attention", "multi_token")
BASELINED = ("multinomial", "bradley_terry")  # words are counted again for every fit
HEAD = """\
name: kinds
question: Does every kind run?
model: {name: random:llama, check: false}
stages:
  words: {kind: data, path: words.csv}
  pairs: {kind: comparisons, path: pairs.csv}
  last: {kind: extract, data: words, layers: [0], template: none}
  every: {kind: extract, data: words, layers: [0], template: none, positions: all.each}
"""
STAGE = """\
  {name}:
    kind: probe
    activations: {acts}
    labels: words
    method: {{kind: {name}, folds: {folds}, resamples: 5, shuffles: 1, directions: 1{more}}}
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Run one experiment with a stage for each kind."""
    folder = tmp_path_factory.mktemp("kinds")
    rows, pairs = ["id,text,label"], ["first,second,outcome"]
    for number in range(ITEMS):
        rows.append(f"i{number:02},{'warm' if number % 2 else 'cold'} day {number},{number % 2}")
        for step in (4, 8, 12, 16, 20, 1, 3, 7):
            other = (number + step) % ITEMS
            pairs.append(f"i{number:02},i{other:02},{int((number * 7) % 11 > (other * 7) % 11)}")
    (folder / "words.csv").write_text("\n".join(rows) + "\n")
    (folder / "pairs.csv").write_text("\n".join(pairs) + "\n")
    text = HEAD
    for name, kind in KINDS.items():
        more = ", penalties: [10]" if "penalties" in kind.settings.model_fields else ""
        more += ", epochs: 2" if name in NETWORKS else ""
        more += "" if name in BASELINED else ", baseline: false"
        acts = "every" if kind.pools else "last"
        text += STAGE.format(name=name, acts=acts, more=more, folds=4 if name in NETWORKS else 3)
        text += "    comparisons: pairs\n" if name == "bradley_terry" else ""
    (folder / "experiment.yaml").write_text(text)
    (report,) = run(
        read_specification(folder / "experiment.yaml", []),
        Options(out=folder / "runs", progress=False),
    )
    return folder, report


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_summary_and_the_ledger_have_it(ran, kind, capsys):
    folder, report = ran
    finished = report.finished[kind]
    summary = finished.summary
    assert summary["method"] == kind
    assert {SHUFFLED, DIRECTION} == set(summary["controls"])
    there = {BAG, LENGTH} if kind in BASELINED else set()
    assert (set(summary["baselines"]), set(summary["missing"])) == (
        there,
        {BAG, LENGTH, WEIGHTS} - there,
    )
    print_summary(kind, summary)
    assert summary["metric"] in capsys.readouterr().out
    detail = Ledger.open(folder / "runs" / "ledger.sqlite").show(1)
    (result,) = [one for one in detail.results if one.stage == kind and one.name == "selected"]
    own = read_scores(finished.folder / result.units, result.series, result.metric)
    again = METRICS[result.metric].value(own.truth, own.predicted)
    assert again == pytest.approx(result.score.value)
    assert (own.other is not None) == (kind == "bradley_terry")
