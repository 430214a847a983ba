import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from planted import activations, as_examples, planted_classes
from sonde import probes
from sonde.core.errors import SondeError
from sonde.probes import MeanDifferenceSettings
from sonde.probes.duplicates import without_duplicates
from sonde.probes.targets import class_targets

QUICK = {"resamples": 20, "shuffles": 1, "directions": 0}


def noise(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 3))


def units(texts, x=None, how="merge", groups=None, **settings):
    """Return the groups that are left, and the notes."""
    n = len(texts) if texts is not None else len(x)
    acts = activations([noise(n), noise(n, 1) if x is None else x], groups=groups)
    label = np.arange(n) % 2
    targets = class_targets(
        acts, as_examples(acts, label, texts) if texts is not None else label, None
    )
    chosen = MeanDifferenceSettings(duplicates=how, **{"folds": 3, **settings})
    found = without_duplicates(acts, targets, chosen)
    return found.unit.tolist(), found.notes


def test_a_text_in_two_groups_makes_one_of_them():
    found, notes = units(["Good news.", "b", "  good   NEWS. ", "d", "e", "f"])
    assert found == ["0", "1", "0", "3", "4", "5"]
    assert notes == (
        "1 text occurs in several groups ('0' and '2'); these were put together: 5 of 6 groups "
        "are left.",
    )


def test_groups_that_share_texts_in_a_chain_become_one():
    texts = ["a", "b", "b", "c", "c", "d", "e", "f", "g", "h"]
    pairs = [f"pair {row // 2}" for row in range(10)]
    found, notes = units(texts, groups=pairs)
    assert found == ["pair 0"] * 6 + ["pair 3"] * 2 + ["pair 4"] * 2
    assert "2 texts occur in several groups ('1' and '2'; '3' and '4')" in notes[0]


def test_within_a_group_a_text_may_be_repeated():
    assert units(["a", "a", "b", "b", "c", "c"], groups=list("xxyyzz"))[1] == ()


def test_equal_activations_are_found_without_texts():
    x = noise(8, 2)
    x[5] = x[2]
    found, notes = units(None, x)
    assert found[5] == found[2] == "2"
    assert notes[0].startswith("The activations of 1 text occur in several groups ('2' and '5')")


def test_rows_that_look_alike_at_a_shallow_layer_only_are_not_the_same():
    shallow = np.repeat(noise(2), 4, axis=0)
    acts = activations([shallow, noise(8, 1)])
    targets = class_targets(acts, np.arange(8) % 2, None)
    found = without_duplicates(acts, targets, MeanDifferenceSettings(folds=3))
    assert len(set(found.unit.tolist())) == 8


def test_where_all_rows_are_equal_or_broken_nothing_is_said():
    acts = activations([noise(6), np.full((6, 3), 2.0)])
    acts.tensors[acts.hooks[0]][:2] = float("nan")
    targets = class_targets(acts, np.arange(6) % 2, None)
    assert without_duplicates(acts, targets, MeanDifferenceSettings(folds=3)).notes == ()


def test_other_number_formats_are_compared_too():
    x = torch.from_numpy(noise(6)).to(torch.bfloat16)
    x[4] = x[1]
    acts = activations([noise(6)])
    acts = type(acts)({acts.hooks[0]: x}, acts.rows, acts.origin)
    targets = class_targets(acts, np.arange(6) % 2, None)
    found = without_duplicates(acts, targets, MeanDifferenceSettings(folds=3))
    assert found.unit[4] == found.unit[1]


def test_they_may_be_allowed_or_refused():
    texts = ["a", "b", "a", "d", "e", "f"]
    found, notes = units(texts, how="allow")
    assert found == list("012345")
    assert "the folds leak" in notes[0]
    with pytest.raises(SondeError, match=r"1 text occurs in several groups .* so the folds leak"):
        units(texts, how="error")


def test_too_few_groups_left_are_named_with_their_cause():
    with pytest.raises(SondeError, match=r"2 of 6 groups are left, too few for 3 folds"):
        units(["a", "a", "a", "b", "b", "b"])


@given(st.lists(st.sampled_from("abcdefgh"), min_size=4, max_size=30))
@hypothesis_settings(max_examples=30, deadline=None)
def test_afterwards_no_text_lies_in_two_groups(texts):
    groups = [f"g{row // 2}" for row in range(len(texts))]
    try:
        found, _ = units(texts, groups=groups)
    except SondeError:  # too few are left
        return
    for text in set(texts):
        assert len({unit for unit, one in zip(found, texts, strict=True) if one == text}) == 1
    for group in set(groups):
        assert len({unit for unit, one in zip(found, groups, strict=True) if one == group}) == 1


def test_a_planted_leak_is_caught():
    """Every text stands twice, under two ids: memory scores high until they share a group."""
    acts, label, _ = planted_classes(n=60, d=120, strength=0.0, layers=1)
    x = acts.tensor(acts.hooks[0]).numpy()
    twice = activations([np.concatenate([x, x])])
    label = np.random.default_rng(3).permutation(label)
    both = np.concatenate([label, label])
    leaking = probes.logistic(twice, both, duplicates="allow", **QUICK)
    honest = probes.logistic(twice, both, **QUICK)
    assert leaking.selected.value > 0.9
    assert honest.selected.low < 0.6
    assert (leaking.n, honest.n) == (120, 60)
    assert "60 of 120 groups are left" in str(honest)
