"""Which latents are active where they lie in several processes: as one process would choose.

At equal scores the lowest latent goes first, and of a whole batch the first row. What one process
takes at equal scores is up to torch.topk, which promises nothing.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.dictionaries.choosing import Chosen, TopOfBatch
from sonde.dictionaries.parallel.order_statistics import keys_of, kth_largest
from sonde.dictionaries.parallel.ranks import ALONE, Ranks
from sonde.dictionaries.places import Places

NUMBER_BITS = 62
LAST = (1 << NUMBER_BITS) - 1  # behind every latent


def first_top(
    score: Float[Tensor, "row latent"], k: int
) -> tuple[Float[Tensor, "row k"], Int[Tensor, "row k"]]:
    """Return the k largest of each row, by ascending latent; the lowest latents at equal scores.

    One more than k is looked for: only a row whose last two are equal is looked at again. Nothing
    that is returned lies in the memory of ``score``.
    """
    if k >= score.shape[1]:
        latent = torch.arange(score.shape[1], device=score.device)
        return score.clone(), latent.expand_as(score)
    value, latent = score.topk(k + 1, dim=1)
    tied = value[:, k - 1] == value[:, k]
    latent = latent[:, :k]
    if bool(tied.any()):
        again, least = score[tied], value[tied, k - 1, None]
        equal = again == least
        above = ~(again <= least)  # NaN goes first, as it does for topk
        room = k - above.sum(dim=1, keepdim=True)
        latent = latent.clone()
        latent[tied] = (above | (equal & (equal.cumsum(dim=1) <= room))).nonzero()[:, 1].view(-1, k)
    latent = latent.sort(dim=1).values
    return score.gather(1, latent), latent


@dataclass(slots=True, eq=False)
class TopAcross:
    """The k highest scores of each row over all shards; with ``positive`` those above 0 alone.

    Every shard tells its own k highest. ``numbers`` are its latents' in the whole dictionary.
    """

    k: int
    positive: bool
    numbers: Int[Tensor, " latent"]
    ranks: Ranks
    parts: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)
    n_latents: int = 0

    def add(self, pre: Float[Tensor, "row latent"], score: Float[Tensor, "row latent"]) -> None:
        """Look at the next rows."""
        self.n_latents = pre.shape[1]
        best, latent = first_top(score, self.k)
        self.parts.append((best, latent, best if pre is score else pre.gather(1, latent)))

    def chosen(self) -> Chosen:
        """Return what was chosen of this shard's latents."""
        score, latent, value = (torch.cat(one) for one in zip(*self.parts, strict=True))
        number = self.numbers[latent]
        least, last = self._cut(score, number)
        # A NaN is neither below nor behind: it is kept, and shows in the loss.
        active = ~(score < least) & ~((score == least) & (number > last))
        if self.positive:
            active &= ~(value <= 0)
        counts = active.sum(dim=1)
        return Chosen(Places.of_counts(latent[active], counts, self.n_latents), value[active])

    def _cut(self, score: Tensor, number: Tensor) -> tuple[Tensor, Tensor]:
        """Return the k-th highest score of each row and its latent's number."""
        short = self.k - score.shape[1]
        if short > 0:
            score = torch.nn.functional.pad(score, (0, short), value=-torch.inf)
            number = torch.nn.functional.pad(number, (0, short), value=LAST)
        scores = self.ranks.gathered(score).movedim(0, 1).flatten(1)
        numbers = self.ranks.gathered(number).movedim(0, 1).flatten(1)
        numbers, order = numbers.sort(dim=1)
        scores, rank = scores.gather(1, order).sort(dim=1, descending=True, stable=True)
        kth = slice(self.k - 1, self.k)
        return scores[:, kth], numbers.gather(1, rank[:, kth])


@dataclass(slots=True, eq=False)
class TopOfBatchAcross(TopOfBatch):
    """The ``count`` highest scores that are positive, of all rows and latents of all processes.

    ``latents`` are the processes that other latents of these rows lie in, ``rows`` those that have
    other rows. All of them see the same ``fell_short`` and ``smallest``.
    """

    latents: Ranks = ALONE
    rows: Ranks = ALONE
    everyone: Ranks = ALONE
    settled: bool = False

    @property
    def fell_short(self) -> bool:
        """Whether fewer scores than wanted lie above a bound that is not 0."""
        return self.bound > 0 and self.everyone.count(sum(map(len, self.score))) < self.count

    def chosen(self) -> Chosen:
        """Return what was chosen of these rows and latents."""
        self._settle()
        number, value = self.number[0], self.value[0]
        return Chosen(Places.of_pairs(number, self.n_rows, self.n_latents), value)

    def smallest(self) -> Float[Tensor, ""] | None:
        """Return the smallest chosen score of all processes; None where nothing is chosen."""
        self._settle()
        own = self.score[0]
        found = self.everyone.least(torch.cat([own, own.new_full((1,), torch.inf)]).min())
        return None if bool(found.isinf()) else found

    def _trim(self) -> None:
        """Keep the count highest, and what equals the lowest of these: all may be wanted."""
        number, score, value = (torch.cat(one) for one in (self.number, self.score, self.value))
        if len(score) > self.count:
            kept = score >= score.topk(self.count).values[-1]
            number, score, value = number[kept], score[kept], value[kept]
        self.number, self.score, self.value = [number], [score], [value]

    def _settle(self) -> None:
        """Keep what is chosen, together with all processes."""
        if self.settled:
            return
        self.settled = True
        self._trim()
        score = self.score[0]
        if self.everyone.count(len(score)) <= self.count:
            return
        keys = keys_of(score)
        least = kth_largest(keys, self.count, 8 * score.element_size() - 1, self.everyone)
        kept, equal = keys > least, keys == least
        room = self.count - self.everyone.count(int(kept.sum()))
        if self.everyone.count(int(equal.sum())) > room:
            backwards = LAST - self._order()
            equal &= backwards >= kth_largest(backwards[equal], room, NUMBER_BITS, self.everyone)
        kept |= equal
        self.number, self.score, self.value = (
            [one[0][kept]] for one in (self.number, self.score, self.value)
        )

    def _order(self) -> Int[Tensor, " found"]:
        """Return the number of each found place in the whole batch and dictionary."""
        number = self.number[0]
        row = number.div(self.n_latents, rounding_mode="floor")
        latent = number - row * self.n_latents
        row = row * self.rows.world + self.rows.rank
        latent = latent * self.latents.world + self.latents.rank
        return row * (self.n_latents * self.latents.world) + latent
