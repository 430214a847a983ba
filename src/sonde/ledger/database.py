"""Opening the database: SQLite in WAL mode for a path, any SQLAlchemy URL for a server."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.engine import make_url

from sonde.core.errors import SondeError
from sonde.core.files import full_disk_named
from sonde.ledger.migrations import migrate

BUSY_SECONDS = 60


def connect(where: str, *, create: bool) -> Engine:
    """Open a ledger and bring its schema up to date.

    Raises:
        SondeError: it is not there and may not be created, or it is no ledger.
    """
    url = where if "://" in where else f"sqlite:///{Path(where).expanduser().resolve()}"
    try:
        parsed = make_url(url)
        if parsed.drivername.startswith("sqlite"):
            _prepare_folder(parsed.database, create)
        engine = create_engine(parsed)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        migrate(engine)
    except (exc.SQLAlchemyError, ImportError) as error:
        raise SondeError(
            f"The ledger at {_without_password(where)} cannot be opened: {_first_line(error)}.",
            fix="$SONDE_LEDGER is a path or a database URL; without it the ledger lies next to "
            "the results.",
        ) from error
    return engine


@contextmanager
def reading(engine: Engine) -> Generator[Connection]:
    """Give a connection that takes no write lock."""
    with engine.connect().execution_options(sonde_reading=True) as connection:
        yield connection


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
    for pragma in (
        "journal_mode = WAL",
        "foreign_keys = ON",
        "synchronous = FULL",  # a recorded result survives a power cut
        f"busy_timeout = {BUSY_SECONDS * 1000}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later can fail at the write without waiting, so a
    # writer takes the lock at once.
    is_reading = connection.get_execution_options().get("sonde_reading", False)
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")


def _without_password(where: str) -> str:
    return make_url(where).render_as_string() if "://" in where else where


def _first_line(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]
