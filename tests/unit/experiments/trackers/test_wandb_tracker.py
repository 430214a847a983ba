import math

import pytest
from tests.wandb_files import read_offline_runs

from sonde.experiments.trackers.settings import WandbSettings
from sonde.experiments.trackers.weights_and_biases import WandbTracker, is_logged_in


@pytest.fixture(autouse=True)
def nobody_s_account(tmp_path, monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_PROJECT", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "wandb"))


def test_an_offline_run_holds_every_number(facts):
    """Two runs in one process, as a sweep has them."""
    own = {"project": "probes", "group": "layers", "name": "{variant}"}
    for changes, state in (({}, "failed"), (own, "done")):
        tracker = WandbTracker(WandbSettings(mode="offline", tags=("night",), **changes))
        tracker.begin(facts)
        tracker.log({"acts/tokens": 574.0, "acts/tokens_per_second": 8000.0}, 574)
        for layer, value in enumerate((0.5, 0.75, math.nan)):
            tracker.log({"truth/balanced_accuracy": value, "truth/true_positives": 9.0}, layer)
        tracker.finish({"truth/selected/balanced_accuracy": 0.7}, state)

    first, second = read_offline_runs(facts.folder)
    assert (first.run.project, first.run.run_group) == ("sonde", "probe")
    assert first.run.display_name == "probe-layers5-ctx256-gemma-3-270m"
    assert first.run.notes == "Will the next token be ' the'?"
    assert list(first.run.tags) == ["night"]
    assert first.config["stages"]["acts"]["layers"] == [5]
    assert first.config["ledger_run"] == 7
    names = "truth/step", "truth/balanced_accuracy", "truth/true_positives"
    curve = [tuple(row[name] for name in names) for row in first.history if names[1] in row]
    assert curve[:2] == [(0, 0.5, 9), (1, 0.75, 9)]
    assert math.isnan(float(curve[2][1]))
    assert first.metrics["truth/*"].step_metric == "truth/step"
    assert first.metrics["truth/balanced_accuracy"].summary.max
    assert first.summary["truth/selected/balanced_accuracy"] == 0.7
    assert first.summary["state"] == "failed"
    assert (first.exit_code, second.exit_code) == (1, 0)
    assert (second.run.project, second.run.run_group) == ("probes", "layers")
    assert second.run.display_name == "layers5-ctx256"


def test_a_key_is_found_where_wandb_looks_for_it(tmp_path, monkeypatch):
    assert not is_logged_in()
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password key\n")
    assert is_logged_in()
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert not is_logged_in()
    monkeypatch.setenv("WANDB_API_KEY", "key")
    assert is_logged_in()
