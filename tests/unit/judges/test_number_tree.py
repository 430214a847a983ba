"""The tree of numbers: by hand, against every path taken alone, and as a property."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sonde.judges import number_tree as module
from sonde.judges.number_tree import NumberTree, expected_numbers, number_tree
from sonde.models.tiny import tiny_model

# A vocabulary of the digits 1, 0 and 7 and the end; the numbers 1, 10, 100 and 7.
ONE, ZERO, SEVEN, END = range(4)
BY_HAND = NumberTree(
    spelt={(ONE,): 1, (ONE, ZERO): 10, (ONE, ZERO, ZERO): 100, (SEVEN,): 7},
    children={(): (ONE, SEVEN), (ONE,): (ZERO,), (ONE, ZERO): (ZERO,)},
    continuing=(ONE, ZERO, SEVEN),
)


def following(table):
    """Return the log-probabilities of a table of probabilities by path, the same for each row."""

    def after(rows, paths):
        return torch.tensor([table[path] for path in paths], dtype=torch.float64).log()

    return after


def test_by_hand():
    table = {
        (): [0.5, 0.1, 0.2, 0.2],
        (ONE,): [0.1, 0.6, 0.0, 0.3],  # 1 ends with 0.3, goes on to 10 with 0.6, to 11 with 0.1
        (ONE, ZERO): [0.0, 0.25, 0.25, 0.5],
    }
    (found,) = expected_numbers(BY_HAND, 1, following(table))
    chances = {1: 0.5 * 0.3, 10: 0.5 * 0.6 * 0.5, 100: 0.5 * 0.6 * 0.25, 7: 0.2}
    assert found.mass == pytest.approx(sum(chances.values()))  # 0.575: 11 and 107 are no numbers
    expected = sum(number * chance for number, chance in chances.items()) / found.mass
    assert found.score == pytest.approx(expected)


def test_a_number_that_is_hardly_reached_ends_there():
    table = {(): [5e-5, 0.0, 0.5, 0.5]}  # nothing is asked about what follows the 1
    (found,) = expected_numbers(BY_HAND, 1, following(table))
    assert found.mass == pytest.approx(0.5 + 5e-5)
    assert found.score == pytest.approx((7 * 0.5 + 5e-5) / found.mass)


def test_no_number_at_all_is_no_score():
    found = expected_numbers(BY_HAND, 2, following({(): [0.0, 0.0, 0.0, 1.0]}))
    assert [(one.score, one.mass) for one in found] == [(None, 0.0)] * 2


def row(n):
    chances = st.lists(st.floats(0.01, 1), min_size=n, max_size=n)
    return chances.map(lambda given_row: [one / sum(given_row) for one in given_row])


@given(row(4), row(4), row(4))
def test_scores_lie_among_the_numbers_and_mass_is_a_probability(root, one, ten):
    (found,) = expected_numbers(BY_HAND, 1, following({(): root, (ONE,): one, (ONE, ZERO): ten}))
    assert 0 < found.mass <= 1
    assert 1 <= found.score <= 100
    # The first digit's chance bounds the mass of the numbers that begin with it.
    assert found.mass <= root[ONE] + root[SEVEN] + 1e-12


def test_digits_of_a_byte_tokenizer():
    tokenizer = tiny_model("llama").tokenizer
    tree = number_tree(tokenizer)
    assert sorted(set(tree.spelt.values())) == list(range(101))
    assert len(tree.continuing) == 10
    space = tokenizer(" ", add_special_tokens=False)["input_ids"]
    assert {len(path) for path, number in tree.spelt.items() if number == 100} == {3, 4}
    assert tuple(space) in tree.children


def test_whole_numbers_of_the_embedded_model_are_spelt_by_digits(embedded_name):
    from sonde.models.loading import load

    tokenizer = load(embedded_name, check=False).tokenizer
    tree = number_tree(tokenizer)
    for path, number in tree.spelt.items():
        assert tokenizer.decode(list(path)).strip() == str(number)


def test_nothing_negligible_is_left_out_by_more_than_its_bound(monkeypatch):
    generator = torch.Generator().manual_seed(1)
    kept: dict[tuple[int, ...], torch.Tensor] = {}

    def after(rows, paths):
        for path in paths:
            kept.setdefault(path, torch.randn(4, generator=generator, dtype=torch.float64) * 6)
        return torch.stack([kept[path].log_softmax(0) for path in paths])

    (quick,) = expected_numbers(BY_HAND, 1, after)
    monkeypatch.setattr(module, "NEGLIGIBLE", 0.0)
    (exact,) = expected_numbers(BY_HAND, 1, after)
    assert math.isclose(quick.mass, exact.mass, abs_tol=2e-4)
