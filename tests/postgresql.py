"""A real PostgreSQL server for tests and measurements: on loopback, in a folder that goes away."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

USER = "sonde"
START_SECONDS = 60
SCHEMA = "?options=-csearch_path%3D"


class NoServer(Exception):
    """Why there is no server here; a test that needs one is skipped with these words."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    port: int

    @property
    def url(self) -> str:
        """The URL of its database, as ``$SONDE_LEDGER`` takes it."""
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/postgres"

    def new_schema(self) -> str:
        """Return the URL of an empty schema of its own: as good as a database, and made at once."""
        name = f"s{uuid4().hex}"
        self._execute(f"CREATE SCHEMA {name}")
        return f"{self.url}{SCHEMA}{name}"

    def empty(self, url: str) -> None:
        """Take all rows out of the ledger in a schema, as if it had just been made."""
        from sonde.ledger.schema import metadata

        schema = url.rpartition(SCHEMA)[2]
        tables = ", ".join(f"{schema}.{name}" for name in metadata.tables)
        self._execute(f"TRUNCATE {tables} RESTART IDENTITY")

    def _execute(self, statement: str) -> None:
        import psycopg

        # A test that left a transaction open fails the next one, instead of holding it up for good.
        where = f"{_address(self.port)} options='-c lock_timeout=30s'"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def postgresql(*, durable: bool = True) -> Generator[Server]:
    """Start a server and stop it afterwards; not ``durable`` waits for no disk.

    Raises:
        NoServer: PostgreSQL or its driver is not installed.
    """
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="sonde-postgresql-"))
    data, who = folder / "data", _unprivileged()
    try:
        if who:
            shutil.chown(folder, who["user"], who["group"])
        make = [programs / "initdb", "-D", data, "-U", USER, "-E", "UTF8", "--locale=C"]
        subprocess.run([*make, "--no-sync", "-A", "reject"], check=True, capture_output=True, **who)
        (data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 trust\n")
        process, port = _started(programs / "postgres", data, durable, who)
        try:
            yield Server(port)
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: its files are thrown away
            process.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """Return the folder of the newest server that is installed."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise NoServer(f"psycopg, of the extra postgresql, is not installed: {error}") from error
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    found = str(debian[-1]) if debian else shutil.which("initdb")
    if found is None:
        raise NoServer("no PostgreSQL server is installed: apt-get install postgresql")
    return Path(found).resolve().parent


def _unprivileged() -> dict[str, Any]:
    """Return as whom the server runs: it refuses to be root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"}


def _started(
    program: Path, data: Path, durable: bool, who: dict[str, Any]
) -> tuple[subprocess.Popen[bytes], int]:
    log = data.parent / "log"
    log.touch()
    for _ in range(5):  # another process may take the port before the server does
        port = _free_port()
        settings = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "on" if durable else "off",
        }
        given = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        with log.open("ab") as said:
            process = subprocess.Popen(
                [program, "-D", data, *given], stdout=said, stderr=subprocess.STDOUT, **who
            )
        if _answers(process, port):
            return process, port
    raise NoServer(f"the PostgreSQL server does not start: {log.read_text()[-500:]}")


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    import psycopg

    until = time.monotonic() + START_SECONDS
    while process.poll() is None:
        try:
            psycopg.connect(_address(port)).close()
            return True
        except psycopg.OperationalError:
            if time.monotonic() > until:
                process.kill()
                process.wait()
                return False
            time.sleep(0.05)
    return False


def _address(port: int) -> str:
    return f"host=127.0.0.1 port={port} user={USER} dbname=postgres"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
