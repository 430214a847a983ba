import sys

import pytest

from sonde.cli.main import main

FILE = """\
name: large
model: random:gemma-2-27b
stages:
  texts: {kind: data, path: contrast_sentences, limit: 8}
  acts: {kind: extract, data: texts}
"""


@pytest.mark.parametrize(("hardware", "code"), [("h100", 0), ("l4", 1)])
def test_a_model_that_does_not_fit_stands_in_the_way(hardware, code, tmp_path, capsys):
    file = tmp_path / "large.yaml"
    file.write_text(FILE)
    with pytest.raises(SystemExit) as leaving:
        main(["plan", str(file), "--out", str(tmp_path), "--hardware", hardware])
    shown = capsys.readouterr().out
    assert leaving.value.code == code
    assert "54.5 GB of weights" in shown  # 27.2e9 parameters in bfloat16
    assert ("DOES NOT FIT" in shown) == ("quantise" in shown) == bool(code)


def plan_of(file, tmp_path, capsys, *options):
    with pytest.raises(SystemExit) as leaving:
        main(["plan", str(file), "--out", str(tmp_path), *options])
    return leaving.value.code, capsys.readouterr().out


@pytest.fixture
def large(tmp_path, monkeypatch):
    monkeypatch.delenv("SONDE_PRICES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    file = tmp_path / "large.yaml"
    file.write_text(FILE)
    return file


def test_memory_that_is_not_known_is_said_with_the_reason(large, tmp_path, capsys):
    large.write_text(FILE.replace("random:gemma-2-27b", "lab/absent"))
    code, shown = plan_of(large, tmp_path, capsys, "--hardware", "h100")
    assert code == 1
    assert "Memory of acts: not known. 'lab/absent' is not in the cache" in shown
    assert "fits" not in shown
    assert "0 B" not in shown.split("Together")[1].split("Disk")[0]


def test_energy_and_money_are_said_with_where_they_come_from(large, tmp_path, capsys):
    _, shown = plan_of(large, tmp_path, capsys, "--hardware", "h100")
    assert "(700 W, the board's full power)" in shown
    assert "Energy: at most " in shown
    assert "($3.00 an hour, a rough on-demand price, as of 20" in shown


def test_one_s_own_price_is_used_and_named(large, tmp_path, capsys, monkeypatch):
    prices = tmp_path / "mine.yaml"
    prices.write_text("devices: {h100: 36000}\n")
    monkeypatch.setenv("SONDE_PRICES", str(prices))
    _, shown = plan_of(large, tmp_path, capsys, "--hardware", "h100")
    assert f"($36000.00 an hour, from {prices}" in shown
    assert "Money: about $1" in shown  # ten dollars a second, for more than 109 seconds


def test_an_extra_that_is_not_there_is_in_the_way(large, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    large.write_text(FILE + "track: [mlflow]\n")
    code, shown = plan_of(large, tmp_path, capsys, "--hardware", "h100")
    assert code == 1
    assert "pip install 'sonde[mlflow]'" in shown
