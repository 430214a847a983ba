"""Whether two forwards are one function: active sets, activations and what is made of rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.dictionaries.formats.content import Forward, Rows

ROUNDING = 1e-5  # largest difference, relative to a row's largest number
SHIFT = 1e-6  # of a row: what such a change decides is decided by rounding
UNDECIDED = 0.1  # largest share of such rows
SCALES = (0.1, 1.0, 10.0, 100.0, 1000.0)  # activations of models lie between

Run = Callable[[Rows], Forward]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two forwards agree on rows, each the worst row's.

    ``jaccard`` is the share of latents active in either that are active in both; ``cosine`` that of
    the activations; ``activations`` and ``targets`` are largest differences, relative to the
    row's largest number. ``l0`` is the mean number of active latents. ``undecided`` rows, in which
    a change of one in a million moves a latent over its threshold, are left out.
    """

    rows: int
    l0: float
    jaccard: float
    cosine: float
    activations: float
    targets: float
    undecided: int = 0

    @property
    def holds(self) -> bool:
        """Whether they are one function to rounding."""
        return (
            self.jaccard == 1
            and self.cosine > 1 - ROUNDING
            and self.activations <= ROUNDING
            and self.targets <= ROUNDING
            and self.undecided <= UNDECIDED * (self.rows + self.undecided)
        )


def random_rows(widths: Sequence[int], count: int = 64, seed: int = 0) -> list[Tensor]:
    """Draw rows of the scales that activations have, in float64, for each source."""
    draw = torch.Generator().manual_seed(seed)
    scale = torch.tensor([SCALES[i % len(SCALES)] for i in range(count)], dtype=torch.float64)
    return [
        scale[:, None] * torch.randn(count, d, generator=draw, dtype=torch.float64) for d in widths
    ]


@torch.no_grad()
def agreement(reference: Run, other: Run, rows: Rows) -> Agreement:
    """Compare a forward with the reference on rows.

    Raises:
        SondeError: no latent is active in any row, so that nothing would be compared.
    """
    expected, found = reference(rows), other(rows)
    active, theirs = expected.latents != 0, found.latents != 0
    if not bool(active.any()):
        raise SondeError(
            "No latent is active on the rows of the check, so it would compare nothing.",
            fix="Give real activations: --activations STORE.",
        )
    kept = torch.ones(len(active), dtype=torch.bool, device=active.device)
    if not torch.equal(active, theirs):
        kept = _steady(reference, rows, active)
    if not bool(kept.any()):
        kept = ~kept
    left_out = int((~kept).sum())
    expected, found = _rows(expected, kept), _rows(found, kept)
    active, theirs = active[kept], theirs[kept]
    return Agreement(
        rows=int(kept.sum()),
        l0=float(active.sum(dim=1).double().mean()),
        jaccard=_jaccard(active, theirs),
        cosine=_cosine(expected.latents, found.latents),
        activations=_difference(expected.latents, found.latents),
        targets=max(
            _difference(one, two) for one, two in zip(expected.targets, found.targets, strict=True)
        ),
        undecided=left_out,
    )


def _steady(reference: Run, rows: Rows, active: Bool[Tensor, "row latent"]) -> Tensor:
    """Return the rows whose active latents a change of one in a million leaves alone."""
    steady = torch.ones(len(active), dtype=torch.bool, device=active.device)
    for by in (1 - SHIFT, 1 + SHIFT):
        moved = reference([x * by for x in rows]).latents != 0
        steady &= (moved == active).all(dim=1)
    return steady


def _rows(forward: Forward, kept: Tensor) -> Forward:
    return Forward(forward.latents[kept], tuple(one[kept] for one in forward.targets))


def _jaccard(one: Bool[Tensor, "row latent"], two: Bool[Tensor, "row latent"]) -> float:
    either = (one | two).sum(dim=1)
    both = (one & two).sum(dim=1)
    return float(torch.where(either > 0, both / either.clamp(min=1), 1.0).min())


def _cosine(one: Float[Tensor, "row latent"], two: Float[Tensor, "row latent"]) -> float:
    one, two = one.double(), two.double()
    norms = one.norm(dim=1) * two.norm(dim=1)
    nothing = (one.norm(dim=1) == 0) & (two.norm(dim=1) == 0)
    cosine = (one * two).sum(dim=1) / norms.clamp(min=torch.finfo(one.dtype).tiny)
    return float(torch.where(nothing, 1.0, cosine).min())


def _difference(one: Float[Tensor, "row any"], two: Float[Tensor, "row any"]) -> float:
    largest = one.abs().amax(dim=1).clamp(min=torch.finfo(one.dtype).tiny)
    return float(((one - two).abs().amax(dim=1) / largest).max())
