"""Verifying a store: every byte of every file, and that there is nothing else."""

from dataclasses import dataclass
from pathlib import Path

from sonde.activations import manifest as m
from sonde.core.errors import SondeError


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one file of a store, and how to mend it."""

    file: Path
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.what} {self.fix}".strip()


def verify_store(path: str | Path) -> list[Problem]:
    """Compare every file of a store with its checksum; an empty list means that all is well.

    The manifest carries its own checksum and those of all other files, so a single flipped byte
    anywhere is found. A store holds no times: nothing in it is left out of the checksums. The lock
    file is always empty. An unfinished store is a problem of its own.
    """
    folder = Path(path)
    try:
        manifest = m.read_manifest(folder)
    except SondeError as error:
        return [Problem(folder / m.MANIFEST, error.what, error.fix)]
    expected = manifest.expected()
    problems = [
        Problem(folder / name, problem, _remedy(folder, name))
        for name, record in sorted(expected.items())
        if (problem := m.problem_with(folder, name, record, content=True))
    ]
    if not manifest.complete:
        missing = sum(shard is None for shard in manifest.shards)
        problems.append(
            Problem(
                folder / m.MANIFEST,
                f"{folder} is unfinished: {missing} of {len(manifest.shards)} shards are missing.",
                "Run the same extraction again; it goes on where it stopped.",
            )
        )
    return problems + _strangers(folder, manifest)


def _remedy(folder: Path, name: str) -> str:
    if name == m.PLAN:
        return f"The plan cannot be made again: delete {folder} and extract anew."
    return m.REMAKE


def _strangers(folder: Path, manifest: m.Manifest) -> list[Problem]:
    """List files that the manifest does not name. Those of an unfinished run are its own matter."""
    known = {*manifest.expected(), m.MANIFEST}
    if not manifest.complete:
        known |= {m.PLAN, m.ROWS, m.SKIPPED}
        hooks = tuple(f"{hook}/" for hook in manifest.shape)
    found: list[Problem] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or name in known or (name == m.LOCK and not path.stat().st_size):
            continue
        unfinished = not manifest.complete and (m.is_temporary(path) or name.startswith(hooks))
        if not unfinished:
            found.append(Problem(path, f"{path} is not part of the store.", "Move it elsewhere."))
    return found
