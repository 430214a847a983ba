"""A join accounts for every id of both sides."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.core.errors import SondeError
from sonde.data.accounting import join
from sonde.data.examples import Example


def test_the_736_lost_rows_are_accounted_for():
    extracted = [f"task_{number}" for number in range(2264)]
    labels = {f"task_{number}": float(number) for number in range(3000)}
    skipped = {f"task_{number}": "non-finite" for number in range(2264, 2300)}
    report = join(extracted, labels, skipped=skipped).report
    assert str(report) == (
        "2,264 of 3,000 labels joined; 736 have no activations: 700 were never extracted (such "
        "as 'task_2300', 'task_2301'), 36 were skipped (non-finite)."
    )
    assert report.labels_lost["non-finite"][0] == "task_2264"


def test_a_case_worked_by_hand():
    rows = np.array(["a", "a", "b", "c", "d", "x"])
    labels = [
        *(Example("a", "A", group="g", label=1.0), Example("b", "B", label=math.nan)),
        *(Example("c", "C"), Example("d", "D", label=4.0), Example("e", "E", label=5.0)),
    ]
    joined = join(rows, labels)
    assert joined.index.tolist() == [0, 1, 4]
    assert joined.labels.tolist() == [1.0, 1.0, 4.0]
    assert joined.groups.tolist() == ["g", "g", "d"]
    assert joined.report.labels_lost == {
        "NaN label": ("b",),
        "empty label": ("c",),
        "never extracted": ("e",),
    }
    assert joined.report.activations_lost == {
        "NaN label": ("b",),
        "empty label": ("c",),
        "no label": ("x",),
    }
    assert str(joined.report) == (
        "2 of 5 labels joined; 1 has no activations: 1 was never extracted (such as 'e'); "
        "1 is NaN; 1 is empty; 1 of 5 examples with activations has no label."
    )


def test_a_whole_join_says_only_that():
    assert str(join(["a", "b"], {"a": "x", "b": "y"}).report) == "2 of 2 labels joined."


def test_two_different_labels_for_one_id_are_not_chosen_between():
    joined = join(["a", "b", "c"], [("a", 1.0), ("a", 2.0), ("b", 3.0), ("b", 3.0), ("c", 0.0)])
    assert joined.labels.tolist() == [3.0, 0.0]
    assert joined.report.labels_lost == {"labelled twice, differently": ("a",)}
    assert "1 is given twice, with different values" in str(joined.report)


def test_ids_and_labels_may_be_numpy_values():
    joined = join(np.array([1, 2]), {np.int64(1): np.float32(0.5), "2": np.int64(3)})
    assert joined.labels.tolist() == [0.5, 3.0]
    assert joined.labels.dtype == np.float64


def test_groups_can_be_given_apart():
    joined = join(["a", "b"], {"a": 1.0, "b": 2.0}, groups={"a": "g", "b": None})
    assert joined.groups.tolist() == ["g", "b"]


def test_nothing_joined_shows_both_kinds_of_id():
    with pytest.raises(SondeError, match=r"0 of 1 labels.*such as 'a\.0', activations .*'a'"):
        join(["a"], {"a.0": 1.0})


def test_numbers_and_words_do_not_mix():
    with pytest.raises(SondeError, match=r"partly text \('b' has 'good'\)"):
        join(["a", "b"], {"a": 1.0, "b": "good"})


names = st.sampled_from("abcdefgh")
values = st.none() | st.floats(-1, 1) | st.just(math.nan)


@given(
    rows=st.lists(names, max_size=12),
    labels=st.lists(st.tuples(names, values), max_size=12),
    skipped=st.dictionaries(names, st.sampled_from(["non-finite", "too long"])),
)
def test_every_id_of_both_sides_ends_joined_or_listed_once(rows, labels, skipped):
    try:
        joined = join(rows, labels, skipped=skipped)
    except SondeError as error:
        assert "0 of" in str(error)
        return
    report = joined.report
    matched = {rows[number] for number in joined.index}
    for lost, everything in (
        (report.labels_lost, {name for name, _ in labels}),
        (report.activations_lost, set(rows)),
    ):
        listed = [name for ids in lost.values() for name in ids]
        assert len(listed) == len(set(listed))
        assert matched.isdisjoint(listed)
        assert matched | set(listed) == everything
    assert report.matched == len(matched)
    assert all(dict(labels)[rows[n]] == y for n, y in zip(joined.index, joined.labels, strict=True))


def test_several_numbers_an_example():
    found = join(["a", "b", "a"], {"a": (1.0, 2.0), "b": np.array([3, 4])})
    assert found.labels.tolist() == [[1, 2], [3, 4], [1, 2]]
    lost = join(["a", "b"], {"a": (1.0, 2.0), "b": (3.0, float("nan"))}).report.labels_lost
    assert lost == {"NaN label": ("b",)}
    with pytest.raises(SondeError, match="'a' is 2 numbers, that of 'b' 1"):
        join(["a", "b"], {"a": (1.0, 2.0), "b": 3.0})
