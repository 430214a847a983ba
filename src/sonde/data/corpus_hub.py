"""Data sets of the Hugging Face hub as texts: at which commit they are, and row by row."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sonde.core.errors import SondeError
from sonde.core.hub_refusals import refusals_named
from sonde.data.corpus_settings import CorpusSettings
from sonde.data.read import HUB
from sonde.data.tables import Row

_COMMIT = re.compile(r"[0-9a-f]{40}")
_TIMEOUT = 20  # seconds


def is_on_hub(settings: CorpusSettings) -> bool:
    """Whether the texts are a data set of the hub, which may change there, and no local folder."""
    name = settings.texts.removeprefix(HUB)
    return settings.texts.startswith(HUB) and not Path(name).is_dir()


def commit_of(settings: CorpusSettings) -> str:
    """Return the commit that the revision of a data set stands for now, the newest if none is said.

    Raises:
        SondeError: there is no such data set or revision, it may not be read, the hub does not
            answer, or the package datasets is missing.
    """
    _reader(settings)  # nothing is asked of the hub that could not be read from it
    name, revision = settings.texts.removeprefix(HUB), settings.revision
    if revision is not None and _COMMIT.fullmatch(revision):
        return revision
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

    try:
        with refusals_named(settings.texts, revision, kind="data set", page=name):
            return str(HfApi().dataset_info(name, revision=revision, timeout=_TIMEOUT).sha)
    except (HfHubHTTPError, OfflineModeIsEnabled, HTTPError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise SondeError(
            f"At which commit {settings.texts} is cannot be said: the hub did not answer "
            f"({reason}).",
            fix="Try again with a network, or give a file or folder of texts. Texts that were "
            "read to the end before need none.",
        ) from error


def hub_rows(settings: CorpusSettings, start: int) -> Iterator[Row]:
    """Yield the rows of a data set of the hub from one on, read as they are asked for.

    Raises:
        SondeError: the package datasets is missing, or the data set cannot be read.
    """
    reader = _reader(settings)
    try:
        rows = reader(
            settings.texts.removeprefix(HUB),
            settings.subset,
            split=settings.split,
            revision=settings.revision,
            streaming=True,
        )
        for number, row in enumerate(rows.skip(start), start + 1):
            yield f"{settings.texts}, {settings.split} row {number}", row
    except (ValueError, OSError) as error:  # an unknown split or name, no connection
        raise SondeError(
            f"{settings.texts} could not be read: {error}",
            fix="Check the name, the subset and the split; what was read is kept, so the same "
            "command goes on from there.",
        ) from None


def _reader(settings: CorpusSettings) -> Callable[..., Any]:
    try:
        from datasets import load_dataset  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise SondeError(
            f"{settings.texts} needs the package datasets.",
            fix="Run pip install 'sonde[datasets]'.",
        ) from None
    return load_dataset
