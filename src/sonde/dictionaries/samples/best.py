"""The entries of highest priority in each of many buckets, on the device, all buckets at once."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

EMPTY = -1
AT_ONCE = 1 << 21  # entries that are sorted at a time


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Tokens with a value each. ``priority`` is 0 or more, and -1 where there is no entry."""

    priority: Int[Tensor, "*at"]
    value: Float[Tensor, "*at"]
    token: Int[Tensor, "*at"]
    step: Int[Tensor, "*at"]

    @property
    def columns(self) -> tuple[Tensor, ...]:
        """What is known of the entries, tensor by tensor."""
        return self.priority, self.value, self.token, self.step

    def __getitem__(self, at: Tensor) -> "Entries":
        return Entries(*(column[at] for column in self.columns))


def no_entries(*shape: int, device: torch.device | str = "cpu") -> Entries:
    """Return places without entries."""
    priority = torch.full(shape, EMPTY, dtype=torch.int32, device=device)
    value = torch.zeros(shape, device=device)
    return Entries(priority, value, priority.long(), priority.clone())


class Best:
    """At most ``size`` entries in each bucket: those of highest priority, best first.

    Of equal priorities the one offered first stays, and a token is in a bucket once, with its
    highest priority. So what is kept does not depend on how offers are cut into batches.
    """

    def __init__(self, buckets: int, size: int, device: torch.device | str = "cpu") -> None:
        self.kept = no_entries(buckets, size, device=device)

    @property
    def size(self) -> int:
        """How many entries a bucket has at most."""
        return self.kept.priority.shape[1]

    def offer(self, bucket: Int[Tensor, " offered"], offered: Entries) -> None:
        """Keep what is better than what is there; no token may come twice for one bucket."""
        if not self.size:
            return
        bucket, offered = self._without_known(*self._good_enough(bucket, offered))
        if not len(bucket):
            return
        # One stable sort by bucket, best first: priorities are below 2^31.
        order = ((bucket << 32) - offered.priority).argsort(stable=True)
        touched, line, counts = bucket[order].unique_consecutive(
            return_inverse=True, return_counts=True
        )
        rank = torch.arange(len(order), device=order.device) - (counts.cumsum(0) - counts)[line]
        fits = rank < self.size
        order, line, rank = order[fits], line[fits], rank[fits]
        width = self.size + min(self.size, int(counts.max()))
        first = 0
        for lines in touched.split(max(1, AT_ONCE // width)):
            here = (line >= first) & (line < first + len(lines))
            self._merge(lines, offered[order[here]], line[here] - first, rank[here])
            first += len(lines)

    def tensors(self) -> dict[str, Tensor]:
        """Return the state."""
        kept = self.kept
        return dict(zip(("priority", "value", "token", "step"), kept.columns, strict=True))

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take up the state that ``tensors`` gave."""
        for name, own in self.tensors().items():
            own.copy_(tensors[name])

    def _good_enough(self, bucket: Tensor, offered: Entries) -> tuple[Tensor, Entries]:
        better = offered.priority > self.kept.priority[bucket, -1]
        return bucket[better], offered[better]

    def _without_known(self, bucket: Tensor, offered: Entries) -> tuple[Tensor, Entries]:
        """Drop tokens that are there already, or empty their places if their priority has risen."""
        if not len(bucket):
            return bucket, offered
        stays = torch.ones_like(bucket, dtype=torch.bool)
        at_once = max(1, AT_ONCE // self.size)
        for part in torch.arange(len(bucket), device=bucket.device).split(at_once):
            same = self.kept.token[bucket[part]] == offered.token[part][:, None]
            number, place = same.nonzero(as_tuple=True)
            number = part[number]
            risen = offered.priority[number] > self.kept.priority[bucket[number], place]
            stays[number] = risen
            self.kept.priority[bucket[number[risen]], place[risen]] = EMPTY
            self.kept.token[bucket[number[risen]], place[risen]] = EMPTY
        return bucket[stays], offered[stays]

    def _merge(self, lines: Tensor, offered: Entries, line: Tensor, rank: Tensor) -> None:
        """Put offered entries, the ``rank``-th of their bucket, beside those of it, and sort."""
        width = int(rank.max()) + 1
        fresh = no_entries(len(lines), width, device=lines.device)
        old = self.kept[lines]
        joined = Entries(
            *(
                torch.cat([before, new.index_put_((line, rank), given)], dim=1)
                for before, new, given in zip(
                    old.columns, fresh.columns, offered.columns, strict=True
                )
            )
        )
        order = joined.priority.argsort(dim=1, descending=True, stable=True)[:, : self.size]
        for kept, both in zip(self.kept.columns, joined.columns, strict=True):
            kept[lines] = both.gather(1, order)
