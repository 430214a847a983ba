"""A trait's folder: both sides as examples, and all four files as a trait."""

import json

import pytest

from sonde.core.errors import SondeError
from sonde.data.read import read_examples
from sonde.data.traits import read_trait


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "cheer"
    path.mkdir()
    (path / "positive.txt").write_text("Hooray!\n\nWhat a day.\n")
    (path / "negative.txt").write_text("Fine.\nIt will do.\n")
    (path / "definition.txt").write_text("Answers with joy.\n")
    (path / "steering.json").write_text(json.dumps({"questions": ["How was lunch?"]}))
    return path


def test_all_four_files(folder):
    trait = read_trait(folder)
    assert (trait.name, trait.definition) == ("cheer", "Answers with joy.")
    assert trait.positive == ("Hooray!", "What a day.")
    assert trait.negative == ("Fine.", "It will do.")
    assert trait.questions == ("How was lunch?",)
    (folder / "steering.json").write_text('["One?", "Two?"]')
    assert read_trait(folder).questions == ("One?", "Two?")


def test_both_sides_are_examples_in_pairs(folder):
    found = read_examples(str(folder))
    assert [(it.id, it.prompt, it.label, it.group) for it in found] == [
        ("positive-1", "Hooray!", "positive", "1"),
        ("positive-2", "What a day.", "positive", "2"),
        ("negative-1", "Fine.", "negative", "1"),
        ("negative-2", "It will do.", "negative", "2"),
    ]
    assert found[1].where == "positive.txt, line 3"


def test_sides_of_different_length_are_no_pairs(folder):
    (folder / "negative.txt").write_text("Fine.\n")
    assert [it.group for it in read_examples(str(folder))] == [None, None, None]


def test_what_is_missing_is_named(folder):
    (folder / "steering.json").write_text('{"asked": []}')
    with pytest.raises(SondeError, match="holds no list of questions"):
        read_trait(folder)
    (folder / "negative.txt").write_text("\n\n")
    with pytest.raises(SondeError, match=r"negative.txt holds no text"):
        read_examples(str(folder))
    (folder / "negative.txt").unlink()
    with pytest.raises(SondeError, match=r"has no negative.txt"):
        read_examples(str(folder))
    (folder / "positive.txt").unlink()
    with pytest.raises(SondeError, match=r"neither positive.txt nor negative.txt"):
        read_examples(str(folder))
