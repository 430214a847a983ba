import sqlite3

import pytest
from sqlalchemy import inspect

from sonde.core.errors import SondeError
from sonde.ledger.ledger import Ledger
from sonde.ledger.migrations import MIGRATIONS
from sonde.ledger.schema import metadata


def columns(inspector, table):
    return {
        column["name"]: (str(column["type"]), column["nullable"])
        for column in inspector.get_columns(table)
    }


def test_the_migrations_make_the_schema(tmp_path):
    migrated = Ledger.open(tmp_path / "a.sqlite").engine
    inspector = inspect(migrated)
    assert set(inspector.get_table_names()) == {*metadata.tables, "migrations"}
    for name, table in metadata.tables.items():
        found = columns(inspector, name)
        expected = {
            column.name: (column.type.compile(migrated.dialect), column.nullable)
            for column in table.columns
        }
        for column, (kind, nullable) in expected.items():
            assert found[column][0] == kind, f"{name}.{column}"
            if column != "id":
                assert found[column][1] == nullable, f"{name}.{column}"
        assert set(found) == set(expected)
        assert len(inspector.get_foreign_keys(name)) == len(table.foreign_keys)


def test_migrations_are_numbered_without_gaps():
    assert [number for number, _, _ in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_opening_again_migrates_nothing(tmp_path):
    for _ in range(2):
        Ledger.open(tmp_path / "a.sqlite")
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM migrations").fetchone() == (
            len(MIGRATIONS),
        )


def test_a_newer_ledger_is_refused(tmp_path):
    Ledger.open(tmp_path / "a.sqlite").engine.dispose()
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        connection.execute("INSERT INTO migrations VALUES (99, 'later', 'then')")
    with pytest.raises(SondeError, match="schema 99"):
        Ledger.open(tmp_path / "a.sqlite")
