"""The state in which a run is shown, which says more than the one that is recorded.

Recorded is what the run itself knew. That its process is gone, or that another run has taken its
place, is known only to who looks.
"""

from sqlalchemy import ColumnElement, and_, not_, select

from sonde.ledger.columns import Row
from sonde.ledger.processes import Onlooker
from sonde.ledger.records import DONE, INTERRUPTED, RESOLVED, RUNNING, SUPERSEDED
from sonde.ledger.schema import UNFINISHED, runs, supersessions


def shown_state(run: Row, replaced: bool, onlooker: Onlooker) -> str:
    """Return a run's state.

    One that runs in a process that is gone was interrupted. One that another replaces is
    superseded where it had a result, and resolved where it had none.
    """
    if replaced:
        return SUPERSEDED if run["state"] == DONE else RESOLVED
    if run["state"] == RUNNING and onlooker.sees_gone(run):
        return INTERRUPTED
    return run["state"]


def may_be_shown(state: str) -> ColumnElement[bool]:
    """Return what the database can say of a run that is shown in a state.

    A recorded ``running`` may turn out to be shown as ``running`` or as ``interrupted``.
    """
    replaced = runs.c.id.in_(select(supersessions.c.old_run))
    if state == SUPERSEDED:
        return and_(replaced, runs.c.state == DONE)
    if state == RESOLVED:
        return and_(replaced, runs.c.state != DONE)
    if state == INTERRUPTED:
        return and_(UNFINISHED, not_(replaced))
    if state == RUNNING:
        return and_(UNFINISHED, runs.c.state == RUNNING, not_(replaced))
    return and_(runs.c.state == state, not_(replaced))
