"""Penalised likelihoods of classes over layers and penalties at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.probes.likelihood import Likelihood
from sonde.probes.newton import Fits, fit
from sonde.probes.problem import Problem
from sonde.probes.reader import Linear, folded
from sonde.probes.solver import EPS, refuse_overflow, scale_of
from sonde.probes.threads import each

SWEEP_TOLERANCE = 1e-9  # the last step is still taken, which leaves a ten-thousandth of it
# Shuffled labels are fitted less exactly: the last steps are the dearest, and nobody reads these
# weights. Scores of controls differ by less than .001.
CONTROL_TOLERANCE = 1e-3
FINAL_TOLERANCE = 1e-16
CACHED = 1 << 22  # bytes of rows that stay near the processor while a fit goes over them

Classified: TypeAlias = Callable[
    [Float[Tensor, "column row"], Float[Tensor, "column row"]], Likelihood
]
RowWeights: TypeAlias = Callable[
    [Float[Tensor, "repetition row"], Bool[Tensor, " row"]], Float[Tensor, "repetition train"]
]


def unweighted(
    y: Float[Tensor, "repetition row"], train: Bool[Tensor, " row"]
) -> Float[Tensor, "repetition train"]:
    """Let every training row count once."""
    return torch.ones_like(y[:, train])


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What is fitted to the training rows of each layer: columns of labels, weights and penalty."""

    y: Float[Tensor, "column row"]
    weight: Float[Tensor, "column row"]
    penalty: Float[Tensor, "layer column"]
    group: Int[Tensor, " column"]  # columns of one share a preconditioner
    tolerance: Float[Tensor, " column"]

    def sorted(
        self, found: Float[Tensor, "layer column *rest"], penalties: int
    ) -> Float[Tensor, "layer penalty repetition *rest"]:
        """Put what was found of columns of labels, then of shuffles, penalty by penalty."""
        labels, shuffles = found[:, :penalties, None], found[:, penalties:]
        size = shuffles.shape[1] // penalties
        return torch.cat([labels, shuffles.unflatten(1, (penalties, size))], dim=2)


@dataclass(frozen=True, slots=True, eq=False)
class LikelihoodSolver:
    """Activations, classes with their shuffles, and folds, ready for fitting.

    ``likelihood`` makes the loss of labels and their rows' weights, ``weights`` the weights of the
    training rows, from these alone. ``basis`` are the principal axes of all rows of each layer,
    where they are more than the coordinates: a first guess at those of any training rows.
    """

    problem: Problem
    likelihood: Classified
    weights: RowWeights
    basis: Float[Tensor, "layer d_model d_model"] | None

    @classmethod
    def of(
        cls, problem: Problem, likelihood: Classified, weights: RowWeights = unweighted
    ) -> "LikelihoodSolver":
        """Find the axes."""
        if problem.x.shape[1] <= problem.x.shape[2]:
            return cls(problem, likelihood, weights, None)

        def axes(x: Float[Tensor, "few row d_model"]) -> Float[Tensor, "few d_model d_model"]:
            low = _rows(x, problem.folds >= 0)[0].to(torch.float32)
            return torch.linalg.eigh(low.mT @ low).eigenvectors

        found = each(axes, problem.x.split(_few(problem.x)))
        return cls(problem, likelihood, weights, torch.cat(found))

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held repetition output"]:
        """Fit without the folds ``left_out`` and predict the logits of their rows."""
        train = self.problem.outside(left_out)
        columns = self._columns(train, penalties)

        def logits(few: slice) -> Float[Tensor, "few column output held"]:
            z, mean, scale = _rows(self.problem.x[few], train)
            weight, bias = self._fitted(z, columns, few)
            held = self.problem.x[few].index_select(1, (~train).nonzero()[:, 0])
            held = (held - mean[:, None]) / scale[:, None]
            return torch.einsum("lcod,lhd->lcoh", weight, held) + bias[..., None]

        found = torch.cat(each(logits, self._slices()))
        return columns.sorted(found, len(penalties)).permute(0, 1, 4, 2, 3)

    def coefficients(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty repetition output d_model_and_bias"]:
        """Fit as ``held_out`` does, and return weights of standardised coordinates, then bias."""
        train = self.problem.outside(left_out)
        columns = self._columns(train, penalties)

        def both(few: slice) -> Float[Tensor, "few column output d_model_and_bias"]:
            z, _, _ = _rows(self.problem.x[few], train)
            weight, bias = self._fitted(z, columns, few)
            return torch.cat([weight, bias[..., None]], dim=-1)

        return columns.sorted(torch.cat(each(both, self._slices())), len(penalties))

    def final(self, penalty: Float[Tensor, " layer"]) -> tuple[Linear, ...]:
        """Fit the labels on all rows."""
        x, y = self.problem.x, self.problem.y[:, :1, 0].T
        train = torch.ones_like(self.problem.folds, dtype=torch.bool)
        columns = Columns(
            y,
            self.weights(y, train),
            penalty[:, None].to(x),
            torch.zeros(1, dtype=torch.long, device=x.device),
            torch.full((1,), FINAL_TOLERANCE).to(x),
        )

        def readers(few: slice) -> tuple[Linear, ...]:
            z, mean, scale = _rows(x[few], train)
            weight, bias = self._fitted(z, columns, few)
            return folded(weight[:, 0], bias[:, 0], mean, scale)

        return tuple(one for some in each(readers, self._slices()) for one in some)

    def _columns(self, train: Bool[Tensor, " row"], penalties: Sequence[float]) -> "Columns":
        """Lay out the labels at every penalty, then their shuffles at every penalty."""
        x, y = self.problem.x, self.problem.y[..., 0].T
        shuffles, count = len(y) - 1, len(penalties)
        number = torch.arange(count, device=x.device)
        which = torch.cat(
            [torch.zeros_like(number), 1 + torch.arange(shuffles, device=x.device).repeat(count)]
        )
        at = torch.cat([number, number.repeat_interleave(shuffles)])
        return Columns(
            y=y[which][:, train],
            weight=self.weights(y, train)[which],
            penalty=torch.tensor(list(penalties)).to(x)[at].expand(len(x), -1),
            group=at + count * (which > 0),
            tolerance=torch.where(which > 0, CONTROL_TOLERANCE, SWEEP_TOLERANCE).to(x),
        )

    def _slices(self) -> list[slice]:
        few = _few(self.problem.x)
        return [slice(start, start + few) for start in range(0, len(self.problem.x), few)]

    def _fitted(
        self, z: Float[Tensor, "few row d_model"], columns: Columns, few: slice
    ) -> tuple[Float[Tensor, "few column output d_model"], Float[Tensor, "few column output"]]:
        """Fit some layers; return weights of the standardised coordinates, and intercepts.

        The optimum lies in the span of the rows, so nothing is lost by fitting in their own
        principal axes where they are fewer than the coordinates.
        """
        penalty, n = columns.penalty[few], z.shape[1]
        if n > z.shape[2]:
            assert self.basis is not None
            theta = self._solved(z, self.basis[few], columns, penalty)
            return theta[..., :-1], theta[..., -1]
        spectrum, axes = torch.linalg.eigh(z @ z.mT)
        present = spectrum > spectrum[:, -1:] * n * EPS
        root = torch.where(present, spectrum.clamp(min=0).sqrt(), 0.0)
        theta = self._solved(axes * root[:, None], None, columns, penalty)
        dual = (
            torch.where(present, 1 / root.clamp(min=1e-300), 0.0)[:, None, None] * theta[..., :-1]
        )
        return torch.einsum("lcor,lsr,lsd->lcod", dual, axes, z), theta[..., -1]

    def _solved(
        self,
        q: Float[Tensor, "few row side"],
        basis: Float[Tensor, "few d_model d_model"] | None,
        columns: Columns,
        penalty: Float[Tensor, "few column"],
    ) -> Float[Tensor, "few column output side_and_one"]:
        likelihood = self.likelihood(columns.y, columns.weight)
        with_one = torch.cat([q, torch.ones_like(q[..., :1])], dim=-1)
        found = fit(Fits(with_one, likelihood, penalty, columns.group, columns.tolerance, basis))
        # What a control lacks in exactness shows in nothing.
        bad = ~found.converged & (columns.tolerance < CONTROL_TOLERANCE)
        if bool(bad.any()):
            raise SondeError(
                f"A logistic fit did not converge at penalty {float(penalty[bad].min()):g}.",
                fix="Leave the smallest penalties out.",
            )
        return found.theta


def _few(x: Float[Tensor, "layer row d_model"]) -> int:
    """Return how many layers are fitted together: a few take two thirds of the time of all."""
    return len(x) if x.is_cuda else max(1, CACHED // (x.shape[1] * min(x.shape[1:]) * 8))


def _rows(
    x: Float[Tensor, "few row d_model"], train: Bool[Tensor, " row"]
) -> tuple[
    Float[Tensor, "few train d_model"], Float[Tensor, "few d_model"], Float[Tensor, "few d_model"]
]:
    """Return the training rows standardised by themselves, their mean and scale, in few passes.

    Raises:
        SondeError: float64 has no room for the squares of rows so large.
    """
    rows = x.index_select(1, train.nonzero()[:, 0])
    mean = rows.mean(dim=1)
    rows -= mean[:, None]
    variance = rows.square().mean(dim=1)
    refuse_overflow(variance)
    scale = scale_of(variance, mean, rows.shape[1])
    return rows.div_(scale[:, None]), mean, scale
