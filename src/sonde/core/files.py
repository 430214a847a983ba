"""Files that are whole or absent: atomic writes, canonical JSON, hashes."""

import errno
import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from sonde.core.errors import SondeError

CHUNK = 1 << 20


@contextmanager
def full_disk_named(path: Path) -> Generator[None]:
    """Turn a full disk or a missing permission into an error that names the file."""
    try:
        yield
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else _told_as_text(error)
        if number in (errno.ENOSPC, errno.EDQUOT):
            raise SondeError(
                f"The disk is full: {path} could not be written.",
                fix="Free some space and run the same command again; finished work is kept.",
            ) from error
        if number in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise SondeError(
                f"{path} could not be written: {os.strerror(number)}.",
                fix="Choose a folder that you may write to.",
            ) from error
        raise


def _told_as_text(error: Exception) -> int | None:
    """Return the number in ``… (os error 28)``, which is how safetensors reports a full disk."""
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else None


def write_atomic(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a file aside, sync it, and rename it to ``path``.

    Whoever reads ``path`` sees the old file or the whole new one, also after a crash.

    Raises:
        SondeError: the disk is full or the folder may not be written to.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with full_disk_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with full_disk_named(path):
            write(aside)
            with aside.open("rb+") as file:
                os.fsync(file.fileno())
            aside.replace(path)
            _sync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically, as UTF-8."""

    def write(aside: Path) -> None:
        aside.write_bytes(text.encode())

    write_atomic(path, write)


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys and no spaces: equal values give equal text. NaN is null."""
    return json.dumps(jsonable(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def jsonable(value: Any) -> Any:
    """Replace NaN and infinities, which JSON does not have, by None; tuples become lists."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in cast(dict[Any, Any], value).items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in cast(list[Any], value)]
    return value


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON with sorted keys atomically. NaN becomes null."""
    text = json.dumps(jsonable(value), sort_keys=True, indent=1, ensure_ascii=False)
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        SondeError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SondeError(f"{path} does not exist.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SondeError(f"{path} is not valid JSON: {error}.") from None


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file in hex, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def fingerprint(value: Any) -> str:
    """Return 16 hex digits that change when a JSON-like value changes."""
    # A text may hold half of a surrogate pair, which plain UTF-8 refuses.
    written = canonical_json(value).encode("utf-8", "surrogatepass")
    return hashlib.sha256(written).hexdigest()[:16]
