"""The manifest of a store: what it holds, where from, and the checksum of every other file."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from sonde.activations.origin import Origin
from sonde.activations.sealed import read_sealed, write_sealed
from sonde.core.base import Config, validated
from sonde.core.errors import SondeError
from sonde.core.files import full_disk_named, sha256_file

MANIFEST, PLAN, ROWS, SKIPPED = "manifest.json", "plan.json", "rows.parquet", "skipped.parquet"
LOCK = ".lock"


class FileRecord(Config):
    """What a file must be."""

    sha256: str
    bytes: int


class ShardRecord(Config):
    """A finished shard: one file for each hook point, by name, all of ``rows`` rows.

    ``dropped`` lists rows with NaN or Inf that are not in it: the number of the row and the first
    hook point where it is not finite.
    """

    rows: int
    files: dict[str, FileRecord]
    dropped: tuple[tuple[int, str], ...] = ()


class Manifest(Config):
    """What ``manifest.json`` holds. ``shards`` has None where a shard is still to be made.

    ``shape`` is that of one row at each hook point. ``files`` are checksums of what is not a shard,
    known when the store is complete. ``rules`` are the settings that decide which examples are left
    out or shortened.
    """

    kind: Literal["activations"] = "activations"
    format: Literal[1] = 1
    origin: Origin
    rules: dict[str, str] = Field(default_factory=dict)
    examples: int
    truncated: int = 0
    shape: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    shards: tuple[ShardRecord | None, ...] = ()
    complete: bool = False
    skipped: int = 0
    files: dict[str, FileRecord] = Field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows in the finished shards."""
        return sum(shard.rows for shard in self.shards if shard is not None)

    def expected(self) -> dict[str, FileRecord]:
        """Return every file that must exist, by its path inside the store."""
        expected = dict(self.files)
        for shard in self.shards:
            expected |= shard.files if shard is not None else {}
        return expected


def shard_name(hook: str, number: int) -> str:
    """Return the path of a shard inside its store."""
    return f"{hook}/{number:05d}.safetensors"


def record_of(path: Path) -> FileRecord:
    """Return the checksum and size of a file."""
    return FileRecord(sha256=sha256_file(path), bytes=path.stat().st_size)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, sealed and atomically."""
    write_sealed(folder / MANIFEST, manifest.model_dump(mode="json"))


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a store.

    Raises:
        SondeError: there is none, it was altered, or a later version of sonde wrote it.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise SondeError(
            f"{folder} is not a store of activations: it has no {MANIFEST}.",
            fix="Give the folder that an extraction wrote.",
        )
    found: Any = read_sealed(path, f"Delete {folder} and make the store again.")
    return validated(Manifest, found, where=str(path))


def problem_with(folder: Path, name: str, record: FileRecord, *, content: bool) -> str:
    """Say what is wrong with a file of a store, or return ``""``; ``content`` hashes it."""
    path = folder / name
    if not path.is_file():
        return f"{path} is missing."
    size = path.stat().st_size
    if size != record.bytes:
        kind = "truncated" if size < record.bytes else "altered"
        return f"{path} is {kind}: it has {size:,} bytes and should have {record.bytes:,}."
    if content and sha256_file(path) != record.sha256:
        return f"{path} was altered: its checksum does not fit."
    return ""


REMAKE = "Delete this file and run the same extraction again: only what is missing is made anew."


def is_temporary(path: Path) -> bool:
    """Tell whether a file was being written by a run that was killed."""
    return re.fullmatch(r"\..+\.\d+\.tmp", path.name) is not None


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Hold the only right to write a store. The system frees it when the process ends.

    Raises:
        SondeError: another process holds it.
    """
    import fcntl

    with full_disk_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SondeError(
                f"Another process is writing the store {folder}.",
                fix="Wait until it has ended, or choose another folder.",
            ) from None
        yield
