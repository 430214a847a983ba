"""What a reader wrote into a log is there after it is written again, or the old file is."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.experiments.log.places import EMPTY, Part, compose
from sonde.experiments.log.remarks import owner_of, remarks_in

PARTS = (
    Part("# Log of x", "top"),
    Part("## Setup\n\n| a | b |\n| --- | --- |\n| 1 | 2 |", "setup"),
    Part("## Results"),
    Part("### news", "results:a--b"),
    Part("## Notes at the end", "end"),
)
PLACES = [part.place for part in PARTS if part.place]
FRESH = compose("x", PARTS, {})
MARKS = [line for line in FRESH.split("\n") if "sonde:log" in line]


def read(text: str) -> dict[str, str]:
    return remarks_in(text, where="log.md")


def written(place: str, words: str, text: str = FRESH) -> str:
    """Write words into a place, as a reader does in an editor."""
    end = f"<!-- sonde:log:1 end {place.replace('--', '-%2D;')} -->"
    assert text.count(f"\n{end}") == 1
    return text.replace(f"\n{end}", f"\n{words}\n{end}", 1)


def test_a_fresh_log_has_an_empty_line_in_every_place():
    assert read(FRESH) == dict.fromkeys(PLACES, EMPTY)
    assert owner_of(FRESH) == "x"
    assert FRESH.split("\n")[:5] == [
        "<!-- sonde:log:1 of x -->",
        "",
        "# Log of x",
        "",
        FRESH.split("\n")[4],
    ]
    assert re.fullmatch(r"<!-- sonde:log:1 remarks top [0-9a-f]{16} -->", FRESH.split("\n")[4])


def test_writing_again_changes_no_byte():
    text = compose("x", PARTS, read(written("setup", "The pod was replaced.")))
    assert compose("x", PARTS, read(text)) == text


KINDS = {
    "a fence": "```yaml\na: [1\n```",
    "an open fence": "~~~~",
    "comments": "<!-- remember -->\n<!-- and -- this",
    "carriage returns": "one\r\ntwo\r\r\nthree\x0b\u2028\x85",
    "no words": " \t ",
    "the mark of another log": "<!-- sonde:log:7 remarks setup 0123456789abcdef -->",
    "what closes its own place": "<!-- sonde:log:1 end setup -->",
    "what opens its own place": MARKS[3],
    "what opens and closes it": f"{MARKS[3]}\nx\n{MARKS[4]}",
    "what ends the log": MARKS[-1],
    "what opens another place": f"a\n{MARKS[5]}\nb",
    "half a mark": "<!-- sonde:log:1 end",
    "an odd name": "<!-- sonde:log:1 remarks %FFFFFFFF; 0123456789abcdef -->",
    "an undecodable byte": "caf\udce9",
    "all marks in their order": "\n".join(MARKS[1:]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_words_are_kept_byte_for_byte(kind):
    given_words = KINDS[kind]
    remarks = read(written("setup", given_words))
    assert remarks == {**dict.fromkeys(PLACES, EMPTY), "setup": f"\n{given_words}\n"}
    again = compose("x", PARTS, remarks)
    assert read(again) == remarks
    assert compose("x", PARTS, read(again)) == again


words = st.lists(
    st.sampled_from([*MARKS, *(mark.replace("log:1", "log:2") for mark in MARKS), "", "```", "\r"])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    max_size=6,
).map("\n".join)


@given(st.dictionaries(st.sampled_from([*PLACES, "gone", "also gone"]), words))
def test_any_remarks_come_back_from_the_file_they_are_composed_into(given_remarks):
    remarks = {place: f"{text}\n" for place, text in given_remarks.items()}
    found = read(compose("x", PARTS, remarks))
    for place, text in remarks.items():
        if place in PLACES or text.strip():
            assert found[place] == text
    assert set(found) == {*PLACES, *(place for place, text in remarks.items() if text.strip())}


@given(st.sampled_from(PLACES), words)
def test_what_is_typed_is_read_whole(place, typed):
    found = read(written(place, typed))
    assert found == {**dict.fromkeys(PLACES, EMPTY), place: f"\n{typed}\n"}


@pytest.mark.parametrize("place", PLACES)
def test_a_copy_of_the_whole_log_inside_itself_is_refused(place):
    """It can be read in more than one way, so nothing is written."""
    with pytest.raises(SondeError, match="more than once"):
        read(written(place, FRESH.strip()))


@given(st.integers(1, len(FRESH) - 1), st.integers(1, 30))
def test_a_file_with_a_piece_cut_out_keeps_every_word_or_is_refused(start, length):
    text = written("setup", "unforgettable")
    cut = text[:start] + text[start + length :]
    assume("unforgettable" in cut)
    try:
        found = read(cut)
    except SondeError:
        return
    assert sum("unforgettable" in inside for inside in found.values()) == 1


def test_remarks_on_a_section_that_is_gone_move_and_come_back():
    remarks = read(written("results:a--b", "Look at layer 17."))
    without = tuple(part for part in PARTS if part.place != "results:a--b")
    moved = compose("x", without, remarks)
    assert "## Remarks without a place" in moved
    assert read(moved)["results:a--b"] == "\nLook at layer 17.\n"
    assert compose("x", without, read(moved)) == moved
    back = compose("x", PARTS, read(moved))
    assert "Remarks without a place" not in back
    assert read(back) == remarks
    empty = compose("x", without, read(FRESH))
    assert "Remarks without a place" not in empty


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("<!-- sonde:log:1 end setup -->\n", ""), "do not end"),
        (lambda text: re.sub(r"<!-- sonde:log:1 remarks setup .*\n", "", text), "do not begin"),
        (lambda text: text.replace("log:1 end setup", "log:1 ends setup"), "do not end"),
        (lambda text: text.replace("remarks setup", "remarks top"), "begin a second time"),
        (
            lambda text: text.replace("| 1 | 2 |", "| 1 | 3 |"),
            r"lines \d+ to \d+ .*changed by hand",
        ),
        (lambda text: text.replace("## Results", "## Results\nMy own."), "changed by hand"),
        (lambda text: text[:-20], "last mark is missing"),
        (lambda text: text + "One more thing.\n", "text after the log's last mark, from line"),
        (lambda text: text.replace("of x -->", "of x"), "not a log that sonde wrote"),
        (lambda _: "# My notes\n", "not a log that sonde wrote"),
    ],
)
def test_a_damaged_log_is_refused_with_what_is_wrong(change, said):
    with pytest.raises(SondeError, match=said) as error:
        read(change(written("setup", "words")))
    assert "The file was left as it is." in str(error.value)


def test_an_editors_line_ends_and_blank_lines_do_not_matter():
    text = written("setup", "words")
    assert read("\ufeff" + text.replace("\n", "\r\n"))["setup"] == "\r\nwords\r\n"
    spaced = text.replace("## Results", "\n## Results  \n")
    assert read(spaced) == read(text)


def test_a_place_or_a_generated_part_that_was_taken_out_is_written_anew():
    text = written("results:a--b", "words")
    without_place = re.sub(r"<!-- sonde:log:1 remarks setup(.|\n)*end setup -->\n", "", text)
    without_part = text.replace("## Results\n", "").replace("### news\n", "")
    for changed in (without_place, without_part):
        found = read(changed)
        assert found["results:a--b"] == "\nwords\n"
        assert compose("x", PARTS, found) == compose("x", PARTS, read(text))


def test_generated_text_that_looks_like_marks_is_none():
    """An experiment file is shown as given, and may hold any line."""
    parts = (Part(f"```yaml\n{FRESH}\n```", "setup"), Part("end", "end"))
    text = compose("x", parts, {"setup": "words\n"})
    assert read(text) == {"setup": "words\n", "end": EMPTY}


def test_names_that_would_break_a_comment_are_written_in_another_way():
    for name in ("a -->b", "--", "", "é %41; <x>", "a b 0123456789abcdef"):
        text = compose(name, [Part("one", f"p{name}"), Part("end")], {f"p{name}": "words\n"})
        assert owner_of(text) == name
        assert read(text) == {f"p{name}": "words\n"}
