"""The batch plan: which examples share a forward pass, and which share a shard.

Pure functions on lengths. Examples are sorted, longest first (so that a batch that does not fit
shows at once), and cut into batches whose padded size stays within a token budget. Among all such
cuts the plan takes the one with the fewest padded tokens, each batch counted as some tokens more
for what a pass costs by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

# What one more pass costs, as a share of the budget. On a CPU a pass of 2,048 tokens reads all
# weights once, which takes about as long as 16 to 32 tokens; on a GPU, where budgets are larger,
# the launches of a pass take about this share too.
PASS_COST = 1 / 64


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """The order of the examples, cut into batches and into shards.

    ``order`` holds example numbers in the order of the passes, ``sizes`` the number of examples in
    each batch and ``shards`` the number of examples in each shard; both add up to ``len(order)``,
    and no batch lies in two shards. ``lengths`` are the examples' tokens, in their own order.
    ``too_big`` names examples that did not fit in memory even alone.
    """

    order: np.ndarray
    sizes: np.ndarray
    shards: np.ndarray
    lengths: np.ndarray
    token_budget: int
    splits: int = 0
    too_big: Mapping[int, str] = field(default_factory=dict[int, str])

    @property
    def starts(self) -> np.ndarray:
        """Where each batch starts in ``order``."""
        return np.concatenate(([0], np.cumsum(self.sizes)[:-1])).astype(np.int64)

    @property
    def tokens(self) -> int:
        """Tokens of all examples, padding apart."""
        return int(self.lengths[self.order].sum())

    @property
    def padded(self) -> np.ndarray:
        """Tokens of each batch, padding included."""
        return self.lengths[self.order][self.starts] * self.sizes

    @property
    def padding(self) -> float:
        """Share of the tokens in the passes that are padding, in [0, 1)."""
        return 1 - self.tokens / max(1, int(self.padded.sum()))

    def batch(self, number: int) -> np.ndarray:
        """Return the example numbers of a batch, without those that do not fit in memory."""
        start = int(self.sizes[:number].sum())
        members = self.order[start : start + self.sizes[number]]
        return members[[int(member) not in self.too_big for member in members]]

    def batches_of_shard(self, shard: int) -> tuple[int, int]:
        """Return the half-open range of batch numbers that make up a shard."""
        start = int(self.shards[:shard].sum())
        edges = np.append(self.starts, len(self.order))
        first, last = np.searchsorted(edges, [start, start + int(self.shards[shard])])
        return int(first), int(last)

    def members_of_shard(self, shard: int) -> np.ndarray:
        """Return the example numbers of a shard, without those that do not fit in memory."""
        start = int(self.shards[:shard].sum())
        members = self.order[start : start + int(self.shards[shard])]
        return members[[int(member) not in self.too_big for member in members]]

    def without_memory(self, number: int, detail: str) -> "BatchPlan":
        """Return the plan after batch ``number`` ran out of memory.

        A batch of several examples is halved, and so is every later batch that is as large, which
        would fail the same way. An example alone is marked as too big.
        """
        if self.sizes[number] == 1:
            example = int(self.batch(number)[0])
            return replace(self, too_big={**self.too_big, example: detail})
        padded = self.padded
        sizes: list[int] = []
        for index, size in enumerate(self.sizes.tolist()):
            if index == number or (index > number and padded[index] >= padded[number] and size > 1):
                sizes += [size - size // 2, size // 2]
            else:
                sizes.append(size)
        added = len(sizes) - len(self.sizes)
        return replace(self, sizes=np.array(sizes, np.int64), splits=self.splits + added)


def plan_batches(
    lengths: np.ndarray,
    token_budget: int,
    *,
    rows: np.ndarray | None = None,
    rows_per_shard: int | None = None,
) -> BatchPlan:
    """Plan the passes over examples of ``lengths`` tokens; length 0 leaves an example out.

    ``rows`` counts the rows that each example gives (1 where None), and a shard is closed with the
    batch that brings it to ``rows_per_shard``; None puts everything into one shard. An example
    longer than the budget is a batch of its own. The plan is a function of the arguments alone.
    """
    lengths = np.asarray(lengths, np.int64)
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    sizes = _cut(lengths[order], token_budget)
    rows = np.ones(len(lengths), np.int64) if rows is None else np.asarray(rows, np.int64)
    shards = _shards(sizes, rows[order], rows_per_shard)
    return BatchPlan(order, sizes, shards, lengths, token_budget)


def _cut(lengths: np.ndarray, budget: int) -> np.ndarray:
    """Cut descending lengths into batches: least padded tokens plus cost of passes, exactly.

    ``best[j]`` is the cost of the first ``j`` examples. A batch from ``i`` is as wide as its first
    example, so it reaches at most ``budget // lengths[i]`` examples: a short path problem.
    """
    count = len(lengths)
    cost = max(1, round(budget * PASS_COST))
    best = np.full(count + 1, np.iinfo(np.int64).max)
    came_from = np.zeros(count + 1, np.int64)
    best[0] = 0
    steps = np.arange(1, budget + 1)
    for i, length in enumerate(lengths.tolist()):
        reach = min(max(1, budget // length), count - i)
        offer = best[i] + cost + length * steps[:reach]
        ahead = slice(i + 1, i + 1 + reach)
        better = offer < best[ahead]
        best[ahead][better] = offer[better]
        came_from[ahead][better] = i
    edges = [count]
    while edges[-1] > 0:
        edges.append(int(came_from[edges[-1]]))
    return np.diff(np.array(edges[::-1], np.int64))


def _shards(sizes: np.ndarray, rows: np.ndarray, rows_per_shard: int | None) -> np.ndarray:
    if rows_per_shard is None or not len(sizes):
        return np.array([len(rows)], np.int64)
    ends = np.cumsum(sizes)
    rows_before = np.concatenate(([0], np.cumsum(rows)))
    shards: list[int] = []
    start = 0
    for end in ends.tolist():
        if rows_before[end] - rows_before[start] >= rows_per_shard or end == len(rows):
            shards.append(end - start)
            start = end
    return np.array(shards, np.int64)


def plan_to_json(plan: BatchPlan) -> dict[str, object]:
    """Return the plan as JSON values; lengths too, so that a plan explains itself."""
    return {
        "format": 1,
        "token_budget": plan.token_budget,
        "splits": plan.splits,
        "order": plan.order.tolist(),
        "sizes": plan.sizes.tolist(),
        "shards": plan.shards.tolist(),
        "lengths": plan.lengths.tolist(),
        "too_big": {str(example): detail for example, detail in plan.too_big.items()},
    }


def plan_from_json(value: Mapping[str, object]) -> BatchPlan:
    """Read what :func:`plan_to_json` wrote."""

    def numbers(key: str) -> np.ndarray:
        return np.array(value[key], np.int64)

    too_big = value["too_big"]
    budget, splits = value["token_budget"], value["splits"]
    assert isinstance(too_big, dict) and isinstance(budget, int) and isinstance(splits, int)
    return BatchPlan(
        numbers("order"),
        numbers("sizes"),
        numbers("shards"),
        numbers("lengths"),
        budget,
        splits,
        {int(example): str(detail) for example, detail in too_big.items()},
    )
