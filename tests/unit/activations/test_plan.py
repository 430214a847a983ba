"""The batch plan: worked by hand, against a brute force, and its invariances."""

from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonde.activations.plan import (
    PASS_COST,
    BatchPlan,
    plan_batches,
    plan_from_json,
    plan_to_json,
)
from sonde.activations.sealed import read_sealed, write_sealed

some_lengths = st.lists(st.integers(0, 60), min_size=1, max_size=30).filter(any)


def batches(plan: BatchPlan) -> list[list[int]]:
    return [plan.batch(number).tolist() for number in range(len(plan.sizes))]


def cost(plan: BatchPlan) -> int:
    return int(plan.padded.sum()) + max(1, round(plan.token_budget * PASS_COST)) * len(plan.sizes)


def test_a_plan_worked_by_hand():
    # A pass costs max(1, 20/64) = 1 token. Longest first: 10 9 | 5 5 4 with 1 + 1 padded tokens;
    # an example longer than the budget is alone, an example of length 0 is left out.
    plan = plan_batches(np.array([5, 10, 0, 4, 9, 25, 5]), token_budget=20)
    assert batches(plan) == [[5], [1, 4], [0, 6, 3]]
    assert plan.padded.tolist() == [25, 20, 15]
    assert plan.tokens == 58
    assert plan.padding == pytest.approx(2 / 60)


@given(some_lengths, st.integers(1, 200))
def test_every_example_is_in_one_batch_within_the_budget(lengths, budget):
    plan = plan_batches(np.array(lengths), token_budget=budget)
    assert sorted(chain.from_iterable(batches(plan))) == [
        i for i, length in enumerate(lengths) if length
    ]
    for padded, size in zip(plan.padded, plan.sizes, strict=True):
        assert padded <= budget or size == 1
    assert all(a >= b for a, b in pairwise(np.array(lengths)[plan.order]))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=9), st.integers(10, 70))
def test_no_other_cut_is_cheaper(lengths, budget):
    plan = plan_batches(np.array(lengths), token_budget=budget)
    ordered = sorted(lengths, reverse=True)
    for bits in range(1 << (len(lengths) - 1)):
        edges = [0, *(i + 1 for i in range(len(lengths) - 1) if bits >> i & 1), len(lengths)]
        sizes = np.diff(edges)
        widths = [ordered[edge] for edge in edges[:-1]]
        if all(s == 1 or s * w <= budget for s, w in zip(sizes, widths, strict=True)):
            other = int(np.dot(sizes, widths)) + max(1, round(budget * PASS_COST)) * len(sizes)
            assert cost(plan) <= other


@pytest.mark.parametrize(("count", "limit"), [(300, 0.05), (3000, 0.05)])
def test_padding_of_log_normal_lengths_is_small(count, limit):
    for seed in range(5):
        random = np.random.default_rng(seed)
        lengths = np.clip(np.exp(random.normal(4, 0.9, count)), 5, 400).astype(int)
        plan = plan_batches(lengths, token_budget=2048)
        assert plan.padding < limit
        assert len(plan.sizes) < 2.5 * lengths.sum() / 2048 + 10


@given(some_lengths, st.integers(1, 20))
def test_shards_are_whole_batches_and_close_when_full(lengths, rows_per_shard):
    rows = np.arange(len(lengths)) % 4
    plan = plan_batches(
        np.array(lengths), token_budget=40, rows=rows, rows_per_shard=rows_per_shard
    )
    assert plan.shards.sum() == len(plan.order)
    seen = []
    for shard in range(len(plan.shards)):
        first, last = plan.batches_of_shard(shard)
        members = [int(e) for number in range(first, last) for e in plan.batch(number)]
        assert members == plan.members_of_shard(shard).tolist()
        if shard < len(plan.shards) - 1:
            assert rows[members].sum() >= rows_per_shard
        seen += members
    assert seen == plan.order.tolist()


def test_running_out_of_memory_halves_this_batch_and_equal_ones_after_it():
    plan = plan_batches(np.array([8] * 12 + [2] * 3), token_budget=32)
    assert plan.sizes.tolist() == [4, 4, 4, 3]
    split = plan.without_memory(1, "")
    assert split.sizes.tolist() == [4, 2, 2, 2, 2, 3]
    assert split.order.tolist() == plan.order.tolist()
    assert split.shards.tolist() == plan.shards.tolist()
    assert split.splits == 2


def test_an_example_alone_that_does_not_fit_is_marked():
    plan = plan_batches(np.array([50, 3, 3]), token_budget=10)
    marked = plan.without_memory(0, "too big for cpu")
    assert marked.too_big == {0: "too big for cpu"}
    assert batches(marked) == [[], [1, 2]]
    assert marked.members_of_shard(0).tolist() == [1, 2]


@given(some_lengths)
def test_a_plan_survives_its_file(tmp_path_factory, lengths):
    plan = plan_batches(np.array(lengths), token_budget=30, rows_per_shard=3)
    plan = plan.without_memory(0, "why")
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    write_sealed(path, plan_to_json(plan), indent=None)
    again = plan_from_json(read_sealed(path, ""))
    assert plan_to_json(again) == plan_to_json(plan)
    assert batches(again) == batches(plan)
