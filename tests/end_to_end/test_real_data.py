"""Experiment files on real data: ratings and choices of film reviews, tokens of three books."""

import csv
import json

import pytest

from real_texts import review_ratings, reviews
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification

N = 300
PREFERENCES = """\
name: reviews
question: Do the first blocks tell which review was rated higher?
model: {{name: {model}, check: false}}
stages:
  texts: {{kind: data, path: reviews.csv}}
  chosen: {{kind: comparisons, path: ratings.csv, draw: {{n: 5000}}}}
  kept_apart: {{kind: comparisons, path: ratings.csv, draw: {{n: 1000, seed: 1}}}}
  scores: {{kind: utilities, data: texts, comparisons: chosen}}
  acts: {{kind: extract, data: texts, layers: [3], positions: prompt.mean, template: none}}
  ridge:
    kind: probe
    activations: acts
    labels: scores
    rank_against: kept_apart
    method: &method
      {{kind: ridge, penalties: [1000, 10000], resamples: 100, shuffles: 2, directions: 0}}
  pairs:
    kind: probe
    activations: acts
    labels: texts
    comparisons: chosen
    method: {{<<: *method, kind: bradley_terry, baseline: false}}
  page: {{kind: report}}
"""

TOKENS = """\
name: books
question: Does the first block know which token it reads?
model: {{name: {model}, check: false}}
stages:
  current:
    kind: token_task
    texts: texts
    tokens: " the"
    task: current
    context: 64
    max_tokens: 12000
    rows: 300
    layers: [0]
  reads:
    kind: probe
    activations: current
    method: {{kind: logistic, metric: balanced_accuracy, penalties: [10], folds: 3, shuffles: 1}}
  page: {{kind: report, tokens: current}}
"""


def ran(folder, text):
    (folder / "experiment.yaml").write_text(text)
    (report,) = run(
        read_specification(folder / "experiment.yaml", []),
        Options(out=folder / "runs", progress=False),
    )
    return {name: one.summary for name, one in report.finished.items()}


@pytest.fixture(scope="module")
def rated(embedded_name, shared_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reviews")
    with (folder / "reviews.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "prompt", "label"])
        table.writerows([one.id, one.prompt, one.label] for one in reviews(shared_data, N))
    with (folder / "ratings.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "ratings"])
        for name, given in review_ratings(shared_data, N).items():
            table.writerow([name, json.dumps(given)])
    return ran(folder, PREFERENCES.format(model=embedded_name))


def test_choices_between_reviews_become_scores_that_a_probe_reads(rated):
    ridge, pairs = rated["ridge"], rated["pairs"]
    assert ridge["join"] == f"{N} of {N} labels joined."
    assert ridge["selected"]["low"] > 0.05 > ridge["control"]["high"] - 0.05
    assert pairs["selected"]["low"] > 0.55
    assert abs(pairs["control"]["value"] - 0.5) < 0.08
    # Held against choices that nothing was fitted to.
    assert ridge["ranked_pairs"] == 1000
    assert ridge["pair_accuracy"]["low"] > 0.55
    assert ridge["kendall_tau"]["low"] > 0.1


def test_pairs_on_both_sides_of_a_fold_are_counted(rated):
    (said,) = [text for text in rated["pairs"]["warnings"] if "comparisons are of two" in text]
    tested = int(said.split(" of ")[0].replace(",", ""))
    assert 0.15 < tested / 5000 < 0.25


def test_the_token_that_is_read_is_told_in_books_that_no_fit_has_seen(
    embedded_name, shared_data, tmp_path
):
    """Each book is cut into parts, so that some can be kept apart for the report."""
    (tmp_path / "texts").mkdir()
    for book in sorted((shared_data / "text").glob("*.txt")):
        text = book.read_text(encoding="utf-8")
        for part in range(8):
            start = part * len(text) // 8
            path = tmp_path / "texts" / f"{book.stem}-{part}.txt"
            path.write_text(text[start : start + 2500], encoding="utf-8")
    found = ran(tmp_path, TOKENS.format(model=embedded_name))
    reads, current = found["reads"], found["current"]
    assert 0.02 < current["natural_rate"] < 0.1
    assert current["rows"] == 300
    assert reads["selected"]["value"] > 0.97
    assert reads["selected"]["low"] > 0.75  # of some twenty documents
    assert abs(reads["control"]["value"] - 0.5) < 0.1
    assert reads["baselines"]["current token"]["value"] > 0.99
    assert "token_view" in found["page"]["sections"]
