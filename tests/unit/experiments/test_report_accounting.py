"""What became of the data, from finished stages: one unit throughout, and sums that add up."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from planted import activations
from sonde.activations.activations import Skipped
from sonde.experiments.stage import Finished
from sonde.experiments.stages.data import DataStage
from sonde.experiments.stages.extract import ExtractStage
from sonde.experiments.stages.probe import ProbeStage
from sonde.experiments.stages.report_accounting import accounting_of
from sonde.experiments.stages.token_task import TokenTaskStage
from sonde.probes import logistic
from sonde.report.sections import accounting

RNG = np.random.default_rng(0)


def finished(name, stage, summary=None, held=None):
    return Finished(name, stage, Path(), "key", summary or {}, held=held)


def of_examples(acts, n, results):
    there = {
        "acts": finished("acts", ExtractStage(data="rows"), held=acts),
        "rows": finished("rows", DataStage(path="x.csv"), {"n": n, "skipped": {}}),
    }
    probe = finished("probe", ProbeStage(activations="acts", labels="rows"))
    return accounting_of(probe, results, there)


def fitted(acts, y):
    return logistic(acts, y, shuffles=0, directions=0, baseline=False, resamples=20)


def test_examples_that_lost_some_rows_only_are_no_loss():
    names = [f"e{number // 2}" for number in range(24)]
    acts = activations([RNG.normal(size=(24, 3))], examples=names, tokens=[0, 1] * 12)
    skipped = (
        Skipped("e0", "non-finite", "one token"),
        Skipped("gone", "non-finite", "at one position"),
        Skipped("gone", "non-finite", "at another"),
    )
    acts = replace(acts, skipped=skipped)
    labels = {f"e{number}": number % 2 for number in range(12)} | {"gone": 1}
    section = of_examples(acts, 13, fitted(acts, labels))
    assert [step.rows for step in section.steps] == [13, 12, 12]
    (loss,) = section.steps[1].losses
    assert (loss.reason, loss.number, loss.examples) == ("non-finite", 1, ("gone",))
    assert ("Examples without some of their rows", "1") in section.facts
    assert accounting.prepare(section)["sentence"].startswith("12 of 13 examples were used. 1 ")


@pytest.mark.parametrize(
    ("dropped", "said"),
    [
        (0, "All 24 rows were used; nothing was lost."),
        (2, "24 of 26 rows were used. 2 went no further: non-finite."),
    ],
)
def test_a_token_task_counts_rows_not_chunks(dropped, said):
    chunks = [f"f{number // 3}.txt#0" for number in range(24)]
    acts = activations([RNG.normal(size=(24, 3))], examples=chunks, tokens=[0, 1, 2] * 8)
    results = fitted(acts, np.arange(24) % 2)
    counts = {"rows": 24, "tokens_run": 90, "asked": 80, "documents": 8, "chunks": 8}
    there = {
        "task": finished(
            "task", TokenTaskStage(texts="x", tokens="c"), {**counts, "non_finite": dropped}
        )
    }
    section = accounting_of(finished("probe", ProbeStage(activations="task")), results, there)
    assert accounting.prepare(section)["sentence"] == said
    assert ("Picked from", "80 tokens") in section.facts
    assert str(results.join) == "24 of 24 labels joined."
