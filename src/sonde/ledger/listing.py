"""Finding runs: filters, order and pages, worked out by the database."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, RowMapping, Select, func, select

from sonde.core.errors import SondeError, nearest
from sonde.ledger.clock import first_moment, moment_after
from sonde.ledger.columns import Row
from sonde.ledger.processes import Onlooker
from sonde.ledger.records import INTERRUPTED, PURPOSES, RUNNING, STATES, RunFilter, RunRow
from sonde.ledger.results import headline_of
from sonde.ledger.schema import results, run_texts, runs, stages
from sonde.ledger.states import may_be_shown, shown_state
from sonde.ledger.supersession import replaced_by

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
    query = _ordered(select(runs).where(*_conditions(connection, wanted)), page)
    onlooker = Onlooker()
    if wanted.state in (RUNNING, INTERRUPTED):
        # Whether a running run still runs is known only by looking at its process.
        found = list(_looked_at(connection, query, wanted.state, page))
    else:
        query = query.offset(page.offset).limit(page.limit)
        found = list(connection.execute(query).mappings())
    replaced = replaced_by(connection, [row["id"] for row in found])
    headlines = _headlines(connection, [row["headline"] for row in found if row["headline"]])
    return tuple(
        _run_row(row, headlines.get(row["headline"], ""), replaced.get(row["id"]), onlooker)
        for row in found
    )


def _looked_at(
    connection: Connection, query: Select[Any], state: str, page: Page
) -> Iterator[RowMapping]:
    onlooker, passed = Onlooker(), 0
    for row in connection.execute(query).mappings():
        if shown_state(row, replaced=False, onlooker=onlooker) != state:
            continue
        passed += 1
        if page.limit is not None and passed > page.offset + page.limit:
            return
        if passed > page.offset:
            yield row


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
        place = func.instr if sqlite else func.strpos
        found = place(run_texts.c.text, wanted.text.casefold()) > 0
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
    query = (
        select(results, stages.c.name.label("stage"))
        .join(stages, stages.c.id == results.c.stage_id)
        .where(results.c.id.in_(ids))
    )
    return {
        row["id"]: headline_of(row, row["stage"]) for row in connection.execute(query).mappings()
    }


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
