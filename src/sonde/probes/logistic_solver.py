"""Logistic regression over layers and penalties at once, in the span of the training rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.probes.newton import Fit, Problem, fit_logistic
from sonde.probes.solver import EPS, Linear, Solver, folded, outside, standardised

SWEEP_TOLERANCE = 1e-7  # the last step is still taken, which squares what is left
# Shuffled labels are fitted less exactly: the last steps are the dearest, and nobody reads these
# weights. Scores of controls differ by less than .001.
CONTROL_TOLERANCE = 1e-3
FINAL_TOLERANCE = 1e-16
CACHED = 1 << 22  # bytes of rows that stay near the processor while a fit goes over them


def logistic_solver(
    x: Float[Tensor, "layer row d_model"],
    y: Float[Tensor, "row target"],
    folds: Int[Tensor, " row"],
) -> Solver:
    """Prepare logistic fits: minimise sum log-loss + penalty / 2 |w|^2, z standardised, b free."""
    return Logistic(x, y, folds)


@dataclass(frozen=True, slots=True, eq=False)
class Logistic:
    """Activations, two-class targets (0 or 1) and folds, ready for fitting.

    The first target is the labels, the others are their shuffles.
    """

    x: Float[Tensor, "layer row d_model"]
    y: Float[Tensor, "row target"]
    folds: Int[Tensor, " row"]

    def held_out(
        self, left_out: Sequence[int], penalties: Sequence[float]
    ) -> Float[Tensor, "layer penalty held target"]:
        """Fit without the folds ``left_out`` and predict the logits of their rows."""
        train = outside(self.folds, left_out)
        z, _, _ = standardised(self.x, train)
        n_targets = self.y.shape[1]
        columns = torch.tensor(penalties, dtype=z.dtype).repeat_interleave(n_targets)
        y = self.y[train].T.repeat(len(penalties), 1)
        tolerance = torch.full((n_targets,), CONTROL_TOLERANCE, dtype=z.dtype)
        tolerance[0] = SWEEP_TOLERANCE
        weight, bias = _fit(
            z[:, train], y, columns.expand(len(z), -1), tolerance.repeat(len(penalties))
        )
        logits = weight @ z[:, ~train].mT + bias[..., None]
        return logits.unflatten(1, (len(penalties), n_targets)).mT

    def final(self, penalty: Float[Tensor, " layer"]) -> Linear:
        """Fit the first target on all rows."""
        z, mean, scale = standardised(self.x)
        tolerance = torch.full((1,), FINAL_TOLERANCE, dtype=z.dtype)
        weight, bias = _fit(z, self.y[:, :1].T, penalty[:, None].to(z), tolerance)
        return folded(weight[:, 0], bias[:, 0], mean, scale)


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
        fit = _solved(Problem(z @ axes, spectrum.clamp(min=0), y, penalty), tolerance)
        return fit.theta @ axes.mT, fit.bias
    spectrum, axes = torch.linalg.eigh(z @ z.mT)
    present = spectrum > spectrum[:, -1:] * z.shape[1] * EPS
    root = torch.where(present, spectrum.clamp(min=0).sqrt(), 0.0)
    fit = _solved(Problem(axes * root[:, None], root.square(), y, penalty), tolerance)
    dual = torch.where(present, 1 / root.clamp(min=1e-300), 0.0)[:, None] * fit.theta
    return (dual @ axes.mT) @ z, fit.bias


def _solved(problem: Problem, tolerance: Float[Tensor, " column"]) -> Fit:
    fit = fit_logistic(problem, tolerance)
    if not fit.converged:
        raise SondeError(
            f"A logistic fit did not converge; its smallest penalty is "
            f"{float(problem.penalty.min()):g}.",
            fix="Leave the smallest penalties out.",
        )
    return fit
