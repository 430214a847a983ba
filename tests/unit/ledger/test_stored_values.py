import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, select
from tests.ledgers import recorded

from sonde.core.errors import SondeError
from sonde.ledger.clock import age, first_moment, moment_after, now
from sonde.ledger.columns import dumped, storable
from sonde.ledger.database import writing
from sonde.ledger.intervals import against_read, against_stored, interval_read, interval_stored
from sonde.ledger.records import Against
from sonde.ledger.rows import AT_ONCE, rows_for
from sonde.ledger.schema import metadata, runs, unit_scores
from sonde.ledger.unit_scores import UnitsFile, keep_units
from sonde.stats.interval import Interval

NUMBERS = st.floats(width=64)
INTERVALS = st.builds(
    Interval, NUMBERS, NUMBERS, NUMBERS, st.integers(0, 1 << 40), st.floats(0.5, 0.999)
)


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


@given(INTERVALS)
def test_an_interval_comes_back_from_json_to_the_last_bit(interval):
    stored = json.loads(json.dumps(interval_stored(interval), allow_nan=False))
    found = interval_read(stored)
    assert all(same(getattr(found, name), getattr(interval, name)) for name in ("value", "low"))
    assert same(found.high, interval.high)
    assert (found.n, found.level) == (interval.n, interval.level)


def test_an_interval_in_json_by_hand():
    stored = interval_stored(Interval(math.nan, -math.inf, 0.5, 3, 0.9))
    assert stored == {"value": None, "low": "-Infinity", "high": 0.5, "n": 3, "level": 0.9}
    assert interval_stored(None) is interval_read(None) is None


@given(st.dictionaries(st.text(), st.lists(st.text()).map(tuple), max_size=3))
def test_controls_come_back_with_their_series(series):
    given_ = {name: Against(Interval(0.5, 0.4, 0.6, 9), some) for name, some in series.items()}
    assert against_read(json.loads(json.dumps(against_stored(given_)))) == given_


@given(st.text(st.characters()))
def test_any_text_can_be_stored_and_most_are_not_changed(text):
    kept = storable(text)
    assert kept.encode().decode() == kept
    assert "\x00" not in kept
    assert storable(kept) == kept
    assert len(kept) == len(text)
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert kept == text.replace("\x00", "␀")


def test_json_has_no_numbers_that_json_does_not_have():
    assert dumped({"a": (math.inf, math.nan), 1: {"b": "\x00ü"}}) == (
        '{"a": [null, null], "1": {"b": "\\u0000\\u00fc"}}'
    )


def test_moments_by_hand():
    assert first_moment("2026-06-21") == "2026-06-21T00:00:00.000+00:00"
    assert moment_after("2026-06-21") == "2026-06-22T00:00:00.000+00:00"
    assert moment_after("2026-12-31") == "2027-01-01T00:00:00.000+00:00"
    assert moment_after("9999-12-31") == "9999-12-31T23:59:59.999+00:00"
    assert first_moment("2026-06-21T14:30+02:00") == "2026-06-21T12:30:00.000+00:00"
    assert moment_after(" 2026-06-21 14:30 ") == "2026-06-21T14:30:00.001+00:00"
    for wrong in ("", "yesterday", "2026-13-01", "21.6.2026"):
        with pytest.raises(SondeError, match="is not a day or a time"):
            first_moment(wrong)


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_moments_sort_by_time(a, b):
    first, second = (first_moment(one.isoformat()) for one in (a, b))
    parsed = [datetime.fromisoformat(one) for one in (first, second)]
    assert (first < second) == (parsed[0] < parsed[1])


def test_now_is_no_time_ago():
    assert abs(age(now()).total_seconds()) < 60


@pytest.mark.parametrize("count", [0, 1, AT_ONCE, 2 * AT_ONCE + 1])
def test_rows_for_many_numbers_are_read_once_each(count):
    from sqlalchemy import insert, select

    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    common = dict.fromkeys(
        ("name", "variant", "purpose", "model", "state", "started", "spec_hash", "folder"), ""
    )
    rows = [
        {**common, "id": n, "seed": 0, "process": {}, "question": "", "reason": ""}
        for n in range(1, 2 * AT_ONCE + 2)
    ]
    with engine.begin() as connection:
        connection.execute(insert(runs), rows)
        wanted = [*range(1, count + 1), *range(1, count + 1)]
        found = [row["id"] for row in rows_for(connection, select(runs), runs.c.id, wanted)]
    assert sorted(found) == list(range(1, count + 1))


def test_a_seed_and_a_size_may_have_63_bits(ledger):
    largest = 2**63 - 1
    assert ledger.show(recorded(ledger, seed=largest)).run["seed"] == largest
    with writing(ledger.engine) as connection:
        keep_units(connection, [UnitsFile("u", "h", largest, None)])
        assert connection.execute(select(unit_scores.c.size)).scalar() == largest
