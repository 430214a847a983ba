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
def kind(request) -> str:
    """The kind of database; a test that uses any of the fixtures below runs once for each."""
    return request.param


@pytest.fixture
def fresh(kind, request, tmp_path) -> str:
    """Where nothing is yet and a ledger can be made."""
    if kind == "sqlite":
        return str(tmp_path / "fresh" / "ledger.sqlite")
    return request.getfixturevalue("server").new_schema()


@pytest.fixture(scope="session")
def emptied(server) -> str:
    """A ledger in PostgreSQL that every test empties: it takes long to make."""
    url = server.new_schema()
    Ledger.open(url).engine.dispose()
    return url


@pytest.fixture
def where(kind, request, tmp_path) -> str:
    """Where an empty ledger is, or can be made."""
    if kind == "sqlite":
        return str(tmp_path / "deep" / "ledger.sqlite")
    url = request.getfixturevalue("emptied")
    request.getfixturevalue("server").empty(url)
    return url


@pytest.fixture
def ledger(where) -> Generator[Ledger]:
    """An empty ledger."""
    found = Ledger.open(where)
    yield found
    found.engine.dispose()
