"""Keeping the files of units in the ledger, by their content.

Two results with the same file share one row. A file above ``LARGEST`` stays where it is, and the
ledger keeps its hash, by which it is known again.
"""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Insert, insert, select

from sonde.core.errors import SondeError
from sonde.core.files import sha256_file
from sonde.ledger.records import Measured
from sonde.ledger.schema import unit_scores

LARGEST = 8 << 20  # bytes


@dataclass(frozen=True, slots=True)
class UnitsFile:
    """A file of units: what results call it, and what the ledger keeps of it."""

    name: str
    hash: str
    size: int
    content: bytes | None  # compressed; None where the file is too large


def read_units(folder: Path | None, measured: Sequence[Measured]) -> tuple[UnitsFile, ...]:
    """Read and compress the files that results name, before the ledger is locked.

    Raises:
        SondeError: a file is missing or lies outside the stage's folder.
    """
    if folder is None:
        return ()
    names = dict.fromkeys(one.units for one in measured if one.units)
    return tuple(_read(folder, name) for name in names)


def units_file(name: str, content: bytes) -> UnitsFile:
    """Return a file of units by its content."""
    digest = hashlib.sha256(content).hexdigest()
    return UnitsFile(name, digest, len(content), zlib.compress(content))


def keep_units(connection: Connection, files: Sequence[UnitsFile]) -> None:
    """Insert the files whose content the ledger does not have yet."""
    for file in files:
        row = {"hash": file.hash, "size": file.size, "content": file.content}
        connection.execute(_insert_once(connection, row))


def kept_units(connection: Connection, units_hash: str, path: Path) -> bytes | Path:
    """Return a file's content, or its path where the ledger keeps only the hash.

    Raises:
        SondeError: the content is neither in the ledger nor, unaltered, at ``path``.
    """
    query = select(unit_scores.c.content).where(unit_scores.c.hash == units_hash)
    content = connection.execute(query).scalar()
    if content is not None:
        return zlib.decompress(content)
    if not path.is_file():
        raise SondeError(
            f"The scores of each unit lay in {path}, and the file is gone.",
            fix=f"It was larger than {LARGEST >> 20} MB, so the ledger has its hash alone. "
            "Put it back, or run the stage again.",
        )
    if sha256_file(path) != units_hash:
        raise SondeError(
            f"{path} is not the file that was recorded: its hash differs.",
            fix="Put the recorded file back, or run the stage again.",
        )
    return path


def _read(folder: Path, name: str) -> UnitsFile:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise SondeError(f"A result names {name!r} as its file of units, outside {folder}.")
    if not path.is_file():
        raise SondeError(f"A result names {path} as its file of units, which does not exist.")
    size = path.stat().st_size
    if size > LARGEST:
        return UnitsFile(name, sha256_file(path), size, None)
    return units_file(name, path.read_bytes())


def _insert_once(connection: Connection, row: dict[str, Any]) -> Insert:
    # Both dialects can pass over a row that is there, also one that another process inserts now.
    if connection.dialect.name == "sqlite":
        return insert(unit_scores).prefix_with("OR IGNORE").values(**row)
    from sqlalchemy.dialects.postgresql import insert as insert_postgresql

    return insert_postgresql(unit_scores).values(**row).on_conflict_do_nothing()
