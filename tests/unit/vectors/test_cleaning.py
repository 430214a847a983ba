"""Cleaning: which coordinates go, and what share of a direction they had."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from massive_reports import massive_report

from sonde.core.errors import SondeError
from sonde.vectors.cleaning import cleaned, cleanings, dimensions_of, energy_share
from sonde.vectors.settings import CLEANING_NAMES, VectorSettings

THIRTEEN = {dimension: 200.0 - dimension for dimension in range(13)}


def test_names_are_coordinates_of_largest_ratio_first():
    massive = massive_report({7: 12.0, 3: 900.0, 5: 40.0}).indices
    assert massive == (3, 5, 7)
    assert dimensions_of("top-1", massive) == (3,)
    assert dimensions_of("top-3", massive) == dimensions_of("all", massive) == (3, 5, 7)
    assert dimensions_of("none", massive) == ()
    with pytest.raises(SondeError, match=r"'top-x' is not a cleaning. Did you mean 'top-"):
        dimensions_of("top-x", massive)


def test_all_thirteen_make_seven_different_cleanings():
    found = cleanings(CLEANING_NAMES, massive_report(THIRTEEN))
    assert [one.name for one in found.made] == list(CLEANING_NAMES)
    assert [len(one.dimensions) for one in found.made] == [0, 1, 3, 5, 10, 13, 13]
    assert (found.same, found.notes) == ({}, ())


def test_what_comes_to_the_same_is_made_once_and_said():
    found = cleanings(CLEANING_NAMES, massive_report({3: 50.0, 4: 40.0}))
    assert [one.name for one in found.made] == ["none", "top-1", "all", "before"]
    assert found.same == {"top-3": "all", "top-5": "all", "top-10": "all"}
    assert found.notes[0] == "top-3 stands for all: of 2 massive dimensions it is the same."
    found = cleanings(("top-3", "top-5"), massive_report({3: 50.0, 4: 40.0}))
    assert [one.name for one in found.made] == ["top-3"]
    assert found.same == {"top-5": "top-3"}
    found = cleanings(CLEANING_NAMES, massive_report())
    assert [one.name for one in found.made] == ["none"]
    assert found.same == dict.fromkeys(CLEANING_NAMES[1:], "none")
    assert "no massive dimensions" in found.notes[0]


@given(
    names=st.lists(st.sampled_from(CLEANING_NAMES), min_size=1, unique=True),
    count=st.integers(0, 12),
)
def test_every_name_is_made_or_stands_for_one_of_the_same_coordinates(names, count):
    massive = massive_report(dict.fromkeys(range(count), 50.0))
    found = cleanings(names, massive)
    made = {one.name: one.dimensions for one in found.made}
    assert set(names) <= made.keys() | found.same.keys()
    assert not made.keys() & found.same.keys()
    for name, twin in found.same.items():
        assert made[twin] == dimensions_of(name, massive.indices)
    kept = [one.dimensions for one in found.made if one.name != "before"]
    assert len(kept) == len(set(kept))


def test_cleaning_without_a_measurement_is_refused():
    with pytest.raises(SondeError, match="needs the massive dimensions"):
        cleanings(("none", "top-1"), None)
    with pytest.raises(ValueError, match=r"'top-2' is not a cleaning. Did you mean 'top-"):
        VectorSettings(cleanings=("top-2",))
    with pytest.raises(ValueError, match="Did you mean 'probe'"):
        VectorSettings(methods=("prob",))


def test_shares_worked_by_hand():
    direction = torch.tensor([3.0, 0.0, 4.0])
    assert energy_share(direction, (2,)).item() == pytest.approx(16 / 25)
    assert cleaned(direction, (2,)).tolist() == [3.0, 0.0, 0.0]


@given(seed=st.integers(0, 100), count=st.integers(0, 6))
def test_what_is_cleaned_has_no_share_and_the_rest_is_untouched(seed, count):
    direction = torch.randn(2, 8, generator=torch.Generator().manual_seed(seed))
    gone = list(range(count))
    left = cleaned(direction, gone)
    assert torch.equal(left[:, count:], direction[:, count:])
    assert energy_share(left, gone).tolist() == [0.0, 0.0]
    whole = energy_share(direction, range(8))
    assert torch.allclose(whole, torch.ones_like(whole))
