import sqlite3
import sys

import pytest
from sqlalchemy import insert, text
from tests.ledgers import recorded

from sonde.core.errors import SondeError
from sonde.ledger.database import reading, without_password, writing
from sonde.ledger.ledger import Ledger
from sonde.ledger.records import RunFilter
from sonde.ledger.schema import supersessions

NOWHERE = "postgresql+psycopg://ann:hush%40hush@127.0.0.1:1/d"


def test_a_ledger_is_not_made_by_looking(tmp_path):
    with pytest.raises(SondeError, match="no ledger"):
        Ledger.open(tmp_path / "none.sqlite", create=False)
    assert not (tmp_path / "none.sqlite").exists()


@pytest.mark.parametrize(
    "where",
    [
        "nosuchdialect://ann:hush@x/y",
        "mysql://ann:hush@x/y",
        "postgresql://ann:hush@x:port/d",
        "postgresql+psycopg://ann:hush@ab/cd@127.0.0.1:1/d",
        "postgres://ann:hush@127.0.0.1:1/d",
        NOWHERE,
        "postgresql://127.0.0.1:1/d?user=ann&password=hush&connect_timeout=2",
        "://hush",
    ],
)
def test_what_cannot_be_opened_is_said_without_its_password(where):
    with pytest.raises(SondeError, match="cannot be opened") as error:
        Ledger.open(where)
    if "ann" in where:
        assert "hush" not in str(error.value)


def test_passwords_are_hidden_wherever_they_stand():
    hidden = without_password("postgresql://ann:a:b/c@d?e@host:1/d?sslpassword=x&y=z&PASSWORD=w")
    assert hidden == "postgresql://ann:***@host:1/d?sslpassword=***&y=z&PASSWORD=***"
    for open_to_all in ("/a/b.sqlite", "postgresql://ann@host/d", "sqlite:////a/b:c@d"):
        assert without_password(open_to_all) == open_to_all


def test_a_missing_driver_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)  # as if it were not installed
    for where in (NOWHERE, "postgresql://ann:hush@h/d", "postgres://h/d"):
        with pytest.raises(SondeError, match=r"pip install 'sonde\[postgresql\]'") as error:
            Ledger.open(where)
        assert "hush" not in str(error.value)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.write_text("this is a text, and quite a long one, not a database at all")
    with pytest.raises(SondeError, match="cannot be opened"):
        Ledger.open(path)


def test_sqlite_writes_ahead_and_to_the_disk(tmp_path):
    ledger = Ledger.open(tmp_path / "ledger.sqlite")
    with reading(ledger.engine) as connection:
        for pragma, value in (
            ("journal_mode", "wal"),
            ("synchronous", 2),
            ("foreign_keys", 1),
            ("busy_timeout", 60_000),
        ):
            assert connection.execute(text(f"PRAGMA {pragma}")).scalar() == value


def test_the_short_names_of_postgresql_serve_too(server):
    url = server.new_schema()
    recorded(Ledger.open(url))
    short = url.replace("postgresql+psycopg://", "postgres://")
    assert [run.id for run in Ledger.open(short).list()] == [1]


def test_a_transaction_that_fails_leaves_nothing(ledger):
    recorded(ledger)
    with (
        pytest.raises(SondeError, match="could not be written") as error,
        writing(ledger.engine) as connection,
    ):
        connection.execute(text("UPDATE runs SET name = 'other'"))
        row = {"old_run": 77, "new_run": 78, "why": "hush", "recorded": "then"}
        connection.execute(insert(supersessions).values(**row))  # no such runs
    assert "hush" not in str(error.value)
    assert ledger.show(1).run["name"] == "first"


def test_a_database_that_breaks_while_it_is_read_is_named(tmp_path):
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger.open(path)
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE run_texts")
    with pytest.raises(SondeError, match=f"The ledger at {path} could not be read: no such table"):
        ledger.list(RunFilter(text="news"))
