"""What SQLite does for a list: nothing that takes longer than reading one index or one column."""

import pytest
from sqlalchemy import text
from tests.ledgers import recorded

from sonde.ledger.database import reading
from sonde.ledger.ledger import Ledger
from sonde.ledger.listing import SORTS, Page, page_query
from sonde.ledger.records import PURPOSES, STATES, RunFilter

FILTERS = [
    RunFilter(),
    RunFilter(name="news"),
    RunFilter(name="*ews"),
    RunFilter(model="*gemma*"),
    RunFilter(since="2026-01-01", until="2026-02-01"),
    *(RunFilter(state=state) for state in STATES),
    *(RunFilter(purpose=purpose) for purpose in PURPOSES),
    RunFilter(text="needle"),
    RunFilter(name="a*", state="done", purpose="smoke", model="b*", since="2026-01-01"),
]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    ledger = Ledger.open(tmp_path_factory.mktemp("plans") / "ledger.sqlite")
    for _ in range(3):
        recorded(ledger)
    return ledger


def plan(ledger, wanted, page):
    """Return SQLite's plan for a page, a line a step."""
    with reading(ledger.engine) as connection:
        query = page_query(connection, wanted, page).compile(
            ledger.engine, compile_kwargs={"literal_binds": True}
        )
        return [row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {query}"))]


@pytest.mark.parametrize("wanted", FILTERS, ids=str)
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("reverse", [False, True])
def test_rows_are_read_from_an_index_or_in_their_own_order(small, wanted, sort, reverse):
    steps = plan(small, wanted, Page(sort, reverse))
    on_runs = [step for step in steps if step.split()[1] == "runs"]
    assert on_runs
    for step in on_runs:
        few = "runs_unfinished" in step
        in_order = step == "SCAN runs" and sort == "id"  # stops when the page is full
        by_number = step == "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)"
        assert few or in_order or by_number or "COVERING INDEX" in step, steps
    # Nothing is looked up anew for each run.
    assert not [step for step in steps if "CORRELATED" in step]


@pytest.mark.parametrize("state", ["running", "interrupted"])
def test_runs_that_may_have_been_interrupted_are_found_without_looking_at_the_others(small, state):
    steps = plan(small, RunFilter(state=state), Page())
    assert steps[0].startswith("SEARCH runs USING COVERING INDEX runs_unfinished"), steps
