import math

import pytest

from sonde.experiments.trackers.mlflow import MlflowTracker
from sonde.experiments.trackers.settings import MlflowSettings


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store of files, and its client."""
    from mlflow.tracking import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    address = (tmp_path / "mlruns").as_uri()
    return address, lambda: MlflowClient(tracking_uri=address)


def only_run(client, name):
    (run,) = client.search_runs([client.get_experiment_by_name(name).experiment_id])
    return run


def test_the_store_gives_everything_back(facts, store):
    address, client = store
    tracker = MlflowTracker(MlflowSettings(uri=address))
    tracker.begin(facts)
    for layer, value in enumerate((0.5, 0.75, math.nan)):
        tracker.log({"truth/prompt[-1]/auroc": value}, layer)
    tracker.finish({"truth/selected/auroc": 0.7}, "done")

    run = only_run(client(), "probe")
    assert run.info.run_name == "probe-layers5-ctx256-gemma-3-270m"
    assert run.info.status == "FINISHED"
    assert run.data.tags["group"] == "probe"
    assert run.data.tags["ledger_run"] == "7"
    assert run.data.params["seed"] == "0"
    assert run.data.params["stages.acts.layers"] == "[5]"
    curve = client().get_metric_history(run.info.run_id, "truth/prompt_-1_/auroc")
    assert [(point.step, point.value) for point in curve[:2]] == [(0, 0.5), (1, 0.75)]
    assert math.isnan(curve[2].value)
    assert run.data.metrics["summary/truth/selected/auroc"] == 0.7


def test_runs_of_one_experiment_stand_together_and_failures_show(facts, store):
    address, client = store
    for state in ("done", "failed", "interrupted"):
        tracker = MlflowTracker(MlflowSettings(uri=address, experiment="layers", group="sweep"))
        tracker.begin(facts)
        tracker.finish({}, state)
    there = client()
    runs = there.search_runs([there.get_experiment_by_name("layers").experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED", "FAILED", "KILLED"}
    assert {run.data.tags["group"] for run in runs} == {"sweep"}


def test_without_an_address_files_lie_beside_the_results(facts, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracker = MlflowTracker(MlflowSettings())
    tracker.begin(facts)
    tracker.finish({}, "done")
    assert list((facts.folder / "mlruns").glob("*/*/meta.yaml"))


def test_a_long_parameter_is_shortened(facts, store):
    from dataclasses import replace

    address, client = store
    tracker = MlflowTracker(MlflowSettings(uri=address))
    tracker.begin(replace(facts, config={"text": "x" * 9000, "empty": {}}))
    tracker.finish({}, "done")
    parameters = only_run(client(), "probe").data.params
    assert len(parameters["text"]) == 500
    assert parameters["empty"] == "{}"
