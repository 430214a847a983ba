import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sonde.core.progress import Step
from sonde.experiments.cost import Cost
from sonde.experiments.stage import Outcome
from sonde.experiments.trackers.values import (
    ProgressValues,
    cost_values,
    result_values,
    summary_values,
)
from sonde.ledger.records import Against, Measured
from sonde.stats.interval import Interval

SCORE = Interval(0.8, 0.7, 0.9, 6)
CONTROL = Interval(0.5, 0.4, 0.6, 6)


def measured(name, metric="auroc", **changes):
    return Measured(name, metric, SCORE, **changes)


def followed(*results, folder=None):
    return list(result_values(Outcome({}, results), folder))


@pytest.fixture
def units(tmp_path):
    """Six rows of two classes; by hand: 2 true positives, 1 false, 1 true negative, 2 missed."""
    truth = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
    said = np.array([2.0, 0.5, -1.0, -0.1, 3.0, -2.0])
    rows = {
        "series": ["selected"] * 6,
        "unit": [f"u{number}" for number in range(6)],
        "predicted": said,
        "truth": truth,
    }
    pq.write_table(pa.table(rows), tmp_path / "units.parquet")
    return tmp_path


def test_balanced_accuracy_and_the_confusion_matrix_come_first(units):
    result = measured("selected", units="units.parquet", series="selected")
    ((values, step),) = followed(result, folder=units)
    assert step is None
    assert list(values)[:5] == [
        "selected/balanced_accuracy",
        "selected/true_positives",
        "selected/false_positives",
        "selected/true_negatives",
        "selected/false_negatives",
    ]
    # recall of the positives 2/4, of the negatives 1/2
    assert list(values.values())[:5] == [0.5, 2, 1, 1, 2]
    assert values["selected/auroc"] == 0.8


def test_a_metric_without_classes_has_no_confusion(units):
    result = measured("selected", "r2", units="units.parquet", series="selected")
    ((values, _),) = followed(result, folder=units)
    assert values == {"selected/r2": 0.8, "selected/r2_low": 0.7, "selected/r2_high": 0.9}


def test_layers_are_steps_of_one_curve_with_their_controls():
    controls = {"shuffled labels": Against(CONTROL)}
    found = followed(
        measured("blocks.0.resid_post", controls=controls), measured("blocks.12.resid_post")
    )
    assert [step for _, step in found] == [0, 12]
    assert found[0][0]["auroc"] == 0.8
    assert found[0][0]["auroc_shuffled_labels"] == 0.5


def test_sites_and_positions_are_curves_of_their_own():
    found = followed(
        measured("blocks.0.resid_post prompt[-1]"),
        measured("blocks.0.attn_out prompt[-1]"),
        measured("blocks.0.attn_out user.mean"),
    )
    assert [next(iter(values)) for values, _ in found] == [
        "resid_post/prompt[-1]/auroc",
        "attn_out/prompt[-1]/auroc",
        "attn_out/user.mean/auroc",
    ]


def test_a_result_that_is_not_applicable_is_not_followed():
    assert followed(Measured("selected", "auroc", None, not_applicable="one class")) == []


def test_only_numbers_of_a_summary_are_followed():
    outcome = Outcome({"rows": 24, "ok": True, "hooks": ["a"], "share": 0.5, "none": None})
    assert summary_values(outcome) == {"rows": 24.0, "share": 0.5}


def test_what_was_not_reported_is_left_out_of_the_cost():
    cost = Cost(2.0, "cpu", 3.0, 3.0, 100, disk=7)
    assert cost_values(cost) == {
        "cost/seconds": 2.0,
        "cost/device_seconds": 3.0,
        "cost/memory_bytes": 100.0,
        "cost/disk_bytes": 7.0,
    }


def test_progress_is_told_now_and_then_and_at_the_end():
    told = []
    watch = ProgressValues(lambda values, step: told.append((values, step)), every=1e9)
    for done in (10, 20, 30):
        watch(Step("extracting", done, 30, "tokens"))
    ((values, step),) = told
    assert step == 30
    assert (values["tokens"], values["share"]) == (30, 1.0)
    assert values["tokens_per_second"] > 0


def test_every_step_is_told_where_no_time_has_to_pass():
    told = []
    watch = ProgressValues(lambda values, step: told.append(step), every=0)
    for done in (10, 20, 30):
        watch(Step("extracting", done, 30, "tokens"))
    assert told == [10, 20, 30]
