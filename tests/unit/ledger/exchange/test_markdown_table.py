import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.ledger.exchange.markdown_table import cell_of, read_table, table_lines, text_of

NAMES = ("a", "b", "c")
TEXTS = st.text(st.characters(codec=None), max_size=40) | st.text(
    st.sampled_from("|\\<&br>/#; \n\r\t`*_-123"), max_size=12
)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("0.67 < 0.69 & more", "0.67 < 0.69 & more"),
        ("a|b", r"a\|b"),
        ("C:\\x", r"C:\\x"),
        ("one\ntwo", "one<br>two"),
        ("<br>", r"\<br>"),
        ("<script>", r"\<script>"),
        ("&amp;", r"\&amp;"),
        (" edge ", "&#32;edge&#32;"),
        ("\t", "&#9;"),
        ("`x|y`", r"`x\|y`"),
        ("- item", "- item"),
    ],
)
def test_a_text_is_written_as_one_cell(text, cell):
    assert cell_of(text) == cell
    assert text_of(cell) == text


@given(TEXTS)
def test_any_text_comes_back_from_a_cell(text):
    cell = cell_of(text)
    assert "\n" not in cell
    assert text_of(f" {cell} ") == text


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=5))
def test_any_table_comes_back(rows):
    text = "".join(table_lines(NAMES, rows))
    assert text.count("\n") == len(rows) + 2
    assert list(read_table(text, NAMES, where="x")) == rows


def test_columns_may_come_in_any_order_and_may_be_missing():
    text = "Runs:\n\n| C | a |\n|---|:-:|\n| 3 | 1 |\n\nThat is all | for now.\n"
    assert read_table(text, NAMES, where="x") == (("1", "", "3"),)


def test_rows_may_be_broken_over_lines():
    text = "| one |\ntwo |\n|\n| 1 |\n2\nand more |\n3 |"
    assert read_table(text, NAMES, where="x") == (("one", "two", ""), ("1", "2 and more", "3"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("| 1 | 2 |\n| 1 | 2 | 3 |\n", r"line 1: .* 2 cells"),
        ("| 1 | 2 | 3 | 4 |\n", r"line 1: .* 4 cells"),
        ("| 1 | 2 | 3 | and\n", r"line 1: .* 3 cells"),
        ("| 1 | 2 | 3 |\n| 1 |\n", r"line 2: .* 1 cells"),
        ("| a | d | c |\n|---|---|---|\n", "'d' is not one of"),
        ("| a | a | c |\n|---|---|---|\n", "'a' is there twice"),
    ],
)
def test_a_row_of_another_length_is_refused(text, said):
    with pytest.raises(SondeError, match=said):
        read_table(text, NAMES, where="runs.md")
