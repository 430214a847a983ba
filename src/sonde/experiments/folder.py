"""Where the results of stages lie: one folder a key, finished once its ``done.json`` is there.

``<runs>/<experiment>/<stage>/<key>/``. The marker is written last and removed first, so a folder
with a marker is whole whatever was killed when. It holds no times: the same work leaves the same
bytes. Times are in ``timing.json`` beside it, and in the ledger.
"""

import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonde.core.base import Config
from sonde.core.errors import SondeError
from sonde.core.files import fingerprint, jsonable, read_json, sha256_file, write_json
from sonde.experiments.stage import DONE

TIMING = "timing.json"
OUTSIDE = frozenset({DONE, TIMING})


class Done(Config):
    """The marker of a finished stage: what it is a result of, what it found, and its files."""

    stage: str
    kind: str
    key: str
    version: int
    made_of: dict[str, Any]  # everything that the key is a hash of
    summary: dict[str, Any]
    results: tuple[dict[str, Any], ...] = ()
    files: dict[str, str]  # path within the folder -> SHA-256
    sonde_version: str
    seal: str = ""  # a hash of all other fields

    def sealed(self) -> "Done":
        """Return the same with its seal."""
        content = self.model_dump(mode="json", exclude={"seal"})
        return self.model_copy(update={"seal": fingerprint(content)})


@dataclass(frozen=True, slots=True)
class ResultFolder:
    """The folder of one stage's result under one key."""

    path: Path

    @property
    def done(self) -> Done | None:
        """The marker, or None while there is none.

        Raises:
            SondeError: the marker cannot be read, or was altered.
        """
        marker = self.path / DONE
        if not marker.exists():
            return None
        content = read_json(marker)
        try:
            done = Done.model_validate(content)
        except ValueError:
            raise SondeError(
                f"{marker} is not the marker of a finished stage.",
                fix=f"Delete {self.path} and run again.",
            ) from None
        if done.sealed() != done:
            raise SondeError(
                f"{marker} was altered after it was written.",
                fix=f"Delete {self.path} and run again.",
            )
        return done

    def begin(self, *, keep: bool) -> None:
        """Make the folder ready for a run; what a killed run left is kept only on request."""
        (self.path / DONE).unlink(missing_ok=True)
        if self.path.exists() and not keep:
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True, exist_ok=True)

    def finish(
        self, content: Mapping[str, Any], timing: Mapping[str, Any], *, store: str = ""
    ) -> Done:
        """Write the marker, with the hash of each file in the folder.

        Of a store, which has checksums of its own, only the manifest is hashed here.
        """
        hashes = {
            name: sha256_file(self.path / name)
            for name in self._names()
            if name not in OUTSIDE and not _in_store(name, store)
        }
        done = Done.model_validate(jsonable({**content, "files": hashes})).sealed()
        write_json(self.path / TIMING, dict(timing))
        write_json(self.path / DONE, done.model_dump(mode="json"))
        return done

    def _names(self) -> list[str]:
        return sorted(
            str(path.relative_to(self.path)) for path in self.path.rglob("*") if path.is_file()
        )

    def problems(self, *, store: str = "") -> list[str]:
        """Return what differs from the hashes in the marker; empty if nothing does.

        Raises:
            SondeError: there is no readable marker.
        """
        done = self.done
        if done is None:
            return [f"{self.path} is unfinished: it has no {DONE}."]
        found: list[str] = []
        for name, wanted in done.files.items():
            path = self.path / name
            if not path.is_file():
                found.append(f"{path} is missing.")
            elif sha256_file(path) != wanted:
                found.append(f"{path} has changed since it was written.")
        extra = [
            name
            for name in self._names()
            if name not in OUTSIDE and name not in done.files and not _in_store(name, store)
        ]
        return found + [f"{self.path / name} does not belong to the result." for name in extra]

    @contextmanager
    def locked(self, say: Callable[[str], None]) -> Generator[None]:
        """Hold the folder for this process; wait for another that does. A kill lets go of it."""
        import fcntl  # not on Windows, where sonde's other parts do work

        self.path.parent.mkdir(parents=True, exist_ok=True)
        with (self.path.parent / f".{self.path.name}.lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"Another process is making {self.path}; waiting for it.")
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _in_store(name: str, store: str) -> bool:
    return bool(store) and name.startswith(f"{store}/") and name != f"{store}/manifest.json"
