"""The table of runs in Markdown, written from the ledger and read from tables kept by hand.

A row that is read becomes a run whose facts are its cells. Its status decides the state of the run
and of its result: ``reproduced(control)`` is a reproduced result, ``superseded`` a superseded one,
and ``inconclusive (no result), RESOLVED by run-7`` a failed run that ``run-7`` resolves, if that is
a row of the table or a run of the ledger.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import IO

from sonde.core.errors import SondeError
from sonde.core.files import fingerprint
from sonde.ledger.exchange.cells import COLUMNS, NO_RESULT, cells_of
from sonde.ledger.exchange.markdown_table import read_table, table_lines
from sonde.ledger.exchange.record import (
    ReplacedRecord,
    ResultRecord,
    RunRecord,
    StageRecord,
    StatusRecord,
)
from sonde.ledger.records import DONE, FAILED, INTERRUPTED, RUNNING, SKIPPED, STATUSES
from sonde.ledger.wording import IN_WORDS

STAGE, RESULT = "table", "result"
_NOT_DONE = (FAILED, SKIPPED, INTERRUPTED, RUNNING)
_REPLACED = re.compile(r"\b(superseded|resolved)\s+by\s+", re.IGNORECASE)
_BETWEEN = re.compile(r"\s*(/|,|&|and)\s*")


def write_run_table(records: Iterable[RunRecord], file: IO[bytes]) -> None:
    """Write one row a run under the names of the columns."""
    for line in table_lines(COLUMNS, map(cells_of, records)):
        # Half of a surrogate pair is escaped by number in a cell, so every line is UTF-8.
        file.write(line.encode())


def read_run_table(file: IO[bytes], where: str) -> Iterator[RunRecord]:
    """Read runs.

    Raises:
        SondeError: it is not such a table, or a row has no run id or another's.
    """
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SondeError(f"{where} is not UTF-8: {error}.", fix="Save it as UTF-8.") from None
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in read_table(text, COLUMNS, where=where)]
    if not rows:
        raise SondeError(
            f"{where} holds no table of runs.", fix=f"Its columns are {', '.join(COLUMNS)}."
        )
    labels = Counter(row["run id"] for row in rows)
    for label, count in labels.items():
        if not label or count > 1:
            raise SondeError(
                f"{where}: {f'{count} rows have the run id {label!r}' if label else 'a row has no'}"
                f"{'' if label else ' run id'}.",
                fix="Give every run an id of its own.",
            )
    longest_first = sorted(labels, key=len, reverse=True)
    for row in rows:
        yield _record(row, longest_first)


def _record(row: dict[str, str], labels: Sequence[str]) -> RunRecord:
    state, status = _meaning(row)
    has_result = _has_result(row)
    results = (_result(row, status),) if has_result else ()
    return RunRecord(
        origin=fingerprint(row),
        label=row["run id"],
        name=row["run id"],
        model=row["model"],
        state=state,
        reason="" if has_result else " ".join(filter(None, (row["result"], row["notes"]))),
        started=_moment(row["date"]),
        seed=int(row["seed"]) if re.fullmatch(r"[0-9]{1,9}", row["seed"]) else 0,
        facts={column: text for column, text in row.items() if column != "run id"},
        stages=(StageRecord(name=STAGE, kind=STAGE, results=results),),
        replaced=tuple(_replaced(row, labels)),
    )


def _has_result(row: dict[str, str]) -> bool:
    nothing = row["result"].strip().lower() in ("", NO_RESULT)
    return not nothing and NO_RESULT not in row["status"].lower()


def _meaning(row: dict[str, str]) -> tuple[str, str]:
    """Return the run's state and its result's status, empty where the cell has none of ours."""
    said = row["status"].strip().lower()
    status = next((one for one in STATUSES if said.startswith(one)), "")
    state = next((one for one in _NOT_DONE if said.startswith(one)), None)
    if state is None:
        state = FAILED if NO_RESULT in said else DONE
    return state, status


def _result(row: dict[str, str], status: str) -> ResultRecord:
    why = "" if row["status"].strip().lower() == status else row["status"]
    return ResultRecord(
        name=RESULT,
        metric=IN_WORDS,
        not_applicable=row["result"],
        note=row["notes"],
        statuses=(StatusRecord(status=status, why=why),) if status else (),
    )


def _moment(day: str) -> str:
    """Return when a run began; a day that cannot be read is the first of all."""
    try:
        moment = datetime.fromisoformat(day.strip())
    except ValueError:
        moment = datetime(1, 1, 1, tzinfo=UTC)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")


def _replaced(row: dict[str, str], labels: Sequence[str]) -> Iterator[ReplacedRecord]:
    """Return the runs that the status or the notes name as what superseded or resolved this one.

    Of several the first counts, so it comes last. A name that is no row's is taken from the status
    alone: in notes "superseded by" may be followed by anything.
    """
    found: list[str] = []
    for column in ("status", "notes"):
        for said in _REPLACED.finditer(row[column]):
            found += _named(row[column][said.end() :], labels, anything=column == "status")
    for label in reversed(list(dict.fromkeys(found))):
        if label != row["run id"]:
            yield ReplacedRecord(by="", label=label, why=row["notes"] or row["status"])


def _named(text: str, labels: Sequence[str], *, anything: bool) -> Iterator[str]:
    while True:
        label = next((one for one in labels if _begins(text, one)), None)
        if label is None and anything and (word := re.match(r"\w[\w.-]*\w", text)):
            label = word.group()
        if label is None:
            return
        yield label
        between = _BETWEEN.match(text, len(label))
        if between is None:
            return
        text, anything = text[between.end() :], False


def _begins(text: str, label: str) -> bool:
    """Whether a text begins with a whole label, and not with a longer name."""
    return text.startswith(label) and not re.match(r"-?\w", text[len(label) :])
