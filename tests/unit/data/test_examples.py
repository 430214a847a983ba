"""Examples: unique ids, and a fingerprint that sees every change."""

from dataclasses import replace

import pytest

from sonde.core.errors import SondeError
from sonde.data.examples import Example, Message, as_examples, data_fingerprint

BASE = Example("a", "Hi", response="Yo", group="g", label=1.0, row="a.csv, row 2")


def test_texts_become_examples_with_their_numbers_as_ids():
    examples = as_examples(["one", "two"])
    assert [(example.id, example.prompt) for example in examples] == [("0", "one"), ("1", "two")]
    assert examples[1].where == "text 1"


def test_an_example_says_where_it_came_from():
    assert BASE.where == "a.csv, row 2"
    assert replace(BASE, row="").where == "example 'a'"


def test_shared_ids_an_empty_list_and_a_single_text_are_errors():
    with pytest.raises(SondeError, match=r"id 'a': a\.csv, row 2 and a\.csv, row 5"):
        as_examples([BASE, replace(BASE, row="a.csv, row 5")])
    with pytest.raises(SondeError, match=r"id 'a': examples\[0\] and examples\[2\]"):
        as_examples([Example("a", "Hi"), Example("b", "Hi"), Example("a", "Ho")])
    with pytest.raises(SondeError, match="empty"):
        as_examples([])
    with pytest.raises(SondeError, match=r"Write \[text\]"):
        as_examples("one")


@pytest.mark.parametrize("strange", [None, 3, float("nan"), ["one"]])
def test_what_is_no_text_is_named_by_its_number(strange):
    with pytest.raises(SondeError, match=r"^text 1 is neither a text nor an example"):
        as_examples(["one", strange])


@pytest.mark.parametrize(
    "change",
    [
        {"id": "b"},
        {"prompt": "Ho"},
        {"prompt": (Message("user", "Hi"),)},
        {"response": None},
        {"group": None},
        {"label": 2.0},
        {"label": "1.0"},
        {"plain": True},
    ],
)
def test_the_fingerprint_sees_every_change(change):
    assert data_fingerprint([replace(BASE, **change)]) != data_fingerprint([BASE])


def test_the_fingerprint_ignores_where_a_row_stood():
    assert data_fingerprint([replace(BASE, row="b.csv, row 9")]) == data_fingerprint([BASE])
