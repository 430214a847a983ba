"""JSON files that carry their own checksum: one flipped byte anywhere is found.

The file holds the key ``seal``, the SHA-256 of the same JSON without it. Reading writes the value
again and compares every byte, so that a changed space is found like a changed number. One file
changes in one rename, which a checksum in a second file could not do.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from sonde.core.errors import SondeError
from sonde.core.files import jsonable, read_json, write_text

SEAL = "seal"


def write_sealed(path: Path, value: dict[str, Any], *, indent: int | None = 1) -> None:
    """Write JSON with its seal, atomically; NaN becomes null."""
    write_text(path, _sealed(jsonable(value), indent))


def read_sealed(path: Path, fix: str) -> dict[str, Any]:
    """Read a sealed JSON file; ``fix`` says what to do about a damaged one.

    Raises:
        SondeError: the file is missing, is not JSON, or is not byte for byte what was written.
    """
    try:
        value = read_json(path)
    except SondeError as error:
        raise SondeError(error.what, fix=fix) from None
    if isinstance(value, dict):
        given = dict(value)
        given.pop(SEAL, None)
        raw = path.read_bytes()
        if any(raw == _sealed(given, indent).encode() for indent in (1, None)):
            return given
    raise SondeError(f"{path} was altered: its seal does not fit.", fix=fix)


def _sealed(value: dict[str, Any], indent: int | None) -> str:
    seal = hashlib.sha256(_text(value, indent).encode()).hexdigest()
    return _text({**value, SEAL: seal}, indent)


def _text(value: dict[str, Any], indent: int | None) -> str:
    separators = (",", ":") if indent is None else None
    text = json.dumps(
        value, sort_keys=True, indent=indent, separators=separators, ensure_ascii=False
    )
    return text + "\n"
