"""Counts of rounds: each once, and kept in a file that a kill leaves whole lines of."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sonde.activations.shuffled_counts import KINDS, RoundCounts


def counts(read, sink):
    return {"read": read, "sink": sink, "kept": read - sink}


def test_two_rounds_by_hand():
    made = RoundCounts()
    made.add(0, counts(10, 1))
    made.add(1, counts(20, 3))
    made.add(0, counts(10, 1))
    assert made.total == Counter(read=30, sink=4, kept=26)
    assert made.unknown == 0
    made.add(4, counts(5, 0))
    assert made.unknown == 2


def test_a_file_of_other_rows_is_begun_again(tmp_path):
    first = RoundCounts()
    first.keep(tmp_path / "rows.jsonl", "these")
    first.add(0, counts(10, 1))
    other = RoundCounts()
    other.keep(tmp_path / "rows.jsonl", "others")
    assert not other.total
    again = RoundCounts()
    again.keep(tmp_path / "rows.jsonl", "others")
    assert not again.rounds


@given(
    numbers=st.lists(st.integers(0, 5), max_size=12),
    restarts=st.sets(st.integers(0, 12)),
    lost=st.integers(0, 30),
)
def test_however_often_a_run_starts_again_each_round_counts_once(
    tmp_path_factory, numbers, restarts, lost
):
    """The last line may be cut anywhere: its round is then made again."""
    file = tmp_path_factory.mktemp("counts") / "rows.jsonl"
    made = RoundCounts()
    made.keep(file, "rows")
    for at, number in enumerate(numbers):
        if at in restarts:
            made = RoundCounts()
            made.keep(file, "rows")
        made.add(number, counts(10 + number, number))
    *before, last = file.read_bytes().splitlines(keepends=True)
    if before:
        file.write_bytes(b"".join([*before, last[: max(0, len(last) - lost)]]))
    made = RoundCounts()
    made.keep(file, "rows")
    for number in dict.fromkeys(numbers):
        made.add(number, counts(10 + number, number))
    assert made.total["read"] == sum(10 + number for number in set(numbers))
    assert made.total["sink"] == sum(set(numbers))
    found = RoundCounts()
    found.keep(file, "rows")
    assert found.total == Counter({kind: made.total[kind] for kind in KINDS})
    assert len(file.read_text().splitlines()) == 1 + len(set(numbers))
