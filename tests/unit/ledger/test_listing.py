import pytest
from sqlalchemy import update
from tests.ledgers import START, recorded, scored

from sonde.core.errors import SondeError
from sonde.ledger.records import Measured, RunFilter
from sonde.ledger.schema import runs


def numbers(rows):
    return [row.id for row in rows]


def test_the_newest_come_first_in_pages(ledger):
    made = [recorded(ledger) for _ in range(5)]
    assert numbers(ledger.list()) == made[::-1]
    assert numbers(ledger.list(limit=2)) == made[:2:-1]
    assert numbers(ledger.list(limit=2, offset=2)) == [made[2], made[1]]
    assert numbers(ledger.list(reverse=True, limit=2)) == made[:2]
    assert numbers(ledger.list(limit=None)) == made[::-1]
    assert ledger.list(offset=5) == ()


def test_states_are_those_that_are_shown(ledger):
    done, failed, skipped = (
        recorded(ledger, state=state) for state in ("done", "failed", "skipped")
    )
    running = ledger.begin_run(START)
    better = recorded(ledger)
    ledger.supersede(done, better, "A wrong adapter.")
    ledger.supersede(failed, better, "More memory.")
    shown = {row.id: row.state for row in ledger.list()}
    assert shown == {
        done: "superseded",
        failed: "resolved",
        skipped: "skipped",
        running: "running",
        better: "done",
    }
    for run, state in shown.items():
        assert numbers(ledger.list(RunFilter(state=state))) == [run]
    assert ledger.list(RunFilter(state="failed")) == ()
    assert [row.replaced_by for row in ledger.list(reverse=True)] == [
        better,
        better,
        None,
        None,
        None,
    ]


def test_pages_of_runs_that_are_running_count_those_alone(ledger):
    made = [ledger.begin_run(START) for _ in range(6)]
    gone = {"host": "elsewhere", "pid": 1, "since": 0.0}
    silent = "2020-01-01T00:00:00.000+00:00"
    with ledger.engine.begin() as connection:
        where = runs.c.id.in_(made[::2])
        connection.execute(update(runs).where(where).values(process=gone, beat=silent))
    assert numbers(ledger.list(RunFilter(state="running"))) == made[5::-2]
    assert numbers(ledger.list(RunFilter(state="running"), limit=1, offset=1)) == [made[3]]
    assert numbers(ledger.list(RunFilter(state="interrupted"), limit=2)) == [made[4], made[2]]
    assert numbers(ledger.list(RunFilter(state="interrupted"), limit=2, offset=2)) == [made[0]]


def test_a_star_stands_for_any_text_and_nothing_else_does(ledger):
    names = ["news-1", "news-2", "News-3", "n?ws", "n[a]", "100%", "100x", "a_b", "axb", "\\d"]
    made = {name: recorded(ledger, name=name) for name in names}

    def found(pattern):
        return [row.name for row in ledger.list(RunFilter(name=pattern), reverse=True)]

    assert found("news-*") == ["news-1", "news-2"]
    assert found("*-*") == ["news-1", "news-2", "News-3"]
    assert found("n?ws") == ["n?ws"]
    assert found("n?*") == ["n?ws"]
    assert found("n[*") == ["n[a]"]
    assert found("100%") == ["100%"]
    assert found("100%*") == ["100%"]
    assert found("a_*") == ["a_b"]
    assert found("\\*") == ["\\d"]
    assert found("*") == list(made)
    assert found("nothing*") == []


def test_filters_are_joined(ledger):
    common = {"name": "news", "facts": {"model": "google/gemma-2-2b"}}
    first = recorded(ledger, **common, purpose="smoke")
    second = recorded(ledger, **common, purpose="confirmatory")
    recorded(ledger, purpose="confirmatory")
    assert numbers(ledger.list(RunFilter(model="*gemma*"))) == [second, first]
    assert numbers(ledger.list(RunFilter(model="*gemma*", purpose="smoke"))) == [first]
    assert numbers(ledger.list(RunFilter(name="news", purpose="confirmatory"))) == [second]
    assert ledger.list(RunFilter(name="news", model="tiny")) == ()


def test_free_text_is_in_the_question_a_reason_or_a_note_in_any_case(ledger):
    first = recorded(ledger, question="Is good NEWS readable?")
    second = recorded(ledger, state="failed")  # "it broke"
    third = recorded(ledger, results=(Measured("a", "auroc", scored(1.0).score, note="Straße"),))
    assert numbers(ledger.list(RunFilter(text="good news"))) == [first]
    assert numbers(ledger.list(RunFilter(text="IT BROKE"))) == [second]
    assert numbers(ledger.list(RunFilter(text="STRASSE"))) == [third]
    assert numbers(ledger.list(RunFilter(text="%"))) == []


@pytest.mark.parametrize(
    ("since", "until", "days"),
    [
        ("2026-06-21", None, [21, 22]),
        (None, "2026-06-21", [20, 21]),
        ("2026-06-21", "2026-06-21", [21]),
        ("2026-06-21T12:00", None, [21, 22]),
        ("2026-06-21T12:00:00.001", None, [22]),
        ("2026-06-21T14:00+02:00", "2026-06-21T14:00+02:00", [21]),
    ],
)
def test_days_and_times_bound_the_start(ledger, since, until, days):
    for day in (20, 21, 22):
        moment = f"2026-06-{day}T12:00:00.000+00:00"
        run = recorded(ledger, seed=day)
        with ledger.engine.begin() as connection:
            connection.execute(update(runs).where(runs.c.id == run).values(started=moment))
    found = ledger.list(RunFilter(since=since, until=until), reverse=True)
    assert [ledger.show(row.id).run["seed"] for row in found] == days


def test_runs_are_sorted_and_those_without_a_value_come_last(ledger):
    low = recorded(ledger, name="c", results=(scored(0.1),), seconds=3.0)
    none = recorded(ledger, name="a", results=(), seconds=1.0)
    high = recorded(ledger, name="b", results=(scored(0.9),), seconds=2.0)
    assert numbers(ledger.list(sort="value")) == [high, low, none]
    assert numbers(ledger.list(sort="value", reverse=True)) == [low, high, none]
    assert numbers(ledger.list(sort="seconds")) == [low, high, none]
    assert numbers(ledger.list(sort="name")) == [none, high, low]
    assert numbers(ledger.list(sort="name", reverse=True)) == [low, high, none]
    assert numbers(ledger.list(sort="started")) == [high, none, low]


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda ledger: ledger.list(sort="valu"), "sorted by 'valu'.*'value'"),
        (lambda ledger: ledger.list(RunFilter(state="finished")), "'finished' is not a state"),
        (lambda ledger: ledger.list(RunFilter(purpose="smok")), "'smok' is not a purpose.*'smoke'"),
        (lambda ledger: ledger.list(RunFilter(since="yesterday")), "'yesterday' is not a day"),
    ],
)
def test_what_does_not_exist_is_refused(ledger, ask, said):
    with pytest.raises(SondeError, match=said):
        ask(ledger)
