"""The running log of an experiment: from the ledger to a Markdown file, with one's own remarks."""

from dataclasses import dataclass
from pathlib import Path

from sonde.core.errors import SondeError
from sonde.core.files import write_atomic
from sonde.experiments.log.asked import asked, top
from sonde.experiments.log.deviations import deviations
from sonde.experiments.log.found import found
from sonde.experiments.log.history import History
from sonde.experiments.log.judged import judged
from sonde.experiments.log.observations import observations
from sonde.experiments.log.places import Part, compose
from sonde.experiments.log.ran import ran
from sonde.experiments.log.remarks import KEPT, owner_of, remarks_in
from sonde.experiments.log.setup import setup
from sonde.experiments.log.whereabouts import whereabouts
from sonde.experiments.spec import Specification

FILE = "log.md"


@dataclass(frozen=True, slots=True)
class Written:
    """Where a log was written; how many remarks it kept, and the places that no longer exist."""

    path: Path
    remarks: int
    moved: tuple[str, ...]
    changed: bool


def parts_of(spec: Specification, history: History) -> tuple[Part, ...]:
    """Return the sections of the log, each with the name of its place for remarks."""
    parts = [Part(top(spec, history), "top"), Part(asked(spec, history), "asked")]
    if history.runs:
        parts += [Part(setup(history), "setup"), Part(ran(history), "runs")]
        sections = found(history)
        parts.append(Part("## Results" if sections else "## Results\n\nThere are none yet."))
        parts += [Part(text, f"results:{name}") for name, text in sections.items()]
        parts += [
            Part(judged(history), "verdicts"),
            Part(observations(history), "observations"),
            Part(deviations(spec, history), "deviations"),
            Part(whereabouts(history), "files"),
        ]
    return (*parts, Part("## Notes", "end"))


def write_log(path: Path, spec: Specification, history: History) -> Written:
    """Write the log of an experiment, and keep the remarks of the file that is there.

    The file is replaced as a whole or left as it is; where nothing changed it is not touched.

    Raises:
        SondeError: the file is something else, the log of another experiment, or damaged.
    """
    target = path.resolve()  # through a link, which stays
    if target.is_dir():
        raise SondeError(f"{path} is a folder.", fix="Give a file: --to FILE.")
    before = target.read_bytes() if target.exists() else b""
    remarks = _remarks(before, path, spec.name)
    parts = parts_of(spec, history)
    content = compose(spec.name, parts, remarks).encode("utf-8", "surrogateescape")
    if content != before:
        _replace(target, before, content)
    places = {part.place for part in parts}
    kept = [place for place, text in remarks.items() if text.strip()]
    moved = tuple(place for place in kept if place not in places)
    return Written(path, len(kept), moved, content != before)


def _remarks(before: bytes, path: Path, name: str) -> dict[str, str]:
    text = before.decode("utf-8", "surrogateescape")
    if not text.strip():
        return {}
    owner = owner_of(text)
    if owner not in (None, name):
        raise SondeError(
            f"{path} is the log of another experiment, {owner!r}.",
            fix=f"{KEPT}Write to another file with --to.",
        )
    return remarks_in(text, where=str(path))


def _replace(target: Path, before: bytes, content: bytes) -> None:
    """Replace the file, unless an editor saved it in the meantime."""

    def write(aside: Path) -> None:
        aside.write_bytes(content)
        if (target.read_bytes() if target.exists() else b"") != before:
            raise SondeError(
                f"{target} was changed while the log was written.",
                fix=f"{KEPT}Run the command again.",
            )

    write_atomic(target, write)
