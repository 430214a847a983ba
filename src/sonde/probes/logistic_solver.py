"""Logistic regression over layers and penalties at once, in the span of the training rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.probes import newton
from sonde.probes.newton import Fit, fit_logistic
from sonde.probes.problem import Problem
from sonde.probes.reader import Linear, folded
from sonde.probes.solver import EPS, Solver, standardised

SWEEP_TOLERANCE = 1e-7  # the last step is still taken, which squares what is left
# Shuffled labels are fitted less exactly: the last steps are the dearest, and nobody reads these
# weights. Scores of controls differ by less than .001.
CONTROL_TOLERANCE = 1e-3
FINAL_TOLERANCE = 1e-16
CACHED = 1 << 22  # bytes of rows that stay near the processor while a fit goes over them


def logistic_solver(problem: Problem) -> Solver:
    """Prepare logistic fits: minimise sum log-loss + penalty / 2 |w|^2, z standardised, b free."""
    return Logistic(problem)


@dataclass(frozen=True, slots=True, eq=False)
class Logistic:
    """Activations, two-class labels (0 or 1) with their shuffles, and folds, ready for fitting."""

    problem: Problem

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held repetition one"]:
        """Fit without the folds ``left_out`` and predict the logits of their rows."""
        train = self.problem.outside(left_out)
        z, _, _ = standardised(self.problem.x, train)
        y = self.problem.y[..., 0]
        repetitions = y.shape[1]
        columns = torch.tensor(penalties, dtype=z.dtype).repeat_interleave(repetitions)
        tolerance = torch.full((repetitions,), CONTROL_TOLERANCE, dtype=z.dtype)
        tolerance[0] = SWEEP_TOLERANCE
        weight, bias = _fit(
            z[:, train],
            y[train].T.repeat(len(penalties), 1),
            columns.expand(len(z), -1),
            tolerance.repeat(len(penalties)),
        )
        logits = weight @ z[:, ~train].mT + bias[..., None]
        return logits.unflatten(1, (len(penalties), repetitions)).mT[..., None]

    def final(self, penalty: Float[Tensor, " layer"]) -> tuple[Linear, ...]:
        """Fit the labels on all rows."""
        z, mean, scale = standardised(self.problem.x)
        tolerance = torch.full((1,), FINAL_TOLERANCE, dtype=z.dtype)
        weight, bias = _fit(z, self.problem.y[:, 0].T, penalty[:, None].to(z), tolerance)
        return folded(weight, bias, mean, scale)


def _fit(
    z: Float[Tensor, "layer row d_model"],
    y: Float[Tensor, "column row"],
    penalty: Float[Tensor, "layer column"],
    tolerance: Float[Tensor, " column"],
) -> tuple[Float[Tensor, "layer column d_model"], Float[Tensor, "layer column"]]:
    """Fit in the principal axes of the rows; return weights on the standardised coordinates.

    The optimum lies in the span of the rows, so nothing is lost where they are fewer than the
    coordinates. A few layers at a time take two thirds of the time of all at once.
    """
    size = z.shape[1] * min(z.shape[1:]) * z.element_size()
    few = max(1, CACHED // size)
    parts = zip(z.split(few), penalty.split(few), strict=True)
    fits = [_fit_few(part, y, one, tolerance) for part, one in parts]
    return torch.cat([weight for weight, _ in fits]), torch.cat([bias for _, bias in fits])


def _fit_few(
    z: Float[Tensor, "layer row d_model"],
    y: Float[Tensor, "column row"],
    penalty: Float[Tensor, "layer column"],
    tolerance: Float[Tensor, " column"],
) -> tuple[Float[Tensor, "layer column d_model"], Float[Tensor, "layer column"]]:
    if z.shape[1] > z.shape[2]:
        spectrum, axes = torch.linalg.eigh(z.mT @ z)
        fit = _solved(newton.Problem(z @ axes, spectrum.clamp(min=0), y, penalty), tolerance)
        return fit.theta @ axes.mT, fit.bias
    spectrum, axes = torch.linalg.eigh(z @ z.mT)
    present = spectrum > spectrum[:, -1:] * z.shape[1] * EPS
    root = torch.where(present, spectrum.clamp(min=0).sqrt(), 0.0)
    fit = _solved(newton.Problem(axes * root[:, None], root.square(), y, penalty), tolerance)
    dual = torch.where(present, 1 / root.clamp(min=1e-300), 0.0)[:, None] * fit.theta
    return (dual @ axes.mT) @ z, fit.bias


def _solved(problem: newton.Problem, tolerance: Float[Tensor, " column"]) -> Fit:
    fit = fit_logistic(problem, tolerance)
    if not fit.converged:
        raise SondeError(
            f"A logistic fit did not converge; its smallest penalty is "
            f"{float(problem.penalty.min()):g}.",
            fix="Leave the smallest penalties out.",
        )
    return fit
