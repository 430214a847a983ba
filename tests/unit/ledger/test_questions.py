"""Which stages ask the same: only what is asked counts, not its name, seed or settings."""

from copy import deepcopy

import pytest
from sqlalchemy import create_engine, text

from sonde.ledger import migrations as module
from sonde.ledger.ledger import Ledger
from sonde.ledger.migrations import MIGRATIONS, migrate
from sonde.ledger.questions import question_of
from sonde.ledger.records import RunStart, StageEnd, StageStart

SPEC = {"where": {}, "limit": None, "columns": {"prompt": None, "label": None}, "split": "train"}
CONTENTS = {
    "d": {"kind": "data", "settings": SPEC, "files": {"path": "f1"}, "inputs": {}, "model": None},
    "a": {
        "kind": "extract",
        "settings": {"layers": [0], "data": "texts"},
        "files": {},
        "inputs": {"texts": "d"},
        "model": {"weights": {"name": "tiny", "fingerprint": "w1"}, "dtype": "float32"},
    },
    "p": {
        "kind": "probe",
        "settings": {"method": {"kind": "ridge", "folds": 5}, "labels": "texts"},
        "files": {},
        "inputs": {"acts": "a", "texts": "d"},
        "model": None,
        "seed": 0,
    },
}


def changed(stage, *path, value):
    contents = deepcopy(CONTENTS)
    inside = contents[stage]
    for part in path[:-1]:
        inside = inside[part]
    inside[path[-1]] = value
    return contents


@pytest.mark.parametrize(
    "contents",
    [
        changed("p", "seed", value=7),
        changed("p", "settings", "method", "folds", value=3),
        changed("p", "settings", "labels", value="other name"),
        changed("p", "inputs", value={"other": "a", "name": "d"}),
        changed("a", "settings", "layers", value="all"),
        changed("a", "model", "dtype", value="bfloat16"),
        changed("d", "settings", "limit", value=20),
        changed("d", "settings", "columns", value={"prompt": "text", "label": "label"}),
        {
            **changed("p", "inputs", value={"acts": "a", "random": "r", "texts": "d"}),
            "r": {**CONTENTS["a"], "model": {"weights": {"name": "random", "fingerprint": "w0"}}},
        },
    ],
)
def test_the_same_question(contents):
    assert question_of("p", contents) == question_of("p", CONTENTS) != ""


@pytest.mark.parametrize(
    "contents",
    [
        changed("p", "settings", "method", "kind", value="logistic"),
        changed("p", "kind", value="other"),
        changed("a", "model", "weights", "fingerprint", value="w2"),
        changed("d", "files", "path", value="f2"),
        changed("d", "settings", "where", value={"split": "test"}),
        changed("d", "settings", "columns", "label", value="other"),
    ],
)
def test_another_question(contents):
    assert question_of("p", contents) not in ("", question_of("p", CONTENTS))


def test_of_a_smoke_run_less_of_the_data_is_other_data():
    part = changed("d", "settings", "limit", value=20)
    whole = question_of("p", CONTENTS, same_rows=True)
    assert len({whole, question_of("p", part, same_rows=True), question_of("p", CONTENTS)}) == 3
    seeded = changed("p", "seed", value=7)
    assert question_of("p", seeded, same_rows=True) == whole


@pytest.mark.parametrize("contents", [{"p": {}}, {"p": CONTENTS["p"]}, {}])
def test_of_what_is_not_known_there_is_no_question(contents):
    assert question_of("p", contents) == ""


def record(ledger, *, purpose="exploratory", contents=CONTENTS) -> int:
    start = RunStart("e", "", "", 0, "", "", (), {}, "", "", purpose=purpose)
    run = ledger.begin_run(start)
    for key, content in contents.items():
        stage = ledger.begin_stage(run, StageStart(key, content["kind"], key, "", content))
        ledger.end_stage(stage, StageEnd("done"))
    return run


def test_runs_are_found_by_key_or_question(ledger):
    asked = {question_of("p", CONTENTS, same_rows=same) for same in (False, True)}
    assert ledger.runs_with_results({"p"}, asked) == ()
    first = record(ledger)
    smoke = record(ledger, purpose="smoke", contents=changed("d", "settings", "limit", value=20))
    whole = record(ledger, purpose="smoke")
    assert ledger.runs_with_results((), asked) == (first, whole)
    assert ledger.runs_with_results({"p", ""}) == (first, smoke, whole)
    assert ledger.runs_with_results({""}, {""}) == ()


def test_a_migration_asks_for_stages_that_were_there(tmp_path, monkeypatch):
    engine = create_engine(f"sqlite:///{tmp_path / 'old.sqlite'}")
    with monkeypatch.context() as patched:
        patched.setattr(module, "MIGRATIONS", MIGRATIONS[:2])
        migrate(engine)
    new = Ledger.open(tmp_path / "new.sqlite")
    record(new)
    tables = ("runs", "run_details", "stages")
    with new.engine.begin() as source, engine.begin() as target:
        for table in tables:
            for row in source.execute(text(f"SELECT * FROM {table}")).mappings():
                names = [name for name in row if name != "question" or table == "runs"]
                statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES "
                statement += f"({', '.join(f':{name}' for name in names)})"
                target.execute(text(statement), dict(row))
    engine.dispose()
    old = Ledger.open(tmp_path / "old.sqlite")
    assert old.runs_with_results((), {question_of("p", CONTENTS)}) == (1,)
