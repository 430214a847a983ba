"""What a plan can say of claims: whether they can still be registered before results exist."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sonde.experiments.claims.evidence import Findings
from sonde.experiments.claims.judged import POST_HOC, Judged
from sonde.experiments.claims.registration import claim_starts, runs_that_answered
from sonde.experiments.spec import Specification
from sonde.experiments.stage import Finished
from sonde.ledger.records import Registration


@dataclass(frozen=True, slots=True)
class PlannedClaim:
    """A claim of a file, and how it stands: registered when, or what the next run will do."""

    name: str
    statement: str
    mode: str
    standing: str


def planned_claims(spec: Specification, root: Path, where: str) -> tuple[PlannedClaim, ...]:
    """Look every claim up in the ledger at a path or URL, which need not be there yet."""
    from sonde.ledger.claims import registered_as
    from sonde.ledger.ledger import Ledger

    is_there = "://" in where or Path(where).expanduser().exists()
    ledger = Ledger.open(where, create=False) if is_there else None
    registered = ledger.registrations(spec.name) if ledger else ()
    found: list[PlannedClaim] = []
    for start in claim_starts(spec, root, ledger):
        own = [one for one in registered if one.name == start.name]
        same = registered_as(own, start.hash)
        late = same.after_results if same else start.after_results
        mode = POST_HOC if late else str(start.content["mode"])
        statement = str(start.content["statement"])
        standing = _standing(same, late=late, changed=bool(own))
        if late and same is None:
            runs = runs_that_answered(spec, [start.name], ledger)
            standing += f" ({runs})" if runs else ""
        found.append(PlannedClaim(start.name, statement, mode, standing))
    return tuple(found)


def settled_claims(
    spec: Specification, root: Path, where: str, found: Mapping[str, Mapping[str, Finished]]
) -> tuple[Judged, ...] | None:
    """Return the verdicts that a run would show on what is there; None where it would judge."""
    from sonde.experiments.claims.docket import Docket

    docket = Docket.found(spec, root, where)
    findings = Findings(found)
    if docket is None or not docket.is_settled(findings):
        return None
    return docket.judged(findings)


def _standing(same: Registration | None, *, late: bool, changed: bool) -> str:
    if same is not None:
        return f"{same.registered[:16].replace('T', ' ')} UTC" + (
            ", when results existed" if late else ""
        )
    if late:
        return "too late to be before the results: they exist"
    if changed:
        return "will be, in place of an earlier claim of this name; there are no results yet"
    return "will be, before the first result"
