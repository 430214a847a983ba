"""``sonde agreement`` over files as judges leave them."""

import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from sonde.cli.app import app
from sonde.core.errors import SondeError

QUESTIONS = ["q1", "q2", "q3", "q4"]
ROWS = [
    {"id": f"a{n}", "question": QUESTIONS[n % 4], "answer": f"answer {n}", "score": 7.0 * n}
    for n in range(12)
]


def write(path, rows):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        lines = [",".join(rows[0])]
        lines += [
            ",".join("" if value is None else str(value) for value in row.values()) for row in rows
        ]
        path.write_text("\n".join(lines))
    return path


def without(rows, *columns):
    return [{name: row[name] for name in row if name not in columns} for row in rows]


def run(*arguments):
    result = CliRunner().invoke(app, ["agreement", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return re.sub(r" +", " ", result.output)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_files_of_any_kind_are_joined_by_id(tmp_path, ending):
    a = write(tmp_path / f"first.{ending}", ROWS)
    b = write(tmp_path / "second.csv", [{**row, "score": row["score"] + 3} for row in ROWS[::-1]])
    printed = run(a, b)
    assert "first second 1.000 [" in printed
    assert "3.000 [3.000, 3.000] +3.000 [+3.000, +3.000] 12 0" in printed


def test_question_and_answer_join_where_there_is_no_id(tmp_path):
    rows = without(ROWS, "id")
    a = write(tmp_path / "a.csv", rows + rows[:2])  # two answers that were judged twice
    b = write(tmp_path / "b.jsonl", (rows + rows[:2])[::-1])
    assert "a b 1.000" in run(a, b)
    assert run(a, b).count("14 0") == 1


def test_rows_without_either_are_joined_by_order(tmp_path):
    bare = without(ROWS, "id", "question", "answer")
    a, b = write(tmp_path / "a.csv", bare), write(tmp_path / "b.csv", bare)
    assert "1.000 [1.000, 1.000]" in run(a, b)
    write(b, bare[:7])
    with pytest.raises(SondeError, match=r"different numbers of rows: .*a.csv \(12\).*--by COLUMN"):
        run(a, b)


def test_several_columns_of_one_file_are_judges(tmp_path):
    rows = [{**row, "strict": row["score"] / 2, "odd": 50 - row["score"]} for row in ROWS]
    path = write(tmp_path / "all.csv", rows)
    printed = run(path, "--column", "score", "--column", "strict", "--column", "odd")
    for pair in ("score strict 1.000", "score odd −1.000", "strict odd −1.000"):
        assert pair in printed


def test_scores_that_are_missing_are_left_out_and_counted(tmp_path):
    gaps = [{**row, "score": None if n < 2 else row["score"]} for n, row in enumerate(ROWS)]
    a = write(tmp_path / "a.csv", gaps)
    b = write(tmp_path / "b.jsonl", [*ROWS[:-1]])
    assert run(a, b).splitlines()[1].endswith(" 9 3")


def test_groups_are_the_units(tmp_path):
    a, b = write(tmp_path / "a.csv", ROWS), write(tmp_path / "b.csv", ROWS)
    assert "over the values of question" in run(a, b, "--group", "question")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.csv"], "is one judge; agreement is between two"),
        (["a.csv", "b.csv", "--column", "scor"], "no column 'scor'. Did you mean 'score'"),
        (["a.csv", "b.csv", "--by", "name"], "no column 'name'"),
        (["a.csv", "b.csv", "--group", "item"], "no column 'item'"),
        (["a.csv", "b.csv", "--by", "question"], "row 6 has the question 'q1' of an earlier row"),
        (["a.csv", "words.csv"], "words.csv, row 2: the score is 'high', which is no number"),
        (["a.csv", "none.csv"], "does not exist"),
        (["a.csv", "other.csv"], "Only 0 of 24 answers have a score of both"),
    ],
)
def test_mistakes_are_named(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.csv", ROWS)
    write(tmp_path / "b.csv", ROWS)
    write(tmp_path / "words.csv", [{**ROWS[0], "score": "high"}])
    write(tmp_path / "other.csv", [{**row, "id": f"other {row['id']}"} for row in ROWS])
    with pytest.raises(SondeError, match=re.escape(said)):
        run(*arguments)
