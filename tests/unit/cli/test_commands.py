import re

import pytest

from sonde.cli.console import bytes_in_words, seconds_in_words
from sonde.cli.main import main
from sonde.cli.results import print_summary, words
from sonde.ledger.ledger import Ledger


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    return leaving.value.code


def test_models_lists_the_catalog(capsys):
    assert run("models") == 0
    shown = capsys.readouterr().out
    assert "smollm2-135m-instruct" in shown
    assert "google/gemma-2-27b" in shown


def test_doctor_is_green_for_a_sound_model(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("SONDE_CACHE", str(tmp_path))
    assert run("doctor", "--model", "random:llama") == 0
    shown = capsys.readouterr().out
    assert "checks passed" in shown
    assert "FAILED" not in shown


def test_doctor_is_red_for_a_model_that_is_not_there(capsys):
    assert run("doctor", "--model", "random:lama") == 1
    shown = capsys.readouterr().out
    assert "FAILED" in shown
    assert "lama" in shown


@pytest.mark.parametrize("command", ["show", "verify"])
def test_a_path_that_holds_nothing_is_refused(command, capsys, tmp_path):
    assert run(command, str(tmp_path)) == 2
    assert "nothing that sonde wrote" in capsys.readouterr().err
    assert run(command, str(tmp_path / "none")) == 2
    assert "does not exist" in capsys.readouterr().err


def test_ledger_list_refuses_a_state_that_does_not_exist(capsys, tmp_path):
    ledger = str(tmp_path / "ledger.sqlite")
    Ledger.open(ledger)
    assert run("ledger", "list", "--state", "dne", "--ledger", ledger) == 2
    assert "Did you mean 'done'?" in capsys.readouterr().err


def test_ledger_list_without_a_ledger_says_so(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("SONDE_LEDGER", raising=False)
    assert run("ledger", "list", "--out", str(tmp_path)) == 2
    assert "There is no ledger" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (54.5e9, "54.5 GB"), (2e12, "2.0 TB")],
)
def test_sizes_in_words(count, text):
    assert bytes_in_words(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.44, "0.4 s"), (59.94, "59.9 s"), (130, "2 min 10 s"), (11100, "3 h 5 min")],
)
def test_times_in_words(seconds, text):
    assert seconds_in_words(seconds) == text


def test_the_largest_dimensions_come_first_however_they_were_kept(capsys):
    """A result that is read back has its dimensions in the order of their names."""
    dimensions = {
        str(number): {"peak": float(number), "layer": 3, "severe": False}
        for number in (10, 2, 300, 41, 5, 60)
    }
    print_summary("massive", {"dimensions": dimensions})
    shown = re.findall(r"dimension (\d+):", capsys.readouterr().out)
    assert shown == ["300", "60", "41", "10", "5"]


def test_an_interval_in_words():
    assert words({"value": 0.5, "low": 0.25, "high": None}) == "0.500 [0.250, –]"
    assert words(None) == "–"
