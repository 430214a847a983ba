"""``data``: read examples from a file, and keep them with what was left out."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from sonde.core.errors import SondeError
from sonde.core.files import canonical_json, write_json, write_text
from sonde.data.examples import Example, Label, Message
from sonde.data.read import HUB, DataRead, read_data
from sonde.data.sets import shipped_data, unknown_data
from sonde.data.settings import DataSpec
from sonde.experiments.stage import Context, Outcome, Stage, resolved_path

EXAMPLES = "examples.jsonl"
SKIPPED = "skipped.json"
MAX_CLASSES = 20  # more different labels than this are shown as numbers, not counted


class DataStage(Stage, DataSpec):
    """Read examples from a file; a relative path starts at the folder of the experiment file."""

    kind: Literal["data"] = Field(default="data", description="Read examples from a file.")

    version: ClassVar[int] = 1
    gives: ClassVar[str] = "examples"
    light: ClassVar[bool] = True

    def files(self, base: Path) -> Mapping[str, Path]:
        """Return the data file or a trait's folder, unless the data comes from the hub.

        Raises:
            SondeError: the path is a name, and nothing goes by it.
        """
        return {} if self.path.startswith(HUB) else {"path": self._file(base)}

    def problems(self, base: Path) -> tuple[str, ...]:
        """Return what is wrong with the file or its columns."""
        try:
            self.read(base)
        except SondeError as error:
            return (str(error),)
        return ()

    def read(self, base: Path) -> DataRead:
        """Read the data.

        Raises:
            SondeError: as ``sonde.data.read.read_data``.
        """
        settings = self.model_dump(include=set(DataSpec.model_fields))
        if not self.path.startswith(HUB):
            settings["path"] = str(self._file(base))
        return read_data(DataSpec.model_validate(settings))

    def foreseen(self, base: Path) -> tuple[Example, ...]:
        """Return the examples, read from the file.

        Raises:
            SondeError: as ``read``.
        """
        return self.read(base).examples

    def run(self, context: Context) -> Outcome:
        """Write the examples as JSON Lines, and count them."""
        found = self.read(context.base)
        write_examples(found.examples, context.folder / EXAMPLES)
        write_json(context.folder / SKIPPED, [asdict(row) for row in found.skipped])
        return Outcome(_summary(found))

    def open(self, folder: Path) -> tuple[Example, ...]:
        """Return the examples."""
        return open_examples(folder / EXAMPLES)

    def _file(self, base: Path) -> Path:
        """Return the file or trait's folder: beside the experiment file, else as sonde ships it.

        Raises:
            SondeError: a name without an ending is neither.
        """
        beside = resolved_path(self.path, base)
        if beside.exists():
            return beside
        found = shipped_data(self.path)
        is_name = Path(self.path).parent == Path() and not Path(self.path).suffix
        if found is None and is_name and not self.path.startswith("~"):
            raise unknown_data(self.path)
        return found or beside


def write_examples(examples: Sequence[Example], path: Path) -> None:
    """Write examples as JSON Lines."""
    lines = (canonical_json(_stored(example)) for example in examples)
    write_text(path, "\n".join(lines) + "\n")


def open_examples(path: Path) -> tuple[Example, ...]:
    """Read what ``write_examples`` wrote."""
    with path.open(encoding="utf-8") as lines:
        return tuple(_example(json.loads(line)) for line in lines)


def _summary(found: DataRead) -> dict[str, Any]:
    labels = [example.label for example in found.examples if example.label is not None]
    counts = Counter(map(str, labels))
    summary: dict[str, Any] = {
        "n": len(found.examples),
        "labelled": len(labels),
        "groups": len({example.group for example in found.examples if example.group is not None}),
        "skipped": dict(sorted(Counter(row.reason for row in found.skipped).items())),
    }
    if labels and len(counts) <= MAX_CLASSES:
        summary["labels"] = dict(sorted(counts.items()))
    return summary


def _stored(example: Example) -> dict[str, Any]:
    stored = {name: getattr(example, name) for name in Example.__dataclass_fields__}
    if not isinstance(example.prompt, str):
        stored["prompt"] = [[turn.role, turn.content] for turn in example.prompt]
    if not example.label_names:
        del stored["label_names"]
    return stored


def _example(stored: dict[str, Any]) -> Example:
    prompt: str | Sequence[Sequence[str]] = stored.pop("prompt")
    turns = prompt if isinstance(prompt, str) else tuple(Message(*turn) for turn in prompt)
    label: Label | list[float] = stored.pop("label")
    several = tuple(label) if isinstance(label, list) else label
    names = tuple(stored.pop("label_names", ()))
    return Example(prompt=turns, label=several, label_names=names, **stored)
