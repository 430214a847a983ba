import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.words import in_words, power, true_minus


@pytest.mark.parametrize(
    ("value", "name", "words"),
    [
        (None, "", "–"),
        (True, "", "yes"),
        (False, "", "no"),
        (7, "seed", "7"),
        (536_870_912, "keep_bytes", "536.9 MB"),
        (67_000_000_000, "memory", "67.0 GB"),
        (0.30000000000000004, "", "0.3"),
        (float("nan"), "", "nan"),
        (b"\x00\x01", "", "2 B"),
        ("as it is", "", "as it is"),
        ((), "", "none"),
        ({}, "", "none"),
        ((1, 2.5, None), "", "1, 2.5, –"),
        (range(24), "", "0, 1, 2, 3, … 23 (24)"),
        ({"folds": 5, "group": None}, "", "folds 5, group –"),
        ({"L1": {"norm": 2.0, "n": 3}, "L2": {}}, "", "L1 (norm 2, n 3), L2 none"),
        ([{"a": 1}], "", "(a 1)"),
    ],
)
def test_values_in_words(value, name, words):
    assert in_words(value, name) == words


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["a", "b c"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abcdefgh"), inner),
    max_leaves=12,
)


@given(values)
def test_nothing_of_pythons_notation_is_left(value):
    words = in_words(value)
    assert words
    assert not set(words) & set("{}[]'")
    assert not {"None", "True", "False"} & set(words.replace("(", " ").replace(",", " ").split())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (1.0, "1"),
        (300, "300"),
        (1e4, "10⁴"),
        (1e5, "10⁵"),
        (3e-4, "3·10⁻⁴"),
        (0, "0"),
    ],
)
def test_penalties_are_written_as_powers(value, text):
    assert power(value) == text


def test_numbers_have_a_true_minus():
    assert true_minus("-0.067 [-0.1, 0.2]") == "−0.067 [−0.1, 0.2]"
    assert in_words(-0.3) == "−0.3"
    assert in_words("a-b") == "a-b"
