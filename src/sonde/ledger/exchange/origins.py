"""What a run is called outside its ledger: an origin that no two runs share, and a label."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from sonde.core.files import fingerprint
from sonde.ledger.schema import run_details, runs

RUN_ID = "run id"  # the fact that keeps the label of an imported run

# What tells a run of this ledger from every other run: no process begins two runs as one.
_IDENTITY = ("id", "name", "variant", "started", "process", "spec_hash")


def origin_of(run: Mapping[str, Any]) -> str:
    """Return a run's origin: 16 hex digits, which an imported run has kept from where it was made.

    ``run`` is a row of the table of runs.
    """
    return run["origin"] or fingerprint({name: run[name] for name in _IDENTITY})


def label_of(run: Mapping[str, Any]) -> str:
    """Return what people call a run: ``demo-12``, or the id that an imported one came with."""
    return str(run["facts"].get(RUN_ID) or f"{run['name']}-{run['id']}")


def native_origins(connection: Connection) -> dict[str, int]:
    """Return the number of every run that was made in this ledger, by its origin."""
    columns = (runs.c[name] for name in (*_IDENTITY, "origin"))
    rows: Any = connection.execute(select(*columns).where(runs.c.origin.is_(None))).mappings()
    return {origin_of(row): row["id"] for row in rows}


def imported_origins(connection: Connection, wanted: Iterable[str]) -> dict[str, int]:
    """Return the numbers of imported runs by their origins, of those that are wanted and there."""
    query = select(runs.c.origin, runs.c.id).where(runs.c.origin.in_(list(wanted)))
    return {row.origin: row.id for row in connection.execute(query)}


def known_labels(connection: Connection, wanted: Iterable[str]) -> dict[str, int]:
    """Return the number of the newest run of each label, of those that are wanted and there."""
    labels = set(wanted)
    if not labels:
        return {}
    query = select(runs.c.id, runs.c.name, run_details.c.facts).join(
        run_details, run_details.c.run_id == runs.c.id
    )
    found: dict[str, int] = {}
    rows: Any = connection.execute(query.order_by(runs.c.id)).mappings()
    for row in rows:
        if (label := label_of(row)) in labels:
            found[label] = row["id"]
    return found
