"""Feed a dictionary some rows one way or another, and see what it makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from sonde.activations.shuffled_rows import RowLimits, row_norms
from sonde.core.hooks import HookPoint
from sonde.dictionaries.dictionary import Dictionary
from sonde.dictionaries.findings import Finding, reach
from sonde.dictionaries.metrics import fvu
from sonde.evals.diagnosis_variants import (
    Rows,
    Variant,
    as_variant,
    named_variant,
    other_places,
    other_rows,
    other_scales,
)
from sonde.evals.patched_pass import captures
from sonde.evals.texts import EvalTexts
from sonde.models.model import Model

ROWS = 1_024  # that are looked at: variance explained then holds to a few hundredths
CHANGED = 0.05  # of variance explained, by first tokens and sinks alone, that is worth saying


@dataclass(frozen=True, slots=True)
class Tried:
    """A way to feed the dictionary, with what came of it."""

    kind: str
    words: str
    variance_explained: float
    l0: float


@dataclass(frozen=True, slots=True, eq=False)
class Feeding:
    """A dictionary and texts to feed it with; every variant leaves out its own sinks."""

    dictionary: Dictionary
    model: Model
    texts: EvalTexts
    sink_ratio: float

    def capture(self, hooks: Sequence[HookPoint]) -> dict[HookPoint, Tensor]:
        """Return the rows of all tokens, first tokens and sinks too."""
        points = list(dict.fromkeys(hooks))
        every = torch.from_numpy(self._real)
        parts: dict[HookPoint, list[Tensor]] = {hook: [] for hook in points}
        for found in captures(self.model, self.texts, points, RowLimits({}, 0.0)):
            here = every[found.which, : found.kept.shape[1]].to(found.kept.device)
            for hook in points:
                parts[hook].append(found.activations[hook][here].float())
        return {hook: torch.cat(several) for hook, several in parts.items()}

    def ordinary(self, variant: Variant, rows: Rows) -> Bool[Tensor, " row"]:
        """Mark the rows that are no first tokens, no separators and no sinks."""
        kept = torch.from_numpy(self.texts.counts[self._real])
        kept = kept.to(rows[variant.sources[0]].device)
        for hook in (*variant.sources, *variant.targets):
            norm = row_norms(rows[hook])
            kept = kept & (norm < self.sink_ratio * norm[kept].median())
        return kept

    def tried(
        self, variant: Variant, rows: Rows, which: Bool[Tensor, " row"] | None = None
    ) -> Tried:
        """Feed the dictionary that way, with some of the rows, or the first ordinary ones."""
        if which is None:
            which = self.ordinary(variant, rows)
            which = which & (which.cumsum(0) <= ROWS)
        sources, targets = variant.rows({hook: x[which] for hook, x in rows.items()})
        dictionary = as_variant(self.dictionary, variant)
        like = dictionary.bias[0]
        with torch.no_grad():
            made = dictionary(*(x.to(like) for x in sources))
        pairs = zip(targets, made.targets, strict=True)
        explained = 1 - float(torch.stack([fvu(y, one) for y, one in pairs]).mean())
        fired = sum(float(one.fired().sum()) for one in made.latents)
        return Tried(variant.kind, variant.words, explained, fired / len(sources[0]))

    def others(self, rows: Rows) -> tuple[Tried, ...]:
        """Feed the dictionary in all other ways, best first."""
        architecture = self.dictionary.architecture
        kept = self.ordinary(named_variant(architecture), rows)
        same = {hook: x[kept][:ROWS] for hook, x in rows.items()}
        every = torch.ones(len(next(iter(same.values()))), dtype=torch.bool, device=kept.device)
        changed = (*other_scales(architecture, same), *other_rows(architecture))
        found = [self.tried(one, same, every) for one in changed]
        places = other_places(self.model, architecture) if self._is_plain else ()
        hooks = [hook for one in places for hook in (*one.sources, *one.targets)]
        there = self.capture(hooks) if hooks else {}
        found += [self.tried(one, there) for one in places]
        return tuple(sorted(found, key=_order, reverse=True))

    def sinks(self, named: Variant, rows: Rows, found: Tried) -> Finding:
        """Say what first tokens and sinks do to variance explained."""
        kept = self.ordinary(named, rows)
        with_all = self.tried(named, rows, torch.ones_like(kept)).variance_explained
        words = (
            f"{int((~kept).sum()):,} of {len(kept):,} rows, first tokens, separators and attention "
            f"sinks, are left out; with them variance explained would be {with_all:.2f}"
        )
        apart = abs(with_all - found.variance_explained) > CHANGED
        return Finding("Sinks", True, words + (", so leave them out elsewhere" if apart else ""))

    def out_of_reach(self, named: Variant, rows: Rows) -> Finding:
        """Count the latents that no row here is long enough to fire."""
        kept = self.ordinary(named, rows)
        like = self.dictionary.bias[0]
        read = self.dictionary.read([rows[hook][kept].to(like) for hook in named.sources])
        never = sum(
            int((reach(block) > x.norm(dim=1).max()).sum())
            for block, x in zip(self.dictionary.parts, read, strict=True)
        )
        n = sum(len(block.bias) for block in self.dictionary.parts)
        words = f"{never:,} of {n:,} latents are dead by construction: no row is long enough"
        return Finding("Reach", not never, words)

    @property
    def _real(self) -> Bool[np.ndarray, "text pos"]:
        """Mark the tokens that are no padding."""
        return np.arange(self.texts.context) < self.texts.lengths[:, None]

    @property
    def _is_plain(self) -> bool:
        """Whether all widths are the model's, as they are at all sites but heads."""
        widths = {*self.dictionary.architecture.d_in, *self.dictionary.architecture.widths_out}
        return widths == {self.model.info.d_model}


def _order(one: Tried) -> float:
    return one.variance_explained if np.isfinite(one.variance_explained) else -np.inf
