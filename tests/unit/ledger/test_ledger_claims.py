from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from tests.ledgers import CLAIM, recorded, verdict

from sonde.core.errors import SondeError
from sonde.ledger.claims import registered_as
from sonde.ledger.records import Registration
from sonde.stats.interval import Interval


def test_a_claim_is_registered_once_with_its_time(ledger):
    (first,) = ledger.register([CLAIM])
    (again,) = ledger.register([replace(CLAIM, spec_hash="other", after_results=True)])
    assert again == first
    assert first.registered.endswith("+00:00")
    assert (first.name, first.hash, first.content) == ("readable", "h1", CLAIM.content)
    assert (first.replaces, first.after_results) == (None, False)
    assert ledger.registrations("first") == (first,)
    assert ledger.registrations("another") == ()


def test_a_changed_claim_names_the_one_before_it(ledger):
    (first,) = ledger.register([CLAIM])
    (second,) = ledger.register([replace(CLAIM, hash="h2", after_results=True)])
    assert second.replaces == first.id
    assert second.after_results
    # Back to the first wording: it stood when the results came, so it stands, with its time.
    assert ledger.register([CLAIM]) == (first,)
    assert ledger.registrations("first") == (first, second)


def test_a_claim_changed_before_results_and_put_back_is_another_change(ledger):
    (first,) = ledger.register([CLAIM])
    (second,) = ledger.register([replace(CLAIM, hash="h2")])
    (third,) = ledger.register([replace(CLAIM, after_results=True)])
    assert (second.replaces, third.replaces) == (first.id, second.id)
    assert (third.hash, third.content, third.after_results) == (first.hash, first.content, True)
    assert ledger.register([replace(CLAIM, after_results=True)]) == (third,)
    assert ledger.register([replace(CLAIM, hash="h2", after_results=True)]) == (second,)


def registration(number, said, *, late=False):
    content = {"said": said}
    return Registration(number, "e", "it", said, f"2026-01-0{number}", content, "s", late, None)


@pytest.mark.parametrize(
    ("known", "said", "expected"),
    [
        ([], "a", None),
        ([("a", False)], "b", None),
        ([("a", False), ("b", False)], "a", None),  # put back: another change
        ([("a", False), ("b", True)], "a", 1),  # it stood when the results came
        ([("a", False), ("b", True), ("c", True)], "b", None),
        ([("a", False), ("a", False)], "a", 1),  # of two ledgers: the earlier
        ([("a", False), ("b", False), ("a", True), ("a", True)], "a", 3),
    ],
)
def test_which_registration_stands(known, said, expected):
    rows = [registration(at, text, late=late) for at, (text, late) in enumerate(known, 1)]
    found = registered_as(rows, said)
    assert (found and found.id) == expected


def test_claims_of_other_names_experiments_and_variants_are_others(ledger):
    starts = [
        CLAIM,
        replace(CLAIM, name="early", hash="h2"),
        replace(CLAIM, experiment="second", hash="h3"),
        replace(CLAIM, variant="seed=1", hash="h4"),
    ]
    made = ledger.register(starts)
    assert [one.replaces for one in made] == [None] * 4
    assert len({one.id for one in made}) == 4


def test_claims_that_several_register_at_once_get_one_row(ledger):
    def register(_):
        return ledger.register([CLAIM, replace(CLAIM, name="early")])

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(register, range(16)))
    assert all(one == found[0] for one in found)
    assert len(ledger.registrations("first")) == 2


def test_a_smoke_run_may_make_no_claim(ledger):
    with pytest.raises(SondeError, match=r"purpose smoke.*may make no claim"):
        ledger.register([CLAIM, replace(CLAIM, name="other", purpose="smoke")])
    assert ledger.registrations("first") == ()  # none of them
    (claim,) = ledger.register([CLAIM])
    run = recorded(ledger, purpose="smoke")
    with pytest.raises(SondeError, match=f"Run {run} has the purpose smoke"):
        ledger.record_verdicts(run, [verdict(claim.id)])
    assert ledger.verdicts() == ()


def test_a_verdict_comes_back_with_its_run_and_claim(ledger):
    (claim,) = ledger.register([CLAIM])
    run = recorded(ledger)
    given = verdict(claim.id)
    ledger.record_verdicts(run, [given])
    (found,) = ledger.verdicts(run=run)
    assert (found.run, found.experiment, found.name) == (run, "first", "readable")
    assert found.effect == Interval(0.2, 0.1, float("inf"), 40)
    assert found.p_adjusted is None  # NaN
    assert (found.verdict, found.why, found.p) == (given.verdict, given.why, given.p)
    assert ledger.verdicts("first") == (found,)
    assert ledger.verdicts("another") == ()
    detail = ledger.show(run)
    assert (detail.claims, detail.verdicts) == ((claim,), (found,))


def test_verdicts_are_added_not_changed(ledger):
    (claim,) = ledger.register([CLAIM])
    first, second = recorded(ledger), recorded(ledger)
    ledger.record_verdicts(first, [verdict(claim.id, effect=None, verdict="inconclusive")])
    ledger.record_verdicts(second, [verdict(claim.id)])
    assert [one.verdict for one in ledger.verdicts("first")] == ["inconclusive", "confirmed"]
    assert ledger.verdicts(run=first)[0].effect is None


def test_a_verdict_on_nothing_is_refused_and_none_of_its_call_is_kept(ledger):
    (claim,) = ledger.register([CLAIM])
    (other,) = ledger.register([replace(CLAIM, experiment="second")])
    run = recorded(ledger)
    for wrong, said in (
        (verdict(99), "no registered claim 99"),
        (verdict(other.id), "belongs to the experiment second"),
        (verdict(claim.id, verdict="confirm"), "'confirm' is not a verdict.*'confirmed'"),
    ):
        with pytest.raises(SondeError, match=said):
            ledger.record_verdicts(run, [verdict(claim.id), wrong])
    assert ledger.verdicts() == ()
