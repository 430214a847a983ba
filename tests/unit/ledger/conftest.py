"""Ledgers in both databases that sonde keeps them in."""

from collections.abc import Generator

import pytest
from tests.postgresql import NoServer, Server, postgresql

from sonde.ledger.ledger import Ledger


@pytest.fixture(scope="session")
def server() -> Generator[Server]:
    """A PostgreSQL server; skip where none is installed."""
    running = postgresql(durable=False)
    try:
        found = running.__enter__()
    except NoServer as error:
        pytest.skip(str(error))
    yield found
    running.__exit__(None, None, None)


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request, tmp_path) -> str:
    """Where a ledger can be made, in SQLite and in PostgreSQL."""
    if request.param == "sqlite":
        return str(tmp_path / "deep" / "ledger.sqlite")
    return request.getfixturevalue("server").new_ledger()


@pytest.fixture
def ledger(where) -> Generator[Ledger]:
    """An empty ledger, in SQLite and in PostgreSQL."""
    found = Ledger.open(where)
    yield found
    found.engine.dispose()
