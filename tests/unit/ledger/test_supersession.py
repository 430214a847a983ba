import pytest
from tests.ledgers import START, recorded

from sonde.core.errors import SondeError


def test_a_done_run_is_superseded_with_its_results(ledger):
    old, new = recorded(ledger), recorded(ledger)
    ledger.supersede(old, new, "The adapter was wrong.")
    detail = ledger.show(old)
    assert (detail.run["state"], detail.run["replaced_by"]) == ("superseded", new)
    assert [result.status for result in detail.results] == ["superseded"]
    assert detail.results[0].score is not None  # nothing is deleted
    (one,) = detail.supersessions
    assert (one.old, one.new, one.why) == (old, new, "The adapter was wrong.")
    assert ledger.show(new).supersessions == (one,)
    assert ledger.show(new).run["state"] == "done"


@pytest.mark.parametrize("state", ["failed", "skipped", "interrupted"])
def test_a_run_without_a_result_is_resolved(ledger, state):
    old, new = recorded(ledger, state=state), recorded(ledger)
    ledger.supersede(old, new, "On a larger card.")
    assert ledger.show(old).run["state"] == "resolved"


def test_of_two_that_supersede_a_run_the_newest_counts_and_both_are_kept(ledger):
    old, second, third = (recorded(ledger) for _ in range(3))
    ledger.supersede(old, second, "once")
    ledger.supersede(old, third, "again")
    detail = ledger.show(old)
    assert detail.run["replaced_by"] == third
    assert [one.new for one in detail.supersessions] == [second, third]


def test_a_chain_is_kept_and_a_circle_refused(ledger):
    first, second, third = (recorded(ledger) for _ in range(3))
    ledger.supersede(first, second, "better")
    ledger.supersede(second, third, "better still")
    for old, new in ((second, first), (third, first), (third, second)):
        with pytest.raises(SondeError, match=f"Run {old} supersedes run {new} already"):
            ledger.supersede(old, new, "round and round")
    assert [row.state for row in ledger.list()] == ["done", "superseded", "superseded"]


def test_what_makes_no_sense_is_refused(ledger):
    old, failed = recorded(ledger), recorded(ledger, state="failed")
    running = ledger.begin_run(START)
    for arguments, said in (
        ((old, old, "why"), "cannot supersede itself"),
        ((old, 99, "why"), "no run 99"),
        ((99, old, "why"), "no run 99"),
        ((old, failed, "why"), f"Run {failed} is not done"),
        ((old, running, "why"), f"Run {running} is not done"),
        ((running, old, "why"), "still running"),
        ((failed, old, "  "), "is missing"),
    ):
        with pytest.raises(SondeError, match=said):
            ledger.supersede(*arguments)
    assert ledger.show(old).supersessions == ()
