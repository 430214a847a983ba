from hypothesis import given
from hypothesis import strategies as st

from sonde.report.visible import NEWLINE, SPACE, TAB, Piece, readable, visible


def said(token: str) -> str:
    return "".join(piece.text for piece in visible(token))


def test_a_word_with_its_space_stays_text():
    assert visible(" the") == (Piece(" "), Piece("the"))
    assert visible("the") == (Piece("the"),)


def test_space_alone_and_runs_of_space_are_marks():
    assert said(" ") == SPACE
    assert said("   x") == SPACE * 3 + "x"
    assert said("a  b") == f"a{SPACE}{SPACE}b"


def test_newlines_are_seen_and_break():
    assert visible("\n\n") == (Piece(NEWLINE, True, True),) * 2
    assert said(" \t") == SPACE + TAB


def test_what_hides_is_shown_by_its_code():
    assert said("a\u202eb") == "a‹202e›b"
    assert said("\x00") == "‹0000›"
    assert said("\u200b") == "‹200b›"
    assert said("\u00a0") == "⍽"
    assert said("") == "∅"


def test_joined_emoji_stay_whole():
    family = "👩\u200d👧"
    assert visible(family) == (Piece(family),)


@given(st.text(min_size=1))
def test_no_white_space_is_left_that_could_vanish(token):
    """Besides one leading space, text has none that HTML would swallow; no mark is empty."""
    pieces = visible(token)
    for number, piece in enumerate(pieces):
        assert piece.text
        assert (number == 0 and piece.text == " ") or not any(map(str.isspace, piece.text))


@given(st.text(st.characters(codec="utf-8")))
def test_readable_leaves_good_text_alone(text):
    assert readable(text) == text


def test_readable_replaces_half_a_pair():
    assert readable("a\ud800b") == "a?b"
