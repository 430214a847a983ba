"""Every format gives the same examples, and every bad row is named."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.data.examples import Example, Message
from sonde.data.from_rows import SkippedRow
from sonde.data.read import read_data, read_examples
from sonde.data.settings import Columns, DataSpec

ROWS = [
    {"id": "a", "prompt": 'She said "yes", then left.', "label": "1", "group": "g1"},
    {"id": "b", "prompt": "Two\nlines, één", "label": "2.5", "group": "g1"},
    {"id": "c", "prompt": "Third", "label": "-3", "group": "g2"},
]


def quoted(rows, separator: str) -> str:
    lines = [separator.join(rows[0])]
    lines += [
        separator.join('"' + str(value).replace('"', '""') + '"' for value in row.values())
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def write(path: Path, rows=ROWS) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    else:
        path.write_text(quoted(rows, "," if path.suffix == ".csv" else "\t"), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("ending", "where"),
    [(".csv", "row 2"), (".tsv", "row 2"), (".jsonl", "line 1"), (".parquet", "row 1")],
)
def test_every_format_gives_the_same_examples(tmp_path, ending, where):
    examples = read_examples(write(tmp_path / f"data{ending}"))
    assert [example.id for example in examples] == ["a", "b", "c"]
    assert [example.prompt for example in examples] == [row["prompt"] for row in ROWS]
    assert [example.label for example in examples] == [1.0, 2.5, -3.0]
    assert [example.group for example in examples] == ["g1", "g1", "g2"]
    assert examples[0].where == f"data{ending}, {where}"


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip),
            st.floats(allow_nan=False, allow_infinity=False),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_json_lines_round_trip(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("json") / "data.jsonl"
    path.write_text("\n".join(json.dumps({"text": text, "label": y}) for text, y in rows))
    examples = read_examples(path)
    assert [(example.prompt, example.label) for example in examples] == rows
    assert [example.id for example in examples] == [str(number) for number in range(len(rows))]


def test_text_is_one_example_a_line_and_a_bom_is_no_letter(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_bytes(b"\xef\xbb\xbfFirst\r\nSecond\r\n")
    examples = read_examples(path)
    assert [example.prompt for example in examples] == ["First", "Second"]
    assert examples[1].where == "texts.txt, line 2"


def test_messages_become_turns(tmp_path):
    path = tmp_path / "talk.jsonl"
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]
    path.write_text(json.dumps({"messages": turns, "label": "kind", "extra": [1]}))
    (example,) = read_examples(path)
    assert example.prompt == (Message("user", "Hi"), Message("assistant", "Yo"))
    assert example.label == "kind"
    path.write_text(json.dumps({"messages": [{"role": "user", "content": ["an image"]}]}))
    with pytest.raises(SondeError, match=r"talk\.jsonl, line 1: 'messages' is neither a text"):
        read_examples(path)


def test_columns_where_limit_and_plain(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("key,question,topic,score\n1,A,x,5\n2,B,y,6\n3,C,x,7\n4,D,z,8\n5,E,x,9\n")
    spec = DataSpec(
        path=str(path),
        columns=Columns(id="key", prompt="question", label="score"),
        where={"topic": ["x", "y"]},
        limit=3,
        plain=True,
    )
    assert read_examples(spec) == tuple(
        Example(key, text, label=label, row=f"data.csv, row {row}", plain=True)
        for key, text, label, row in [("1", "A", 5.0, 2), ("2", "B", 6.0, 3), ("3", "C", 7.0, 4)]
    )
    numbers = DataSpec(path=str(path), columns=Columns(prompt="question"), where={"score": [6, 9]})
    assert [example.prompt for example in read_examples(numbers)] == ["B", "E"]
    none = DataSpec(path=str(path), columns=Columns(prompt="question"), where={"topic": "q"})
    with pytest.raises(SondeError, match=r"data\.csv gives no example.*topic"):
        read_examples(none)


def test_parquet_ids_that_are_numbers_read_as_whole_numbers(tmp_path):
    rows = [{"id": 1.0, "text": "A", "pair": 7}, {"id": 2.0, "text": "B", "pair": 7}]
    examples = read_examples(write(tmp_path / "data.parquet", rows))
    assert [(example.id, example.group) for example in examples] == [("1", "7"), ("2", "7")]


def test_a_missing_file_names_the_nearest(tmp_path):
    (tmp_path / "sentences.csv").touch()
    with pytest.raises(SondeError, match=r"Did you mean 'sentences\.csv'"):
        read_examples(tmp_path / "sentence.csv")
    with pytest.raises(SondeError, match="there is no folder"):
        read_examples(tmp_path / "no" / "sentence.csv")
    with pytest.raises(SondeError, match="is a folder"):
        read_examples(tmp_path)
    with pytest.raises(SondeError, match=r"\.xlsx.*Files end in \.csv"):
        (tmp_path / "a.xlsx").touch()
        read_examples(tmp_path / "a.xlsx")
    with pytest.raises(SondeError, match="Did you mean 'contrast_sentences'"):
        read_examples("contrast_sentences_")


def test_an_unknown_column_names_the_nearest(tmp_path):
    path = write(tmp_path / "data.csv")
    with pytest.raises(SondeError, match=r"no column 'lable'. Did you mean 'label'"):
        read_examples(DataSpec(path=str(path), columns=Columns(label="lable")))
    with pytest.raises(SondeError, match="no column 'labels'"):
        read_examples(DataSpec(path=str(path), where={"labels": "1"}))
    path.write_text("sentence,score\nA,1\n")
    with pytest.raises(SondeError, match="it has sentence, score"):
        read_examples(path)


BAD = {
    "duplicate ids": ("id,text\na,A\nb,B\na,C\n", r"'a': data\.csv, row 2 and data\.csv, row 4"),
    "empty text": ("id,text\na,A\nb, \n", r"row 3: the column 'text' is empty"),
    "empty id": ("id,text\n,A\n", r"row 2: the id is empty"),
    "NaN label": ("text,label\nA,1\nB,nan\n", r"row 3: the label in the column 'label' is NaN"),
    "empty label": ("text,label\nA,1\nB,\n", r"row 3: the label in the column 'label' is empty"),
    "text among numbers": ("text,label\nA,1\nB,2\nC,x\n", r"row 4: the label 'x' is not a finite"),
    "infinite": ("text,label\nA,1\nB,2\nC,inf\n", r"row 4: the label 'inf' is not a finite"),
    "too many fields": ("id,text\na,A\nb,B, and more\n", r"row 3 has 3 fields.*header has 2"),
    "too few fields": ("id,text\na\n", r"row 2 has 1 fields"),
    "open quote": ('id,text\na,A\nb,"B\nc,C\n', r"cannot be read: unexpected end of data"),
    "column twice": ("id,text,text\na,A,B\n", "the column 'text' stands twice"),
    "no rows": ("id,text\n", r"data\.csv has no rows"),
    "nothing": ("", r"data\.csv has no rows"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_rows_are_named(tmp_path, kind):
    content, message = BAD[kind]
    path = tmp_path / "data.csv"
    path.write_text(content)
    with pytest.raises(SondeError, match=message):
        read_examples(path)


def test_bytes_that_are_not_utf8_are_named(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"id,text\na,caf\xc3\xa9\nb,caf\xe9\n")
    with pytest.raises(SondeError, match=r"line 3 is not UTF-8: byte 6 of the line is 0xe9"):
        read_examples(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": "A"}\n{"text": \n', r"line 2 is not JSON"),
        ('{"text": "A"}\n["B"]\n', r"line 2 is not a JSON object"),
        ('{"text": "A"}\n{"txt": "B"}\n', r"line 2: the column 'text' is empty"),
        (
            '{"text": "A"}\n{"text": "B", "label": 1}\n',
            r"line 2 has 'label', and .* line 1 has not",
        ),
        ('{"text": "A"}\n{"text": "B \\ud83d"}\n', r"line 2: character 3 .* half a character"),
        ('{"text": "A", "label": NaN}\n', r"line 1: the label in the column 'label' is NaN"),
        ('{"text": "A", "label": [1]}\n', r"line 1: a label is a number or a text"),
    ],
)
def test_bad_json_lines_are_named(tmp_path, content, message):
    path = tmp_path / "data.jsonl"
    path.write_text(content)
    with pytest.raises(SondeError, match=message):
        read_examples(path)


def test_a_damaged_parquet_file_is_named(tmp_path):
    path = write(tmp_path / "data.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SondeError, match=r"data\.parquet is not a whole Parquet file"):
        read_examples(path)


def test_what_is_skipped_by_choice_is_counted(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("id,text,label\na,A,1\nb,,2\nc,C,NaN\nd,D,\ne,E,5\n")
    spec = DataSpec(path=str(path), bad_label="skip", empty_text="skip")
    found = read_data(spec)
    assert [example.id for example in found.examples] == ["a", "e"]
    assert found.skipped == (
        SkippedRow("b", "data.csv, row 3", "empty text"),
        SkippedRow("c", "data.csv, row 4", "NaN label"),
        SkippedRow("d", "data.csv, row 5", "empty label"),
    )
    kept = read_examples(DataSpec(path=str(path), bad_label="unlabelled", empty_text="skip"))
    assert [example.label for example in kept] == [1.0, None, None, 5.0]


def test_classes_stay_words_and_numbers_in_a_majority_of_words_are_words(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("text,label\nA,yes\nB,no\nC,no\nD,3\n")
    assert [example.label for example in read_examples(path)] == ["yes", "no", "no", "3"]
    (tmp_path / "data.jsonl").write_text('{"text": "A", "label": true}')
    assert read_examples(tmp_path / "data.jsonl")[0].label == 1.0


def test_the_hub_without_its_package_names_the_extra():
    try:
        import datasets  # noqa: F401
    except ImportError:
        with pytest.raises(SondeError, match=r"sonde\[datasets\]"):
            read_examples("hf:org/name")
    else:
        pytest.skip("the package datasets is installed, so its absence cannot be shown")


def test_several_columns_are_one_label(tmp_path):
    path = tmp_path / "places.csv"
    path.write_text("id,text,lat,lon\na,Oslo,59.9,10.8\nb,Quito,-0.2,-78.5\n")
    spec = DataSpec(path=str(path), columns=Columns(label=("lat", "lon")))
    assert [it.label for it in read_examples(spec)] == [(59.9, 10.8), (-0.2, -78.5)]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("north", "row 2: the label 'north' in the column 'lat' is not a finite number"),
        ("", "row 2: the label in the column 'lat' is empty"),
        ("nan", "row 2: the label in the column 'lat' is NaN"),
    ],
)
def test_each_of_several_labels_is_a_number(tmp_path, cell, message):
    path = tmp_path / "places.csv"
    path.write_text(f"id,text,lat,lon\na,Oslo,{cell},10.8\nb,Quito,-0.2,-78.5\n")
    spec = DataSpec(path=str(path), columns=Columns(label=("lat", "lon")))
    with pytest.raises(SondeError, match=message):
        read_examples(spec)
