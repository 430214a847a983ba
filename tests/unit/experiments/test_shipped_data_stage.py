"""Data that come with sonde stand as data of an experiment by name: sets, and traits."""

import pytest

from sonde.core.errors import SondeError
from sonde.data.read import read_data
from sonde.data.sets import shipped, shipped_trait
from sonde.experiments.stages.data import DataStage


def test_a_shipped_traits_name_is_its_folder(tmp_path):
    stage = DataStage(path="enthusiasm")
    assert stage.problems(tmp_path) == ()
    assert stage.files(tmp_path) == {"path": shipped_trait("enthusiasm")}
    assert stage.read(tmp_path) == read_data("enthusiasm")
    labels = [one.label for one in stage.foreseen(tmp_path)]
    assert labels.count("positive") == labels.count("negative") >= 40


def test_what_lies_beside_the_experiment_comes_first(tmp_path):
    own = tmp_path / "enthusiasm"
    own.mkdir()
    (own / "positive.txt").write_text("Oh!\n")
    (own / "negative.txt").write_text("No.\n")
    stage = DataStage(path="enthusiasm")
    assert stage.files(tmp_path) == {"path": own}
    assert [one.prompt for one in stage.foreseen(tmp_path)] == ["Oh!", "No."]
    assert DataStage(path="neutral").files(tmp_path) == {"path": shipped("neutral")}


def test_a_name_of_nothing_says_which_names_there_are(tmp_path):
    stage = DataStage(path="enthusiam")
    for words in ("Did you mean 'enthusiasm'", "contrast_sentences, neutral", "sycophancy"):
        assert words in stage.problems(tmp_path)[0]
        with pytest.raises(SondeError, match=words):
            stage.files(tmp_path)
    for path in ("enthusiam.csv", "traits/enthusiam", "~/enthusiam"):
        assert "does not exist" in DataStage(path=path).problems(tmp_path)[0]
