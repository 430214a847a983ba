"""Bradley-Terry probes: a linear utility of activations, fitted to comparisons of items."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.probes.bradley_terry_newton import Columns, fit_bradley_terry
from sonde.probes.kernel import WHOLE, Kernel
from sonde.probes.pair_table import Incidence, PairTable
from sonde.probes.problem import Problem
from sonde.probes.reader import Linear, folded
from sonde.probes.solver import Prepare, Solver, standardised
from sonde.probes.threads import each

# Utilities of the sweep are good to some 1e-4 of their spread, those of shuffled items to 1e-2; the
# fits that are kept are exact.
SWEEP_TOLERANCE = 1e-5
CONTROL_TOLERANCE = 1e-3
FINAL_TOLERANCE = 1e-14
# Products of a large kernel in single precision take half the time. What they round off grows with
# the share of the loss's curvature in the penalty's, so weak penalties are fitted in double.
SINGLE = 1e-7
ENTRIES_AT_ONCE = 1 << 23  # pairs times columns: a few arrays of 64 MB


def bradley_terry_solver(pairs: PairTable) -> Prepare:
    """Return what prepares fits to these comparisons; items are numbered as in ``Problem.y``.

    Minimises sum log(1 + exp(-(u_winner - u_loser))) + penalty / 2 |w|^2 with u = w . z and z
    standardised by the training items; a tie counts half each way. The utilities' origin has no
    part in it: their mean over the training items is 0 (Bradley and Terry 1952).
    """
    return partial(_prepare, pairs)


def _prepare(pairs: PairTable, problem: Problem) -> Solver:
    return BradleyTerry(problem, pairs)


@dataclass(frozen=True, slots=True, eq=False)
class BradleyTerry:
    """Items' activations, the items' numbers with their shuffles, and the comparisons.

    A shuffle deals the items of a fold to its rows, so the comparisons that train a fit are the
    same in every repetition: those of two items outside the folds that are left out.
    """

    problem: Problem
    pairs: PairTable

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held repetition 1"]:
        """Fit without the folds ``left_out`` and say the utility of each of their rows' items.

        That is the item that the row has in repetition 0. Where a shuffle put it at another row of
        its fold, its utility is read there.
        """
        train = self.problem.outside(left_out)
        training = Training.of(self.problem, self.pairs, train)
        n_repetitions = len(training.at)
        controls = [CONTROL_TOLERANCE] * (n_repetitions - 1)
        how = [(penalty, (SWEEP_TOLERANCE, *controls)) for penalty in penalties]

        def utilities(x: Tensor) -> Tensor:
            z = standardised(x[None], train)[0][0]
            weight = training.fit(z[train], how)
            return (weight @ z[~train].mT).unflatten(0, (len(penalties), n_repetitions))

        said = each(utilities, list(self.problem.x))
        lies = _where_items_lie(self.problem.y[~train, :, 0])
        found = torch.stack(said)
        return found.gather(-1, lies.mT.expand_as(found)).mT[..., None]

    def final(self, penalty: Float[Tensor, " layer"]) -> tuple[Linear, ...]:
        """Fit the comparisons on all items, each layer with its own penalty."""
        z, mean, scale = standardised(self.problem.x)
        every = torch.ones(z.shape[1], dtype=torch.bool, device=z.device)
        training = Training.of(self.problem, self.pairs, every)
        weight = torch.stack(
            [
                training.fit(one, [(float(chosen), (FINAL_TOLERANCE,))])
                for one, chosen in zip(z, penalty, strict=True)
            ]
        )
        return folded(weight, weight.new_zeros(len(z), 1), mean, scale)


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """The pairs of two training items, numbered anew, and the training row of each item."""

    pairs: PairTable
    at: Int[np.ndarray, "repetition item"]

    @classmethod
    def of(cls, problem: Problem, pairs: PairTable, train: Bool[Tensor, " row"]) -> "Training":
        """Take the pairs both of whose items lie in ``train``.

        Raises:
            SondeError: there is none.
        """
        items = problem.y[..., 0].cpu().numpy().astype(np.int64)[train.cpu().numpy()]
        known = np.sort(items[:, 0])
        number = np.full(max(int(known[-1]), int(pairs.high.max(initial=0))) + 1, -1)
        number[known] = np.arange(len(known))
        left = pairs.among(number >= 0).renumbered(number)
        if not len(left):
            raise SondeError(
                f"No two of {len(known)} training items were compared with each other.",
                fix="Ask for fewer folds, or give more comparisons of each item.",
            )
        return cls(left, np.argsort(items, axis=0).T)

    def fit(
        self, z: Float[Tensor, "row d_model"], how: Sequence[tuple[float, Sequence[float]]]
    ) -> Float[Tensor, "column d_model"]:
        """Fit each penalty with as many repetitions as it has tolerances.

        Raises:
            SondeError: a fit does not converge.
        """
        exact = any(FINAL_TOLERANCE in several for _, several in how)
        single = not exact and min(z.shape) > WHOLE
        kernel = Kernel.of(z.to(torch.float32) if single else z)
        # The largest eigenvalue that the loss can have: no pair's curvature exceeds met / 4.
        met = float((self.pairs.for_low + self.pairs.for_high).sum())
        largest = float(kernel.spectrum[-1]) * met / 2 / len(z)
        weak = [single and penalty < SINGLE * largest for penalty, _ in how]
        found: list[Tensor] = [z] * len(how)
        for side, own in ((False, lambda: kernel), (True, lambda: Kernel.of(z))):
            numbers = [number for number, is_weak in enumerate(weak) if is_weak is side]
            chosen = [how[number] for number in numbers]
            if chosen:
                fitted = self._alpha(own(), chosen).split([len(several) for _, several in chosen])
                for number, alpha in zip(numbers, fitted, strict=True):
                    found[number] = alpha
        return torch.cat(found) @ z

    def _alpha(
        self, kernel: Kernel, how: Sequence[tuple[float, Sequence[float]]]
    ) -> Float[Tensor, "column row"]:
        device = kernel.z.device
        penalty = _column([one for one, several in how for _ in several], device)
        tolerance = _column([each for _, several in how for each in several], device)
        at = torch.from_numpy(np.concatenate([self.at[: len(several)] for _, several in how]))
        incidence = Incidence.of(self.pairs, len(kernel.z), device)
        won = torch.from_numpy(self.pairs.for_low).to(device)[:, None]
        met = won + torch.from_numpy(self.pairs.for_high).to(device)[:, None]
        found: list[Tensor] = []
        for some in torch.arange(len(penalty)).split(max(1, ENTRIES_AT_ONCE // len(self.pairs))):
            columns = Columns(kernel, incidence, won, met, at[some].to(device), penalty[some])
            alpha, converged = fit_bradley_terry(columns, tolerance[some])
            if not converged:
                raise SondeError(
                    f"A Bradley-Terry fit did not converge; its smallest penalty is "
                    f"{float(penalty.min()):g}.",
                    fix="Leave the smallest penalties out.",
                )
            found.append(alpha)
        return torch.cat(found)


def _where_items_lie(
    items: Float[Tensor, "row repetition"],
) -> Int[Tensor, "row repetition"]:
    """Return for each row's item of repetition 0 the row that it lies at in each repetition."""
    order = items.argsort(dim=0)
    return order[order[:, 0].argsort()]


def _column(values: Sequence[float], device: torch.device) -> Float[Tensor, "column 1"]:
    return torch.tensor(values, dtype=torch.float64, device=device)[:, None]
