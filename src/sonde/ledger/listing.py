"""Finding runs: filters, order and pages, worked out by the database."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, select

from sonde.core.errors import SondeError, nearest
from sonde.ledger.clock import first_moment, moment_after
from sonde.ledger.columns import Row
from sonde.ledger.processes import Onlooker
from sonde.ledger.records import INTERRUPTED, PURPOSES, RUNNING, STATES, RunFilter, RunRow
from sonde.ledger.results import headline_of
from sonde.ledger.rows import rows_for
from sonde.ledger.schema import results, run_texts, runs, stages
from sonde.ledger.states import may_be_shown, shown_state
from sonde.ledger.supersession import replaced_by

LOOKED_AT_ONCE = 200

# What runs are sorted by, and whether the largest comes first.
SORTS: Mapping[str, tuple[Column[Any], bool]] = {
    "id": (runs.c.id, True),
    "started": (runs.c.started, True),
    "name": (runs.c.name, False),
    "seconds": (runs.c.seconds, True),
    "value": (runs.c.value, True),
}


@dataclass(frozen=True, slots=True)
class Page:
    """Which of the runs that a filter finds are wanted, and in what order."""

    sort: str = "id"
    reverse: bool = False
    limit: int | None = 50
    offset: int = 0


def list_runs(connection: Connection, wanted: RunFilter, page: Page) -> tuple[RunRow, ...]:
    """Return a page of the runs that match.

    Raises:
        SondeError: the state, purpose or sort does not exist, or a time is none.
    """
    # The numbers alone come from an index; only the rows of the page are read.
    ids = [row["id"] for row in connection.execute(page_query(connection, wanted, page)).mappings()]
    if wanted.state in (RUNNING, INTERRUPTED):
        ids = _looked_at(connection, ids, wanted.state, page)
    found = {row["id"]: row for row in rows_for(connection, select(runs), runs.c.id, ids)}
    replaced, onlooker = replaced_by(connection, ids), Onlooker()
    headlines = _headlines(connection, [row["headline"] for row in found.values()])
    return tuple(
        _run_row(found[run], headlines.get(found[run]["headline"], ""), replaced.get(run), onlooker)
        for run in ids
    )


def page_query(connection: Connection, wanted: RunFilter, page: Page) -> Select[Any]:
    """Return the query for the numbers of the runs on a page.

    Whether a running run still runs is known only by looking at its process, so all that may be
    meant are found where that is asked for.
    """
    query = _ordered(select(runs.c.id).where(*_conditions(connection, wanted)), page)
    if wanted.state in (RUNNING, INTERRUPTED):
        return query
    return query.offset(page.offset).limit(page.limit)


def _looked_at(connection: Connection, ids: Sequence[int], state: str, page: Page) -> list[int]:
    onlooker, found = Onlooker(), list[int]()
    last = None if page.limit is None else page.offset + page.limit
    for first in range(0, len(ids), LOOKED_AT_ONCE):
        some = ids[first : first + LOOKED_AT_ONCE]
        rows = {row["id"]: row for row in rows_for(connection, select(runs), runs.c.id, some)}
        shown = (run for run in some if shown_state(rows[run], False, onlooker) == state)
        found.extend(shown)
        if last is not None and len(found) >= last:
            break
    return found[page.offset : last]


def _conditions(connection: Connection, wanted: RunFilter) -> Iterator[ColumnElement[bool]]:
    _check(wanted)
    sqlite = connection.dialect.name == "sqlite"
    if wanted.name is not None:
        yield _like(runs.c.name, wanted.name, sqlite)
    if wanted.model is not None:
        yield _like(runs.c.model, wanted.model, sqlite)
    if wanted.state is not None:
        yield may_be_shown(wanted.state)
    if wanted.purpose is not None:
        yield runs.c.purpose == wanted.purpose
    if wanted.since is not None:
        yield runs.c.started >= first_moment(wanted.since)
    if wanted.until is not None:
        yield runs.c.started < moment_after(wanted.until)
    if wanted.text:
        found = run_texts.c.text.contains(wanted.text.casefold(), autoescape=True)
        yield runs.c.id.in_(select(run_texts.c.run_id).where(found))


def _like(column: Column[Any], pattern: str, sqlite: bool) -> ColumnElement[bool]:
    """Compare with a pattern in which ``*`` is any text and everything else is itself."""
    if "*" not in pattern:
        return column == pattern
    if sqlite:  # GLOB minds the case, as PostgreSQL's LIKE does, and uses an index
        escaped = "".join(f"[{one}]" if one in "?[" else one for one in pattern)
        return column.op("GLOB", is_comparison=True)(escaped)
    escaped = "".join(f"\\{one}" if one in "\\%_" else one for one in pattern)
    return column.like(escaped.replace("*", "%"), escape="\\")


def _ordered(query: Select[Any], page: Page) -> Select[Any]:
    if page.sort not in SORTS:
        raise SondeError(
            f"Runs cannot be sorted by {page.sort!r}.{nearest(page.sort, SORTS)}",
            fix=f"Sort by {', '.join(SORTS)}.",
        )
    column, largest_first = SORTS[page.sort]
    if largest_first != page.reverse:
        return query.order_by(column.desc().nulls_last(), runs.c.id.desc())
    return query.order_by(column.asc().nulls_last(), runs.c.id.asc())


def _check(wanted: RunFilter) -> None:
    for what, given, known in (
        ("state", wanted.state, STATES),
        ("purpose", wanted.purpose, PURPOSES),
    ):
        if given is not None and given not in known:
            raise SondeError(
                f"{given!r} is not a {what}.{nearest(given, known)}",
                fix=f"{what.capitalize()}s are {', '.join(known)}.",
            )


def _headlines(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    """Return results in a few words."""
    query = select(results, stages.c.name.label("stage")).join(
        stages, stages.c.id == results.c.stage_id
    )
    rows = rows_for(connection, query, results.c.id, ids)
    return {row["id"]: headline_of(row, row["stage"]) for row in rows}


def _run_row(row: Row, headline: str, replaced: int | None, onlooker: Onlooker) -> RunRow:
    return RunRow(
        id=row["id"],
        name=row["name"],
        variant=row["variant"],
        state=shown_state(row, replaced is not None, onlooker),
        reason=row["reason"],
        started=row["started"],
        seconds=row["seconds"],
        headline=headline,
        purpose=row["purpose"],
        model=row["model"],
        value=row["value"],
        replaced_by=replaced,
    )
