"""What lies at a path, from one result to the folder of all experiments."""

import json
import shutil

import pytest

from sonde.core.errors import SondeError
from sonde.experiments.folder import ResultFolder
from sonde.experiments.results import (
    Found,
    experiments_in,
    identify,
    result_folders,
    stage_of,
    verify,
)
from sonde.experiments.spec import read_specification
from sonde.experiments.stages.data import DataStage


def made(root, stage, key, text="numbers"):
    """Make a finished result of a data stage."""
    folder = ResultFolder(root / stage / key)
    folder.begin(keep=False)
    (folder.path / "examples.jsonl").write_text(text)
    settings = DataStage(path="x.csv").model_dump(mode="json", exclude={"when", "path"})
    content = {
        "stage": stage, "kind": "data", "key": key, "version": 1, "summary": {"n": 1},
        "made_of": {"settings": settings, "files": {"path": "ab"}, "inputs": {}},
        "sonde_version": "0",
    }  # fmt: skip
    folder.finish(content, {"seconds": 1})
    return folder.path


@pytest.fixture
def runs(tmp_path):
    """Two experiments, one of which has not ended; and something that is none."""
    root = tmp_path / "runs"
    made(root / "one", "news", "k1")
    made(root / "one", "news", "k2")
    stages = {"news": "news/k2"}
    (root / "one" / "variants.json").write_text(
        json.dumps([{"variant": "", "stages": stages, "skipped": {}}])
    )
    made(root / "two", "news", "k3")
    (root / "notes").mkdir()
    (root / "ledger.sqlite").touch()
    return root


def test_every_level_is_told_from_the_others(runs, experiment):
    assert identify(runs) == Found("runs", runs)
    assert identify(runs / "one").kind == "experiment"
    assert identify(runs / "one" / "variants.json").path == runs / "one"
    assert identify(runs / "two").kind == "experiment"  # no run of it has ended
    assert identify(runs / "one" / "news").kind == "stage"
    assert identify(runs / "one" / "news" / "k1" / "done.json").kind == "result"
    assert identify(experiment).kind == "file"
    assert experiments_in(runs) == (runs / "one", runs / "two")
    with pytest.raises(SondeError, match="nothing that sonde wrote"):
        identify(runs / "notes")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("one/news/k1/examples.jsonl", r"is one file of the result in .*k1\. Give .*k1\.$"),
        ("runs.parquet", "is a table, of data or of runs.* sonde ledger import reads runs"),
        ("ledger.sqlite", "is a database.* sonde ledger list --ledger .*ledger.sqlite"),
        ("notes/x.bin", "is nothing that sonde wrote. Give"),
    ],
)
def test_a_file_that_is_no_result_is_refused_with_what_it_is(runs, name, said):
    if not (runs / name).exists():
        (runs / name).write_text("x")
    with pytest.raises(SondeError, match=said):
        identify(runs / name)


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        (".", ["k1", "k2", "k3"]),
        ("one", ["k1", "k2"]),
        ("two", ["k3"]),
        ("one/news", ["k1", "k2"]),
        ("one/news/k1", ["k1"]),
    ],
)
def test_a_changed_byte_is_found_from_every_level_above(runs, path, keys):
    folders = result_folders(identify(runs / path))
    assert sorted(folder.name for folder in folders) == keys
    assert verify(runs / path) == []
    for folder in folders:
        (folder / "examples.jsonl").write_text("other numbers")
        (problem,) = verify(runs / path)
        assert f"{folder.name}/examples.jsonl has changed" in problem
        (folder / "examples.jsonl").write_text("numbers")


def test_a_result_that_a_run_used_and_that_is_gone_is_found(runs):
    shutil.rmtree(runs / "one" / "news" / "k2")
    assert ["unfinished" in problem for problem in verify(runs)] == [True]


def test_an_experiment_file_cannot_be_verified_and_says_what_can(experiment):
    with pytest.raises(SondeError, match=r"experiment file.*runs/<name>"):
        verify(experiment)


def test_commands_show_every_level(runs, experiment, capsys):
    from sonde.cli.show import show_file
    from sonde.cli.verify import verify_path

    show_file(runs)
    assert [line.split()[0] for line in capsys.readouterr().out.split("\n")[1:3]] == ["one", "two"]
    show_file(runs / "two")
    assert "No run of this experiment has ended yet" in capsys.readouterr().out
    show_file(runs / "one" / "news")
    assert "2 results of the stage news" in capsys.readouterr().out
    show_file(runs / "one" / "news" / "k1")
    shown = capsys.readouterr().out
    assert "news (data), key k1" in shown
    assert not set("{}'") & set(shown)
    verify_path(runs)
    assert "every byte is as it was written (3 results)." in capsys.readouterr().out
    show_file(experiment)
    shown = capsys.readouterr().out
    assert "small, an experiment file (exploratory)" in shown
    assert f"sonde plan {experiment}" in shown
    assert read_specification(experiment).variants[0].order == ("sentences", "acts", "truth")
    assert shown.index("sentences") < shown.index("acts") < shown.index("truth")


def test_show_of_a_file_that_is_no_experiment_says_so(tmp_path):
    from sonde.cli.show import show_file

    path = tmp_path / "other.yaml"
    path.write_text("- 1\n")
    with pytest.raises(SondeError, match="is not an experiment"):
        show_file(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "guess"}, "A result of kind 'guess' cannot be read: there is no such kind."),
        ({"limit": 0}, "limit is 0, which is too low: write 1 or more. Read it with sonde 0,"),
    ],
)
def test_a_result_of_another_sonde_is_refused_in_words(runs, changes, said):
    done = ResultFolder(runs / "one" / "news" / "k1").done
    settings = {**done.made_of["settings"], **changes}
    kind = settings["kind"]
    other = done.model_copy(
        update={"kind": kind, "made_of": {**done.made_of, "settings": settings}}
    )
    with pytest.raises(SondeError) as error:
        stage_of(other)
    assert said in str(error.value)
