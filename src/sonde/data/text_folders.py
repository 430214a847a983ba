"""Folders of text: every document with its file's name, and every file that gave none, with why.

Text and Markdown files are read whole; of a Python file the documentation strings, found by
parsing it, never by running it. Every machine has those of Python's own standard library.
"""

import ast
import platform
import sysconfig
import warnings
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sonde.core.errors import SondeError
from sonde.core.files import fingerprint
from sonde.data.labels import whole_text

STANDARD_LIBRARY = "standard library"
ENDINGS = (".txt", ".md", ".py")
# Not part of the library, or made to be wrong.
_NOT_LIBRARY = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test"})
_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Document:
    """A text, named by its file's path within the folder: what a fold must not split."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that gave no document; ``reason`` is a short kind to count by."""

    file: str
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class TextFolder:
    """The documents of a folder in the order of their names, and the files that gave none."""

    name: str
    documents: tuple[Document, ...]
    left_out: tuple[LeftOut, ...]

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that change with any name or text."""
        return fingerprint([[one.name, one.text] for one in self.documents])

    @property
    def reasons(self) -> dict[str, int]:
        """How many files were left out, by reason."""
        return dict(sorted(Counter(one.reason for one in self.left_out).items()))

    def __str__(self) -> str:
        read = f"{len(self.documents):,} of {len(self.documents) + len(self.left_out):,} files read"
        lost = [f"{count:,} {reason}" for reason, count in self.reasons.items()]
        return f"{self.name}: {read}" + (f"; left out: {', '.join(lost)}." if lost else ".")


class _NoDocument(Exception):
    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


def read_texts_of(source: str | Path) -> TextFolder:
    """Read a folder of texts, or ``standard library``: its documentation strings.

    Raises:
        SondeError: the folder does not exist, is a file, or holds no text.
    """
    text = str(source)
    if text.startswith(STANDARD_LIBRARY):
        named = named_library(text)
        return _read(Path(sysconfig.get_path("stdlib")), named, (".py",), _NOT_LIBRARY)
    return _read(Path(text).expanduser(), text, ENDINGS, frozenset())


def named_library(text: str) -> str:
    """Return the name of this Python's standard library, whose texts differ between versions.

    Raises:
        SondeError: the text names another version.
    """
    here = f"{STANDARD_LIBRARY} of Python {platform.python_version()}"
    if text not in (STANDARD_LIBRARY, here):
        raise SondeError(f"{text!r} was asked for; this is {here}.", fix=f"{STANDARD_LIBRARY!r}.")
    return here


def _read(root: Path, name: str, endings: Collection[str], without: Collection[str]) -> TextFolder:
    if not root.is_dir():
        what = "is a file" if root.is_file() else "does not exist"
        raise SondeError(
            f"The text folder {name} {what}.",
            fix=f"Give a folder with files that end in {', '.join(ENDINGS)}, or "
            f"{STANDARD_LIBRARY!r}.",
        )
    documents: list[Document] = []
    left_out: list[LeftOut] = []
    first: dict[str, str] = {}  # of equal texts the first alone stays: folds must not share them
    for path in _files(root, without):
        file = path.relative_to(root).as_posix()
        try:
            text = _text_of(path, endings)
            if text in first:
                raise _NoDocument("same text as another file", first[text])
        except _NoDocument as none:
            left_out.append(LeftOut(file, none.reason, none.detail))
        else:
            first[text] = file
            documents.append(Document(file, text))
    found = TextFolder(name, tuple(documents), tuple(left_out))
    if not documents:
        raise SondeError(
            f"The folder {name} gives no text. {found}",
            fix=f"Give a folder with UTF-8 files that end in {', '.join(ENDINGS)}.",
        )
    return found


def _files(root: Path, without: Collection[str]) -> Iterator[Path]:
    """Yield files in the order of their names; hidden ones are none of the user's texts."""
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root).parts
        hidden = any(part.startswith(".") or part in without for part in inside)
        if not hidden and "__pycache__" not in inside and (path.is_file() or path.is_symlink()):
            yield path


def _text_of(path: Path, endings: Collection[str]) -> str:
    """Return a file's text.

    Raises:
        _NoDocument: it has none.
    """
    if path.is_symlink():
        raise _NoDocument("link", "links may lead out of the folder")
    if path.suffix.lower() not in endings:
        raise _NoDocument("other ending", path.suffix)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _NoDocument("unreadable", str(error)) from None
    text = _docstrings(content) if path.suffix.lower() == ".py" else _decoded(content)
    if not text.strip():
        is_code = path.suffix.lower() == ".py"
        raise _NoDocument("no documentation strings" if is_code else "empty")
    try:
        return whole_text(text, path.name)
    except SondeError as error:
        raise _NoDocument("half a character", error.what) from None


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _NoDocument(
            "not UTF-8", f"byte {error.start + 1} is {content[error.start]:#04x}"
        ) from None


def _docstrings(content: bytes) -> str:
    """Return a module's documentation strings in the order of the file, a blank line between."""
    try:
        with warnings.catch_warnings():  # of escapes such as \d, which are the author's affair
            warnings.simplefilter("ignore")
            tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _NoDocument("not Python", str(error)) from None
    nodes = [node for node in ast.walk(tree) if isinstance(node, _WITH_DOCSTRING)]
    nodes.sort(key=lambda node: getattr(node, "lineno", 0))
    found = (ast.get_docstring(node) for node in nodes)
    return "\n\n".join(text.strip() for text in found if text and text.strip())
