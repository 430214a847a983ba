import json
import sys

import pytest

from sonde.core.errors import SondeError
from sonde.experiments.cost import Cost
from sonde.experiments.runner import Options, run
from sonde.experiments.spec import read_specification
from sonde.experiments.stage import Outcome
from sonde.experiments.trackers import Tracking, check_trackers, tracker_problems
from sonde.experiments.trackers.tracking import _is_installed

FAST = "model={name: random:llama, check: false}"
COST = Cost(1.0, "cpu", 1.0, 1.0, 10)


@pytest.fixture(autouse=True)
def nobody_s_account(tmp_path, monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_names_begin_with_their_stage_and_the_summary_is_kept(facts):
    tracking = Tracking((), facts, print)
    tracking.track("probe")({"loss": 0.5}, 3)
    tracking.stage_ended("acts", Outcome({"rows": 24}), facts.folder, COST)
    tracking.finish("done", 12.0)
    tracking.track("probe")({"loss": 0.1}, 4)  # a run that goes on is not followed any further
    begin, log, end, finish = lines(facts.folder / "7.jsonl")
    assert (begin["event"], finish["event"]) == ("begin", "finish")
    assert (log["values"], log["step"]) == ({"probe/loss": 0.5}, 3)
    assert end["values"]["acts/rows"] == 24
    assert end["values"]["acts/cost/seconds"] == 1.0
    assert finish["summary"] == {"seconds": 12.0}


def test_a_folder_that_cannot_be_written_stops_nothing(facts):
    facts.folder.parent.mkdir(parents=True, exist_ok=True)
    facts.folder.write_text("a file where the folder should be")
    said = []
    tracking = Tracking((), facts, said.append)
    tracking.track("a")({"b": 1.0}, 0)
    tracking.finish("done", 1.0)
    assert len(said) == 1
    assert "cannot be written" in said[0]


def test_a_run_is_followed_from_its_stages_to_its_results(experiment, tmp_path):
    spec = read_specification(experiment, [FAST, "track=[tensorboard]"])
    said = []
    (report,) = run(spec, Options(out=tmp_path / "runs", say=said.append, progress=False))
    folder = tmp_path / "runs" / "small" / "metrics"
    logged = [line for line in lines(folder / f"{report.run}.jsonl") if line["event"] == "log"]
    progress = next(line for line in logged if "acts/tokens" in line["values"])
    assert progress["values"]["acts/share"] == 1.0
    assert progress["step"] == progress["values"]["acts/tokens"] > 0
    curve = {line["step"]: line["values"] for line in logged if "truth/auroc" in line["values"]}
    found = report.finished["truth"].summary["layers"]
    assert {step: values["truth/auroc"] for step, values in curve.items()} == {
        layer: found[f"blocks.{layer}.resid_post"]["value"] for layer in (0, 1)
    }
    counts = ("true_positives", "false_positives", "true_negatives", "false_negatives")
    assert sum(curve[0][f"truth/{count}"] for count in counts) == 24
    last = lines(folder / f"{report.run}.jsonl")[-1]
    assert last["state"] == "done"
    chosen = report.finished["truth"].summary["selected"]["value"]
    assert last["summary"]["truth/selected/auroc"] == chosen
    assert list(folder.glob("tensorboard/small/small-random-llama-1/events.*"))


def test_metrics_are_no_part_of_what_is_verified(experiment, tmp_path):
    from sonde.experiments.results import verify

    run(read_specification(experiment, [FAST]), Options(tmp_path, say=lambda _: None))
    (tmp_path / "small" / "metrics" / "1.jsonl").write_text("lost")
    assert verify(tmp_path / "small") == []


def test_a_tracker_that_fails_in_the_middle_of_a_run_does_not_end_it(
    experiment, tmp_path, monkeypatch
):
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    def broken(*_, **__):
        raise ConnectionError("the drive is away")

    monkeypatch.setattr(SummaryWriter, "add_scalar", broken)
    said = []
    spec = read_specification(experiment, [FAST, "track=[tensorboard]"])
    (report,) = run(spec, Options(out=tmp_path, say=said.append, progress=False))
    assert {stage.state for stage in report.stages} == {"done"}
    assert len([text for text in said if "tensorboard failed" in text]) == 1


@pytest.mark.parametrize("kind", ["wandb", "tensorboard", "mlflow"])
def test_an_extra_that_is_not_there_is_named_before_anything_runs(
    kind, experiment, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, kind, None)  # as if it were not installed
    spec = read_specification(experiment, [f"track=[{{kind: {kind}}}]"])
    with pytest.raises(SondeError, match=rf"pip install 'sonde\[{kind}\]'"):
        run(spec, Options(out=tmp_path / "runs", say=lambda _: None))
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_a_tracker_left_behind_is_no_package(tmp_path, monkeypatch):
    (tmp_path / "some_tracker").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not _is_installed("some_tracker")
    assert _is_installed("json")


def test_wandb_online_wants_a_key_and_offline_does_not(experiment, monkeypatch):
    online = read_specification(experiment, ["track=[wandb]"])
    assert "mode: offline" in tracker_problems(online)[0]
    with pytest.raises(SondeError, match="wandb login"):
        check_trackers(online)
    offline = read_specification(experiment, ["track=[{kind: wandb, mode: offline}]"])
    assert tracker_problems(offline) == ()
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert tracker_problems(online) == ()
