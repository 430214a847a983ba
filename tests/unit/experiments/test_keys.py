import shutil

import pytest

from sonde.core.errors import SondeError
from sonde.experiments.keys import all_keys, with_files
from sonde.experiments.spec import read_specification
from sonde.experiments.stages.probe import ProbeStage


def keys(path, *overrides):
    return all_keys(read_specification(path, overrides).variants[0])


def changed(path, *overrides) -> set[str]:
    before, after = keys(path), keys(path, *overrides)
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    ("override", "stages"),
    [
        ("question=Another?", set()),
        ("truth.when=acts.rows > 3", set()),
        ("seed=7", {"truth"}),  # neither reading nor extracting draws anything
        ("truth.method.folds=4", {"truth"}),
        ("acts.layers=[0]", {"acts", "truth"}),
        ("model=random:gpt2", {"acts", "truth"}),
        ("model.seed=5", {"acts", "truth"}),
        ("model.dtype=bfloat16", {"acts", "truth"}),
        ("sentences.limit=20", {"sentences", "acts", "truth"}),
    ],
)
def test_a_key_changes_with_what_decides_the_result_and_nothing_else(experiment, override, stages):
    assert changed(experiment, override) == stages


def test_a_report_has_a_new_key_where_a_stage_that_it_may_show_has(experiment):
    page = "stages.page={kind: report}"
    before, after = keys(experiment, page), keys(experiment, page, "seed=7")
    assert {name for name in before if before[name] != after[name]} == {"truth", "page"}


def test_a_file_counts_by_content_and_not_by_place(experiment, tmp_path):
    before = keys(experiment)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in ("experiment.yaml", "sentences.csv"):
        shutil.copy(experiment.parent / file, elsewhere / file)
    assert keys(elsewhere / "experiment.yaml") == before
    with (elsewhere / "sentences.csv").open("a") as file:
        file.write("i99,One more,a,p99\n")
    assert not set(keys(elsewhere / "experiment.yaml").values()) & set(before.values())


def test_files_within_settings_are_put_where_they_were():
    settings = {"kind": "dictionary", "corpus": {"context": 64}, "log": 3}
    files = {"corpus.texts": "sha256:0a", "path": "sha256:1b"}
    whole = {**settings, "path": "sha256:1b", "corpus": {"context": 64, "texts": "sha256:0a"}}
    assert with_files(settings, files) == whole
    assert settings["corpus"] == {"context": 64}


def test_a_missing_file_is_named_with_its_stage(experiment):
    with pytest.raises(SondeError, match=r"stages\.sentences\.path.*nothing\.csv"):
        keys(experiment, "sentences.path=nothing.csv")


def test_a_new_version_of_a_stage_takes_no_old_result(experiment, monkeypatch):
    before = keys(experiment)
    monkeypatch.setattr(ProbeStage, "version", ProbeStage.version + 1)
    after = keys(experiment)
    assert {name for name in before if before[name] != after[name]} == {"truth"}
