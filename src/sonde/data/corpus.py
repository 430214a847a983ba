"""The texts of a corpus, row by row: of folders, files, and data sets that are streamed.

Every row ends as documents or is left out with a reason. Rows are numbered as the source has them,
so that reading can go on behind any of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from sonde.core.errors import SondeError, nearest
from sonde.core.files import fingerprint, sha256_file
from sonde.data.corpus_hub import commit_of, hub_rows, is_on_hub
from sonde.data.corpus_parts import is_held_out, passages
from sonde.data.corpus_settings import CorpusSettings
from sonde.data.labels import whole_text
from sonde.data.read import HUB
from sonde.data.tables import Row, read_rows
from sonde.data.text_folders import STANDARD_LIBRARY, Document, TextFolder, read_texts_of

WHOLE = (".txt", ".md")  # such a file is one text; the others have a text in each row


@dataclass(frozen=True, slots=True)
class CorpusRow:
    """A row or file of a source: its documents, or the reason why it has none."""

    number: int
    documents: tuple[str, ...] = ()
    held_out: tuple[bool, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class CorpusTexts:
    """The rows of a source. ``streamed`` says that reading all of them may take long."""

    settings: CorpusSettings
    folder: TextFolder | None = field(default=None, compare=False)

    @property
    def streamed(self) -> bool:
        """Whether rows are read as they are needed: of a data set, or a file of rows."""
        return self.folder is None

    @property
    def left_out(self) -> dict[str, int]:
        """Files of the folder that are no text at all, by reason."""
        return self.folder.reasons if self.folder is not None else {}

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits of the texts: of their content, or of the name of a data set.

        The latter stays when the data set changes on the hub: ``commit`` is what changes then.
        """
        given = self.settings
        if self.folder is not None:
            return self.folder.fingerprint
        if given.texts.startswith(HUB):
            return fingerprint([given.texts, given.subset, given.split, given.revision])
        return fingerprint([sha256_file(Path(given.texts).expanduser()), given.column])

    @property
    def on_hub(self) -> bool:
        """Whether they are a data set of the hub, which is another one at each commit."""
        return is_on_hub(self.settings)

    def commit(self) -> str:
        """Ask the hub at which commit its data set is, unless a commit was named.

        Raises:
            SondeError: there is no such data set or revision, or the hub does not answer.
        """
        return commit_of(self.settings)

    def at(self, commit: str) -> "CorpusTexts":
        """Return the texts of the data set at a commit."""
        return replace(self, settings=self.settings.model_copy(update={"revision": commit}))

    def rows(self, start: int = 0) -> Iterator[CorpusRow]:
        """Yield the rows of the slice that was asked for, from its row ``start`` on.

        Raises:
            SondeError: the file or data set cannot be read, or a row lacks the column.
        """
        given = self.settings
        stop = None if given.documents is None else given.first + given.documents
        first = given.first + start
        if stop is not None and first >= stop:
            return
        if self.folder is not None:
            named = ((one.name, {given.column: one.text}) for one in self.folder.documents)
            found: Iterator[Row] = islice(named, first, stop)
        elif given.texts.startswith(HUB):
            many = None if stop is None else stop - first
            found = islice(hub_rows(given, first), many)
        else:
            found = islice(read_rows(Path(given.texts).expanduser()), first, stop)
        for number, (where, row) in enumerate(found, first):
            yield _row(number, where, row, given)


def corpus_texts(settings: CorpusSettings) -> CorpusTexts:
    """Open the texts that the settings name; those of a folder are read at once.

    Raises:
        SondeError: there are none, or the file has an ending that is not read.
    """
    texts = settings.texts
    if texts.startswith(HUB):
        return CorpusTexts(settings)
    path = Path(texts).expanduser()
    if texts.startswith(STANDARD_LIBRARY) or path.is_dir():
        return CorpusTexts(settings, read_texts_of(texts))
    if path.suffix.lower() in WHOLE and path.is_file():
        return CorpusTexts(settings, _one_file(path))
    read_rows(path)  # complains of a missing file or an unknown ending
    return CorpusTexts(settings)


def _one_file(path: Path) -> TextFolder:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SondeError(
            f"{path} is not UTF-8: byte {error.start + 1} is {error.object[error.start]:#04x}.",
            fix="Save the file as UTF-8.",
        ) from None
    return TextFolder(path.name, (Document(path.name, text),), ())


def _row(number: int, where: str, row: dict[str, Any], settings: CorpusSettings) -> CorpusRow:
    if settings.column not in row:
        raise SondeError(
            f"{where} has no column {settings.column!r}.{nearest(settings.column, row)}",
            fix=f"Its columns are {', '.join(row)}; name the one with the texts as column.",
        )
    text = row[settings.column]
    if not isinstance(text, str):
        return CorpusRow(number, reason="empty" if text is None else "not a text")
    if not text.strip():
        return CorpusRow(number, reason="empty")
    try:
        whole_text(text, where)
    except SondeError:
        return CorpusRow(number, reason="half a character")
    documents = tuple(passages(text, settings.passage))
    sides = tuple(is_held_out(one, settings.held_out) for one in documents)
    return CorpusRow(number, documents, sides)
