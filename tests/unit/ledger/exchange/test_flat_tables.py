"""What CSV and Parquet hold, and what an import refuses."""

import csv
import io
import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from tests.ledgers import MEASURED, recorded, scored

from sonde.core.errors import SondeError
from sonde.ledger.exchange import export_runs, import_runs
from sonde.ledger.exchange.flat import COLUMNS, NAMES
from sonde.ledger.ledger import Ledger
from sonde.ledger.records import Measured


@pytest.fixture
def ledger():
    return Ledger.open("sqlite:///:memory:")


def table(ledger):
    file = io.BytesIO()
    export_runs(ledger.engine, file, format="csv")
    return list(csv.DictReader(io.StringIO(file.getvalue().decode(), newline="")))


def changed(ledger, path, change):
    """Export as CSV, change the rows, write them again."""
    rows = table(ledger)
    change(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_row_is_a_result_with_its_run(ledger):
    recorded(ledger, results=(MEASURED, scored(0.7, "bare")), variant="seed=1")
    recorded(ledger, state="failed", results=())
    first, second, empty = table(ledger)
    assert list(first) == list(NAMES)
    assert [row["label"] for row in (first, second, empty)] == ["first-1", "first-1", "first-2"]
    assert (first["result"], first["metric"], first["value"]) == ("selected", "auroc", "0.8")
    assert first["high"] == "nan"
    assert first["control"] == "shuffled labels 0.500 [0.400, 0.600]"
    assert (first["baseline"], second["control"]) == ("no baseline", "no control")
    control = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 40, "level": 0.95, "series": []}
    assert json.loads(first["controls"]) == {"shuffled labels": control}
    assert (empty["state"], empty["reason"]) == ("failed", "it broke")
    place = NAMES.index("stage")
    assert {empty[name] for name in NAMES[place:]} == {""}


def test_what_has_no_score_is_empty_and_what_is_no_number_is_not(ledger):
    missing = Measured("none", "auroc", None, not_applicable="one class only")
    infinite = replace(scored(0.5), score=replace(scored(0.5).score, value=float("-inf")))
    recorded(ledger, results=(missing, infinite))
    first, second = table(ledger)
    assert (first["value"], first["n"], first["not_applicable"]) == ("", "", "one class only")
    assert second["value"] == "-inf"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "'=x", "''-x", "\n=x"])
def test_a_text_that_a_spreadsheet_would_compute_is_quoted(text, ledger, tmp_path):
    recorded(ledger, question=text)
    (row,) = table(ledger)
    assert row["question"] == f"'{text}"
    assert row["value"] == "0.8"
    export_runs(ledger.engine, tmp_path / "x.csv")
    second = Ledger.open("sqlite:///:memory:")
    import_runs(second.engine, tmp_path / "x.csv")
    assert second.show(1).run["question"] == text


def test_other_texts_are_left_as_they_are(ledger):
    recorded(ledger, question="it's -1")
    assert table(ledger)[0]["question"] == "it's -1"


def test_parquet_has_types(ledger, tmp_path):
    recorded(ledger, results=(MEASURED, scored(0.7)))
    export_runs(ledger.engine, tmp_path / "x.parquet")
    found = pq.read_table(tmp_path / "x.parquet")
    assert found.column_names == list(NAMES)
    types = {"text": "string", "json": "string", "integer": "int64", "number": "double"}
    assert [str(kind) for kind in found.schema.types] == [types[one.kind] for one in COLUMNS]
    assert found["value"].to_pylist() == [0.8, 0.7]
    assert found["n"].to_pylist() == [40, 40]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: [row.pop("metric") for row in rows], "has no column 'metric'"),
        (lambda rows: [row.update(vlaue="1") for row in rows], "has a column 'vlaue'.*'value'"),
        (lambda rows: rows[0].update(n="many"), "line 2 is not valid: stages.0.results.0.n"),
        (lambda rows: rows[0].update(facts="{"), "line 2, column facts: '{' is not JSON"),
        (lambda rows: rows.append(dict(rows[0])), "are not together"),
        (lambda rows: rows[0].update(purpose="fun"), "purpose: not one of smoke, exploratory"),
    ],
)
def test_a_table_that_was_changed_is_refused_with_the_place(change, said, ledger, tmp_path):
    for _ in range(2):
        recorded(ledger)
    path = changed(ledger, tmp_path / "x.csv", change)
    second = Ledger.open("sqlite:///:memory:")
    with pytest.raises(SondeError, match=said):
        import_runs(second.engine, path)


def test_derived_columns_may_be_missing_and_rows_in_any_order(ledger, tmp_path):
    for _ in range(2):
        recorded(ledger)

    def change(rows):
        rows.reverse()
        for row in rows:
            del row["control"], row["baseline"]

    path = changed(ledger, tmp_path / "x.csv", change)
    second = Ledger.open("sqlite:///:memory:")
    assert len(import_runs(second.engine, path).new) == 2
    assert second.show(1).results[0].controls == ledger.show(2).results[0].controls


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.csv", b"a,b\n1,2\n", "has no column 'origin'"),
        ("x.csv", b"", "has no column 'origin'"),
        ("x.csv", b"\xff\xfe", "is not CSV in UTF-8"),
        ("x.csv", ",".join(NAMES).encode() + b"\n1,2\n", "line 2: 2 cells"),
        ("x.parquet", b"PAR1 no", "cannot be read as Parquet"),
        ("x.jsonl", b"{", "line 1 is not JSON"),
        ("x.jsonl", b"\n[1]\n", "line 2 is not valid"),
        ("x.jsonl", b'{"version": 9, "odd": 1}\n', "newer sonde"),
        ("x.jsonl", b'{"origin": "a", "label": "b"}\n', "started is missing"),
        ("x.md", b"\xff", "is not UTF-8"),
        ("x.txt", b"", "does not say which format"),
    ],
)
def test_what_is_no_export_is_refused(name, content, said, ledger, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SondeError, match=said):
        import_runs(ledger.engine, tmp_path / name)
    assert ledger.list() == ()


def test_scores_that_are_not_what_their_hash_says_are_refused(ledger, tmp_path):
    units = {"aa": {"size": 1, "content": "AAAA"}}
    line = {"origin": "a", "label": "b", "started": "2026-06-21", "units": units}
    (tmp_path / "x.jsonl").write_text(json.dumps(line))
    with pytest.raises(SondeError, match="not what their hash says"):
        import_runs(ledger.engine, tmp_path / "x.jsonl")
    assert ledger.list() == ()


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"facts": [1]}, "facts is .* no mapping"),
        ({"state": "superseded"}, "state: not one of running, done"),
        ({"started": "yesterday"}, "started: not a time"),
        ({"seed": 2**70}, "seed is .* too high"),
        ({"stages": [{"name": "a", "kind": "b", "state": "odd"}]}, "state: not one of .*reused"),
        ({"stages": [{"name": "a", "kind": "b", "results": [{"name": "c"}]}]}, "has n and level"),
        (
            {
                "stages": [
                    {
                        "name": "a",
                        "kind": "b",
                        "results": [{"name": "c", "n": 1, "level": 0.9, "controls": {"x": 1}}],
                    }
                ]
            },
            "controls: not scores by name",
        ),
    ],
)
def test_a_run_that_the_ledger_could_not_show_is_refused(odd, said, ledger, tmp_path):
    line = {"origin": "a", "label": "b", "started": "2026-06-21"}
    (tmp_path / "x.jsonl").write_text(json.dumps(line | odd))
    with pytest.raises(SondeError, match=said):
        import_runs(ledger.engine, tmp_path / "x.jsonl")
    (tmp_path / "x.jsonl").write_text(json.dumps(line))
    assert import_runs(ledger.engine, tmp_path / "x.jsonl").new == (1,)


def test_a_folder_cannot_be_imported(ledger, tmp_path):
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(SondeError, match="cannot be read"):
        import_runs(ledger.engine, tmp_path / "x.csv")
