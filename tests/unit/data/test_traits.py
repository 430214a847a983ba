"""A trait's folder: its files as examples and as a trait, and what is wrong with each."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.data.examples import Message
from sonde.data.read import read_examples
from sonde.data.traits import Trait, read_trait


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "cheer"
    path.mkdir()
    (path / "positive.txt").write_text("Hooray!\n\nWhat a day.\n")
    (path / "negative.txt").write_text("Fine.\nIt will do.\n")
    (path / "definition.txt").write_text("Answers with joy.\n")
    (path / "steering.json").write_text(json.dumps({"questions": ["How was lunch?"]}))
    return path


def test_all_files(folder):
    trait = read_trait(folder)
    assert (trait.name, trait.definition) == ("cheer", "Answers with joy.")
    assert trait.positive == ("Hooray!", "What a day.")
    assert trait.negative == ("Fine.", "It will do.")
    assert trait.questions == ("How was lunch?",)
    assert (trait.instruction, trait.rule) == ("", None)
    (folder / "steering.json").write_text('["One?", "Two?"]')
    (folder / "rule.json").write_text('{"words": {"none": 1, "full": 2}}')
    assert read_trait(folder).questions == ("One?", "Two?")
    assert read_trait(folder).rule == {"words": {"none": 1, "full": 2}}
    (folder / "steering.json").write_text('{"questions": ["One?"], "instruction": "Be glad."}')
    assert read_trait(folder).instruction == "Be glad."


def test_a_definition_that_is_not_utf_8_is_named(folder):
    (folder / "definition.txt").write_bytes(b"A caf\xe9.")
    with pytest.raises(SondeError, match=r"definition.txt is not UTF-8: byte 6 is 0xe9") as error:
        read_trait(folder)
    assert error.value.fix == "Save the file as UTF-8."
    (folder / "definition.txt").write_bytes("\ufeffA café.".encode())
    assert read_trait(folder).definition == "A café."


def test_both_sides_are_examples_in_pairs(folder):
    found = read_examples(str(folder))
    assert [(it.id, it.prompt, it.label, it.group) for it in found] == [
        ("positive-1", "Hooray!", "positive", "1"),
        ("positive-2", "What a day.", "positive", "2"),
        ("negative-1", "Fine.", "negative", "1"),
        ("negative-2", "It will do.", "negative", "2"),
    ]
    assert found[1].where == "positive.txt, line 3"
    assert found == tuple(one.example() for one in read_trait(folder).scenarios)


def test_sides_of_different_length_are_no_pairs(folder):
    (folder / "negative.txt").write_text("Fine.\n")
    assert [it.group for it in read_examples(str(folder))] == [None, None, None]


def test_scenarios_may_have_a_system_message_and_a_response(folder):
    (folder / "positive.txt").unlink()
    lines = [
        {"prompt": "How was it?", "system": "Be glad.", "group": "lunch"},
        {"prompt": "And you?", "response": "Splendid!", "id": "you", "group": "you"},
    ]
    (folder / "positive.jsonl").write_text("\n".join(map(json.dumps, lines)))
    one, two, *rest = read_trait(folder).scenarios
    assert (one.system, one.response, one.group, one.id) == (
        "Be glad.",
        None,
        "lunch",
        "positive-1",
    )
    assert (two.response, two.group, two.id) == ("Splendid!", "you", "you")
    assert [it.group for it in rest] == [None, None]  # groups are named, so none is invented
    examples = read_examples(str(folder))
    turns = (Message("system", "Be glad."), Message("user", "How was it?"))
    assert (examples[0].prompt, examples[0].response) == (turns, None)
    assert examples[1].response == "Splendid!"
    assert read_trait(folder).positive == ("How was it?", "Splendid!")


def test_contrast_pairs_stand_alone_or_in_a_folder(folder, tmp_path):
    path = tmp_path / "joy.csv"
    path.write_text("prompt,positive,negative\nHow was it?,Great!,Fine.\nAnd you?,Superb!,Well.\n")
    trait = read_trait(path)
    assert (trait.name, trait.positive, trait.negative) == (
        "joy",
        ("Great!", "Superb!"),
        ("Fine.", "Well."),
    )
    assert [(one.prompt, one.response, one.group) for one in trait.scenarios] == [
        ("How was it?", "Great!", "1"),
        ("And you?", "Superb!", "2"),
        ("How was it?", "Fine.", "1"),
        ("And you?", "Well.", "2"),
    ]
    path.rename(folder / "contrast_pairs.csv")
    with pytest.raises(SondeError, match=r"has contrast_pairs.csv and texts of a side"):
        read_trait(folder)
    for side in ("positive", "negative"):
        (folder / f"{side}.txt").unlink()
    moved = read_trait(folder)
    assert (moved.positive, moved.negative) == (trait.positive, trait.negative)
    assert read_trait(folder).questions == ("How was lunch?",)
    assert [it.response for it in read_examples(str(folder))] == [
        one.response for one in trait.scenarios
    ]


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ("prompt,positive\nHow?,Great!\n", r"row 2 has no negative"),
        ("prompt,positive,negative\nHow?,Great!,\n", r"row 2 has no negative"),
        ("prompt,positive,negative\nHow?,Fine.,Fine.\n", "same response on both sides: 'Fine.'"),
        ("prompt,positive,negative\n", "holds no contrast pair"),
        (
            "prompt,positive,negative\nHow?,Great!,Fine.\nHow?,Fine.,Bad.\n",
            "same text on both sides",
        ),
    ],
)
def test_contrast_pairs_that_are_none_are_named(tmp_path, rows, what):
    path = tmp_path / "joy.csv"
    path.write_text(rows)
    with pytest.raises(SondeError, match=what):
        read_trait(path)


def test_what_is_missing_is_named(folder):
    (folder / "steering.json").write_text('{"asked": []}')
    with pytest.raises(SondeError, match="holds no list of questions"):
        read_trait(folder)
    (folder / "steering.json").write_text('["One?", "One?"]')
    with pytest.raises(SondeError, match=r"asks 'One\?' twice"):
        read_trait(folder)
    (folder / "steering.json").write_text("[]")
    (folder / "rule.json").write_text("[]")
    with pytest.raises(SondeError, match=r"rule.json holds no JSON object"):
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


@pytest.mark.parametrize(
    ("negative", "what"),
    [
        ("Fine.\nHooray!\n", r"same text on both sides: positive.txt, line 1 and negative.txt"),
        ("Fine.\nFine. \n", r"same text twice on the negative side: negative.txt, line 1 and"),
    ],
)
def test_a_text_stands_once(folder, negative, what):
    (folder / "negative.txt").write_text(negative)
    with pytest.raises(SondeError, match=what):
        read_trait(folder)
    with pytest.raises(SondeError, match=what):
        read_examples(str(folder))


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ({"prompt": "Hm", "sistem": "x"}, "'sistem', which is no key"),
        ({"prompt": " "}, "has no prompt"),
        ({"prompt": ["Hm"]}, "which is no text"),
        ({"prompt": "Hm", "id": "negative-1"}, "share the id 'negative-1'"),
    ],
)
def test_a_scenario_that_is_none_is_named(folder, line, what):
    (folder / "positive.txt").unlink()
    (folder / "positive.jsonl").write_text(json.dumps(line))
    with pytest.raises(SondeError, match=what):
        read_trait(folder)


def test_a_side_has_one_file(folder):
    (folder / "positive.jsonl").write_text('{"prompt": "Hm"}')
    with pytest.raises(SondeError, match=r"has positive.txt and positive.jsonl"):
        read_trait(folder)


def test_a_trait_that_is_not_there_names_the_nearest(tmp_path):
    with pytest.raises(SondeError, match="Did you mean 'enthusiasm'"):
        read_trait("enthusiams")
    (tmp_path / "joy.md").write_text("x")
    with pytest.raises(SondeError, match="not a file of contrast pairs"):
        read_trait(tmp_path / "joy.md")


def test_the_fingerprint_follows_the_words_and_not_the_place(folder, tmp_path):
    first = read_trait(folder)
    moved = folder.rename(tmp_path / "elsewhere").rename(tmp_path / "sub")
    moved.rename(tmp_path / "cheer")
    assert read_trait(tmp_path / "cheer").fingerprint == first.fingerprint
    (tmp_path / "cheer" / "definition.txt").write_text("Answers with delight.")
    assert read_trait(tmp_path / "cheer").fingerprint != first.fingerprint


@given(
    texts=st.lists(
        st.text(st.characters(codec="ascii", min_codepoint=65), min_size=1, max_size=8),
        min_size=2,
        max_size=12,
        unique=True,
    ),
    data=st.data(),
)
def test_a_trait_made_of_two_lists_keeps_every_text_once(texts, data):
    cut = data.draw(st.integers(1, len(texts) - 1))
    trait = Trait("made", "", tuple(texts[:cut]), tuple(texts[cut:]), ())
    assert [one.prompt for one in trait.scenarios] == texts
    assert len({one.id for one in trait.scenarios}) == len(texts)
    paired = 2 * cut == len(texts)
    assert all((one.group is not None) == paired for one in trait.scenarios)
    with pytest.raises(SondeError, match="same text on both sides"):
        Trait("made", "", tuple(texts[:cut]), (*texts[cut:], texts[0]), ())
    with pytest.raises(SondeError, match="has no negative text"):
        Trait("made", "", tuple(texts), (), ())
