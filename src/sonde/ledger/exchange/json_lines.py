"""JSON Lines: one run a line, with everything that the ledger has of it.

What JSON has no number for is a text: "Infinity", "-Infinity"; what is not a number is null.
"""

import json
import math
from collections.abc import Iterable, Iterator
from typing import IO, Any, cast

from sonde.core.base import validated
from sonde.core.errors import SondeError
from sonde.ledger.exchange.record import VERSION, RunRecord


def write_json_lines(records: Iterable[RunRecord], file: IO[bytes]) -> None:
    """Write each run as one line of strict JSON."""
    for record in records:
        value = _strict(record.model_dump())
        line = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # UTF-8 has no half of a surrogate pair, and JSON's escape for it is what this makes.
        file.write(line.encode("utf-8", "backslashreplace") + b"\n")


def read_json_lines(file: IO[bytes], where: str) -> Iterator[RunRecord]:
    """Read runs; empty lines are passed over.

    Raises:
        SondeError: a line is not JSON, or is not a run; ``where`` and the line are named.
    """
    for number, line in enumerate(file, 1):
        place = f"{where}, line {number}"
        if not line.strip():
            continue
        try:
            given = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise SondeError(
                f"{place} is not JSON: {error}.",
                fix="The file was changed or cut short; export it again.",
            ) from None
        if isinstance(given, dict) and cast("dict[str, Any]", given).get("version", 0) > VERSION:
            raise SondeError(
                f"{place} was written by a newer sonde (version {given['version']} of the format; "
                f"this one knows up to {VERSION}).",
                fix="Use that sonde, or export as Markdown, CSV or Parquet.",
            )
        yield validated(RunRecord, given, where=place)


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in cast("list[Any]", value)]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value
