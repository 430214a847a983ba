"""A YAML file that remembers the line of each value, for error messages that lead there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

import yaml

from sonde.core.errors import SondeError

Place: TypeAlias = tuple[str, ...]
EXPERIMENT = "an experiment file"
_QUOTES = "Put a text that holds any of [ ] { } : # , into quotes; indent with spaces."


@dataclass(frozen=True, slots=True)
class YamlFile:
    """The parsed content of a YAML file, its text, and the 1-based line of each value."""

    path: Path
    text: str
    content: dict[str, Any]
    lines: dict[Place, int]

    def where(self, place: tuple[int | str, ...]) -> str:
        """Return the dotted place with the line of its nearest known parent.

        Parts that the file does not have are left out of a place's middle: pydantic puts the tag
        of a union there, which the user did not write as a key.
        """
        known: Place = ()
        for number, part in enumerate(map(str, place)):
            if (*known, part) in self.lines or number == len(place) - 1:
                known = (*known, part)
        line = next(
            (
                self.lines[known[:end]]
                for end in range(len(known), 0, -1)
                if known[:end] in self.lines
            ),
            None,
        )
        name = ".".join(known) or "the whole"
        return name if line is None else f"{name} (line {line})"


def read_yaml(path: Path, kind: str = EXPERIMENT) -> YamlFile:
    """Read a YAML file whose top is a mapping; ``kind`` says in error messages what it should be.

    Raises:
        SondeError: the file is missing, is not YAML, has a key twice, or is not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError):
        raise SondeError(f"{path} is not a file.", fix=f"Give the path of {kind} (YAML).") from None
    except UnicodeDecodeError as error:
        raise SondeError(f"{path} is not UTF-8 text: {error}.") from None
    return parse_yaml(text, path, kind)


def parse_yaml(text: str, path: Path, kind: str = EXPERIMENT) -> YamlFile:
    """Parse YAML text; ``path`` and ``kind`` are for error messages.

    Raises:
        SondeError: as in ``read_yaml``.
    """
    try:
        node: yaml.Node | None = cast("Any", yaml).compose(text, Loader=yaml.SafeLoader)
        lines: dict[Place, int] = {}
        if node is not None:
            _collect(node, (), lines, path)
        content: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SondeError(f"{path} is not valid YAML: {error}", fix=_QUOTES) from None
    if not isinstance(content, dict):
        raise SondeError(
            f"{path} is not {kind}: its top is not a mapping.",
            fix="Begin with lines such as `name: first-probe` and `stages:`."
            if kind == EXPERIMENT
            else "Begin with a line such as `key: value`.",
        )
    return YamlFile(path, text, cast("dict[str, Any]", content), lines)


def parse_value(text: str) -> Any:
    """Read one value as YAML: numbers, booleans, null, lists and mappings, else text.

    Raises:
        SondeError: the text is not YAML.
    """
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SondeError(f"{text!r} is not a YAML value: {error}") from None


def _collect(node: yaml.Node, place: Place, lines: dict[Place, int], path: Path) -> None:
    """Note the line of each value below ``node``, and refuse a key given twice."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inside = (*place, str(key.value))
            line = key.start_mark.line + 1
            if inside in lines:
                raise SondeError(
                    f"{path}, line {line}: {'.'.join(inside)} is given twice, first in line "
                    f"{lines[inside]}.",
                    fix="Keep one of them.",
                )
            lines[inside] = line
            _collect(value, inside, lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            inside = (*place, str(number))
            lines[inside] = value.start_mark.line + 1
            _collect(value, inside, lines, path)
