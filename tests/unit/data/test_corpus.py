"""Texts of a corpus: where they come from, how they are split, and on which side they fall."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.data import CorpusSettings
from sonde.data.corpus import corpus_texts
from sonde.data.corpus_parts import is_held_out, passages


@given(text=st.text("ab \n", max_size=300), longest=st.integers(1, 50))
def test_passages_are_the_text_and_none_is_too_long(text, longest):
    found = list(passages(text, longest))
    assert "".join(found) == text
    assert all(0 < len(one) <= longest for one in found)
    assert list(passages(text, None)) == ([text] if text else [])


def test_a_passage_ends_with_a_paragraph_a_line_or_a_word():
    assert list(passages("aaaa\n\nbb cc dd", 10)) == ["aaaa\n\n", "bb cc dd"]
    assert list(passages("aa aaa\nbb cc dd", 10)) == ["aa aaa\n", "bb cc dd"]
    assert list(passages("aaa bbb ccc ddd", 10)) == ["aaa bbb ", "ccc ddd"]
    assert list(passages("abcdefghijklm", 10)) == ["abcdefghij", "klm"]


@given(text=st.text(max_size=20), shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_larger_share_holds_out_the_same_texts_and_more(text, shares):
    low, high = sorted(shares)
    assert is_held_out(text, low) <= is_held_out(text, high)
    assert not is_held_out(text, 0.0)


def test_the_share_that_is_held_out_is_near_the_one_asked_for():
    held = sum(is_held_out(f"text {number}", 0.1) for number in range(20_000))
    assert abs(held / 20_000 - 0.1) < 4 * (0.1 * 0.9 / 20_000) ** 0.5


def rows_of(**given_settings):
    texts = corpus_texts(CorpusSettings(**given_settings))
    return texts, list(texts.rows())


def test_rows_of_a_file_are_documents_or_left_out_with_a_reason(tmp_path):
    lines = [{"body": "one"}, {"body": ""}, {"body": None}, {"body": 3}, {"body": "\ud800"}]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, [*lines, {"body": "two"}])))
    texts, rows = rows_of(texts=str(tmp_path / "t.jsonl"), column="body")
    assert texts.streamed
    assert [row.documents for row in rows] == [("one",), (), (), (), (), ("two",)]
    reasons = ["", "empty", "empty", "not a text", "half a character", ""]
    assert [row.reason for row in rows] == reasons
    assert [row.number for row in rows] == list(range(6))
    assert [row.number for row in texts.rows(4)] == [4, 5]


def test_a_slice_is_rows_of_the_source_by_number(tmp_path):
    (tmp_path / "t.csv").write_text("text\n" + "\n".join(f"t{number}" for number in range(9)))
    texts, rows = rows_of(texts=str(tmp_path / "t.csv"), first=3, documents=4)
    assert [row.documents for row in rows] == [(f"t{number}",) for number in range(3, 7)]
    assert [row.number for row in texts.rows(2)] == [5, 6]
    assert not list(texts.rows(4))


def test_parquet_folders_and_files_of_text_are_read(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["p", "q"]}), tmp_path / "t.parquet")
    assert [row.documents for row in rows_of(texts=str(tmp_path / "t.parquet"))[1]] == [
        ("p",),
        ("q",),
    ]
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "b.txt").write_text("second\n\nof it")
    (tmp_path / "f" / "a.md").write_text("first")
    (tmp_path / "f" / "c.csv").write_text("no text")
    texts, rows = rows_of(texts=str(tmp_path / "f"))
    assert [row.documents for row in rows] == [("first",), ("second\n\nof it",)]
    assert texts.left_out == {"other ending": 1}
    assert not texts.streamed
    _, rows = rows_of(texts=str(tmp_path / "f" / "b.txt"))
    assert [row.documents for row in rows] == [("second\n\nof it",)]


def test_the_standard_library_is_a_corpus_with_its_version(tmp_path, monkeypatch):
    (tmp_path / "m.py").write_text('"""What it does."""')
    monkeypatch.setattr("sonde.data.text_folders.sysconfig.get_path", lambda _: str(tmp_path))
    settings = CorpusSettings(texts="standard library")
    assert settings.texts.startswith("standard library of Python 3.")
    assert [row.documents for row in corpus_texts(settings).rows()] == [("What it does.",)]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ("none.jsonl", "does not exist"),
        ("t.xml", "has the ending '.xml'"),
        ("nowhere", "does not exist"),
        ("latin.txt", "is not UTF-8: byte 4 is 0xe9"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, texts, said):
    (tmp_path / "t.xml").write_text("x")
    (tmp_path / "latin.txt").write_bytes("café".encode("latin-1"))
    with pytest.raises(SondeError, match=said):
        corpus_texts(CorpusSettings(texts=str(tmp_path / texts)))


def test_a_missing_column_is_named_with_the_nearest(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"texts": "a"}')
    with pytest.raises(SondeError, match=r"no column 'text'\. Did you mean 'texts'"):
        rows_of(texts=str(tmp_path / "t.jsonl"))


def test_fingerprints_follow_the_content(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "a"}')
    first = rows_of(texts=str(path))[0].fingerprint
    (tmp_path / "copy.jsonl").write_text('{"text": "a"}')
    assert rows_of(texts=str(tmp_path / "copy.jsonl"))[0].fingerprint == first
    path.write_text('{"text": "b"}')
    assert rows_of(texts=str(path))[0].fingerprint != first


def test_a_data_set_of_the_hub_is_streamed_from_any_row_on(tmp_path):
    pytest.importorskip("datasets", reason="the extra 'datasets' is not installed")
    (tmp_path / "train.jsonl").write_text("\n".join(f'{{"text": "t{n}"}}' for n in range(9)))
    texts, rows = rows_of(texts=f"hf:{tmp_path}", first=2, documents=5)
    assert [row.documents for row in rows] == [(f"t{number}",) for number in range(2, 7)]
    assert [row.number for row in texts.rows(3)] == [5, 6]
    with pytest.raises(SondeError, match="could not be read"):
        rows_of(texts=f"hf:{tmp_path}", split="nothing")


def test_without_the_extra_its_name_is_said():
    try:
        import datasets  # noqa: F401
    except ImportError:
        with pytest.raises(SondeError, match=r"pip install 'sonde\[datasets\]'"):
            rows_of(texts="hf:some/texts")
    else:
        pytest.skip("the extra 'datasets' is installed")


def test_a_held_out_part_below_one_chunk_is_refused_for_what_it_is():
    with pytest.raises(ValueError, match="`held_out_tokens`, 100, is less than one chunk"):
        CorpusSettings(texts="t", context=256, held_out_tokens=100)
    CorpusSettings(texts="t", context=256, held_out_tokens=100, held_out=0)


def test_the_texts_alone_are_settings_and_say_whether_they_are_ones_own():
    for texts, local in (("standard library", False), ("hf:owner/name", False), ("texts", True)):
        found = CorpusSettings.model_validate(texts)
        assert found.texts.startswith(texts) and found.local is local
