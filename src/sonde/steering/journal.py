"""What a search has found out so far, in a file that it goes on from after it was stopped.

JSON Lines: the first line says of what search it is; each other one is an entry, or the word that
all entries before it are whole. Entries after the last such word were cut off, and count as absent:
what is made together is kept together, or not at all.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sonde.core.errors import SondeError
from sonde.core.files import canonical_json, full_disk_named, jsonable

WHOLE = {"whole": True}


class Journal:
    """Entries by kind and key: in memory alone, or in a file as well.

    A file is of one search: another identity is refused.
    """

    def __init__(self, path: Path | None, identity: Mapping[str, Any]) -> None:
        self._path = path
        self._entries: dict[tuple[str, str], Any] = {}
        if path is None:
            return
        kept = self._read(path, identity) if path.is_file() else 0
        if not kept:
            with full_disk_named(path):
                path.parent.mkdir(parents=True, exist_ok=True)
            self._append(canonical_json({"identity": jsonable(dict(identity))}) + "\n")

    def get(self, kind: str, key: str) -> Any:
        """Return the entry of a kind and key, or None."""
        return self._entries.get((kind, key))

    def values(self, kind: str) -> list[Any]:
        """Return all entries of a kind."""
        return [value for (held, _), value in self._entries.items() if held == kind]

    def keep(self, kind: str, found: Mapping[str, Any]) -> None:
        """Keep entries, all of them or, should the machine stop, none.

        Raises:
            SondeError: the disk is full or the file may not be written to.
        """
        if not found:
            return
        lines = [
            canonical_json({"kind": kind, "key": key, "value": jsonable(value)})
            for key, value in found.items()
        ]
        if self._path is not None:
            self._append("\n".join([*lines, canonical_json(WHOLE), ""]))
        self.hold(kind, found)

    def hold(self, kind: str, found: Mapping[str, Any]) -> None:
        """Know entries until the end of this process, and not in the file: what to try again."""
        for key, value in found.items():
            self._entries[kind, key] = jsonable(value)

    def _append(self, text: str) -> None:
        assert self._path is not None
        with full_disk_named(self._path), self._path.open("ab") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())

    def _read(self, path: Path, identity: Mapping[str, Any]) -> int:
        """Take the entries that are whole, cut off what follows them; return the bytes kept."""
        read = whole = 0
        waiting: dict[tuple[str, str], Any] = {}
        with path.open("rb") as file:
            for number, line in enumerate(file):
                read += len(line)
                found = _parsed(line)
                if found is None:  # the machine stopped here
                    break
                if number == 0:
                    _check(path, found, identity)
                    whole = read
                elif found == WHOLE:
                    self._entries |= waiting
                    waiting, whole = {}, read
                else:
                    waiting[found["kind"], found["key"]] = found["value"]
        with full_disk_named(path), path.open("rb+") as file:
            file.truncate(whole)
        return whole


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Return a line as written, or None where it is cut off."""
    if not line.endswith(b"\n"):
        return None
    try:
        found = json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None
    return found if isinstance(found, dict) else None


def _check(path: Path, found: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
    """Refuse the journal of another search, naming what differs."""
    held = found.get("identity")
    if not isinstance(held, dict):
        raise SondeError(f"{path} is not the journal of a search.", fix="Choose another folder.")
    wanted = json.loads(canonical_json(dict(identity)))
    differing = sorted(
        key for key in {*held, *wanted} if held.get(key, WHOLE) != wanted.get(key, WHOLE)
    )
    if differing:
        raise SondeError(
            f"{path} is of another search: it differs in {', '.join(differing)}.",
            fix="Choose another folder, or remove it to start again.",
        )
