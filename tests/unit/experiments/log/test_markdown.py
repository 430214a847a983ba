import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sonde.experiments.log.markdown import LONGEST, bullets, code, escape, one_line, table


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("plain words, 0.91 [0.88, 0.94]", "plain words, 0.91 [0.88, 0.94]"),
        ("blocks.12.resid_post", "blocks.12.resid_post"),
        ("_so_ *so* `so` ~~so~~", r"\_so\_ \*so\* \`so\` \~\~so\~\~"),
        ("a | b", r"a \| b"),
        ("<script>&lt; p < 0.05", r"\<script>\&lt; p < 0.05"),
        ("<!-- sonde:log:1 end top -->", r"\<!-- sonde:log:1 end top -->"),
        ("a ![x](http://y) [x][y]", r"a ![x\](http://y) [x\][y]"),
        ("[x]: http://y", r"\[x]: http://y"),
        ("two\nlines\r\n  more", "two lines more"),
        ("# head", r"\# head"),
        ("- item", r"\- item"),
        ("-0.3", "-0.3"),
        ("1. item", r"1\. item"),
        ("---", r"\---"),
        ("$0.05 and $0.06", r"\$0.05 and \$0.06"),
        ("c:\\x", r"c:\\x"),
        ("a\x00b\u202ec", "a\ufffdb\ufffdc"),
        ("👩‍🔬 µ", "👩‍🔬 µ"),
        (None, "None"),
    ],
)
def test_a_value_is_text_and_no_markup(given_text, shown):
    assert escape(given_text) == shown


def test_a_very_long_value_is_cut_and_says_how_long_it_is():
    cut = escape("x" * 1_000_000)
    assert len(cut) < LONGEST + 40
    assert cut.endswith("… (1,000,000 characters)")


READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def read_back(markdown: str) -> tuple[list[str], str]:
    """Return the kinds of blocks, and the text that a CommonMark reader shows."""
    tokens = READER.parse(markdown)
    inside = [part for token in tokens for part in token.children or ()]
    assert {part.type for part in inside} <= {"text", "text_special", "code_inline"}, inside
    return [token.type for token in tokens], "".join(part.content for part in inside)


# Every character that means something, and words between them.
markup = (
    st.lists(
        st.sampled_from([*"\\`*_{}[]()<>#+-.!|~&$=\"':; \n", "a", "1", "é", "<b>", "&amp;", "](x)"])
    ).map("".join)
    | st.text()
)


@given(markup)
@example("-- -")
def test_a_reader_shows_what_was_escaped(text):
    """Parity with markdown-it: no character of a value is taken for markup."""
    wanted = one_line(text, longest=10_000)
    if wanted:
        blocks, shown = read_back(escape(text, longest=10_000))
        assert blocks == ["paragraph_open", "inline", "paragraph_close"]
        assert shown == wanted


@given(st.lists(st.tuples(markup, markup), min_size=1, max_size=3))
def test_a_reader_shows_the_cells_of_a_table(rows):
    cells = [[f"x{one_line(text)}" for text in row] for row in rows]
    made = table(("a", "b"), [(escape(left), code(right)) for left, right in cells])
    tokens = READER.parse(made)
    found = [
        "".join(part.content for part in token.children or ())
        for token in tokens
        if token.type == "inline"
    ]
    assert found == ["a", "b", *(text for row in cells for text in row)]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("resid_post", "`resid_post`"),
        ("a`b", "``a`b``"),
        ("`a", "`` `a ``"),
        ("a|b", r"a\|b"),
        ("", ""),
    ],
)
def test_code_holds_any_text(value, shown):
    assert code(value) == shown


def test_a_table_leaves_out_empty_columns():
    made = table(("layer", "note", "score"), [("L11", "", "0.747"), ("L23", "", "")], numbers=(2,))
    assert made == "| layer | score |\n| --- | ---: |\n| L11 | 0.747 |\n| L23 |  |"


def test_a_table_without_rows_is_nothing():
    assert table(("layer",), []) == ""


def test_a_list():
    assert bullets(["one", "two"]) == "- one\n- two"
