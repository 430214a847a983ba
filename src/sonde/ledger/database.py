"""Opening the database: SQLite in WAL mode for a path, any PostgreSQL server by its URL."""

import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc
from sqlalchemy.engine import make_url

from sonde.core.errors import SondeError
from sonde.core.files import full_disk_named
from sonde.ledger.migrations import migrate

BUSY_SECONDS = 60
CONNECT_SECONDS = 15
POSTGRESQL = "postgresql+psycopg"


def connect(where: str, *, create: bool) -> Engine:
    """Open a ledger and bring its schema up to date.

    Raises:
        SondeError: it is not there and may not be created, or it is no ledger.
    """
    try:
        url = _url(where)
        if url.drivername.startswith("sqlite"):
            _prepare_folder(url.database, create)
            engine = create_engine(url)
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        else:
            waits = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_SECONDS}
            # A run may last longer than a server keeps an idle connection.
            engine = create_engine(url, pool_pre_ping=True, connect_args=waits)
        migrate(engine)
    except ImportError as error:
        raise SondeError(
            f"The ledger at {without_password(where)} is in PostgreSQL, which needs the package "
            f"psycopg: {_first_line(error)}.",
            fix="Install the extra: pip install 'sonde[postgresql]'.",
        ) from error
    except (exc.SQLAlchemyError, ValueError) as error:
        raise SondeError(
            f"The ledger at {without_password(where)} cannot be opened: "
            f"{_without(where, _first_line(error))}.",
            fix="$SONDE_LEDGER is a path or a database URL; without it the ledger lies next to "
            "the results.",
        ) from error
    return engine


@contextmanager
def reading(engine: Engine) -> Generator[Connection]:
    """Give a connection that takes no write lock."""
    with (
        _said(engine, "read"),
        engine.connect().execution_options(sonde_reading=True) as connection,
    ):
        yield connection


@contextmanager
def writing(engine: Engine) -> Generator[Connection]:
    """Give a connection in one transaction, which is committed at the end or undone."""
    with _said(engine, "written"), engine.begin() as connection:
        yield connection


def without_password(where: str) -> str:
    """Return a path or URL as it may be shown."""
    hidden = re.sub(r"^([^:/]+://[^:/@]*):.*@", r"\1:***@", where, flags=re.DOTALL)
    return re.sub(r"([?&][^=&]*pass[^=&]*=)[^&]*", r"\1***", hidden, flags=re.IGNORECASE)


@contextmanager
def _said(engine: Engine, what: str) -> Generator[None]:
    """Turn a failure of the database into an error that names it."""
    try:
        yield
    except exc.DBAPIError as error:
        # SQLAlchemy's own words hold the whole statement, and every value in it.
        raise SondeError(
            f"The ledger at {_place(engine.url)} could not be {what}: {_first_line(error)}.",
            fix="Everything recorded before is kept. See that the disk or the server has room, "
            "and that you may write to it.",
        ) from error


def _url(where: str) -> URL:
    if "://" not in where:
        return URL.create("sqlite", database=str(Path(where).expanduser().resolve()))
    url = make_url(where)
    backend = url.drivername.partition("+")[0]
    if backend not in ("sqlite", "postgresql", "postgres"):
        raise ValueError(f"{backend} is not a database that sonde knows; it knows postgresql")
    return url if backend == "sqlite" else url.set(drivername=POSTGRESQL)


def _place(url: URL) -> str:
    whole = url.render_as_string(hide_password=False)
    return str(url.database) if url.drivername == "sqlite" else without_password(whole)


def _prepare_folder(database: str | None, create: bool) -> None:
    if not database or database == ":memory:":
        return
    path = Path(database)
    if not create and not path.exists():
        raise SondeError(
            f"There is no ledger at {path}.",
            fix="`sonde run` makes one; --ledger or $SONDE_LEDGER names another.",
        )
    with full_disk_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)


def _set_up_sqlite(connection: Any, _: Any) -> None:
    # The driver's own transactions begin too late to lock; SQLAlchemy's events begin them.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    _write_ahead(connection)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")  # a recorded result survives a power cut
    connection.execute("PRAGMA cache_size = -65536")  # 64 MB: a long list reads each page once


def _write_ahead(connection: Any) -> None:
    """Set WAL mode. Where several processes make one file at once, SQLite does not wait for it."""
    import sqlite3

    until = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return  # also where the file system has no WAL: SQLite then keeps its other journal
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later can fail at the write without waiting, so a
    # writer takes the lock at once.
    is_reading = connection.get_execution_options().get("sonde_reading", False)
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")


def _without(where: str, message: str) -> str:
    """Return a message about a URL without what ``without_password`` hides."""
    found = re.match(r"^[^:/]+://[^:/@]*:(.*)@", where, flags=re.DOTALL)
    return message.replace(found[1], "***") if found and found[1] else message


def _first_line(error: BaseException) -> str:
    said = str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__]
    return said[0].strip().rstrip(".")
