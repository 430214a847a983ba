"""The direction of a logistic probe."""

import torch
from jaxtyping import Float64
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.probes.logistic_solver import logistic_solver
from sonde.vectors.kernels import combined, kernel, standardised
from sonde.vectors.methods.by_probe import by_probe
from sonde.vectors.rows import Rows
from sonde.vectors.settings import VectorSettings

SAYS = "weights on raw activations of a logistic probe of standardised rows"
STEPS = 100
HALVINGS = 30
TOLERANCE = 1e-12  # half the Newton decrement as a share of the objective; the step is taken


def probe(rows: Rows, settings: VectorSettings) -> Float64[Tensor, "fit layer d_model"]:
    """Return w / scale where w minimises sum log-loss(z w + b) + penalty / 2 |w|^2.

    z are rows standardised by the training rows, b is free: scikit-learn's LogisticRegression with
    C = 1 / penalty behind a StandardScaler, and the weight of ``sonde.probes.logistic``. Its length
    is what moves the log-odds by one for each unit along it.
    """
    if int(rows.train.sum(dim=1).max()) > rows.x.shape[2]:
        return by_probe(rows, logistic_solver, settings.penalty)
    found: list[Tensor] = []
    start = torch.zeros(rows.x.shape[:2], dtype=torch.float64)
    for train in rows.train:
        z, scale = standardised(rows, train)
        dual = logistic_dual(kernel(z), rows.y[train], settings.penalty, start[:, train])
        if bool(train.all()):
            start = dual  # the other fits end near the one of all rows
        found.append(combined(dual, z) / scale)
    return torch.stack(found)


def logistic_dual(
    k: Float64[Tensor, "layer row row"],
    y: Float64[Tensor, " row"],
    penalty: float,
    start: Float64[Tensor, "layer row"],
) -> Float64[Tensor, "layer row"]:
    """Return alpha where w = z'alpha minimises sum log-loss(K alpha + b) + penalty/2 alpha'K alpha.

    Newton's method; each step's equations have the matrix penalty I + W^1/2 K W^1/2 of the
    curvatures W, which is well conditioned however sure the fit is (Rasmussen and Williams 2006,
    section 3.4). A step is halved until the objective falls.

    Raises:
        SondeError: it does not converge.
    """
    alpha = start - start.mean(dim=1, keepdim=True)
    b = torch.zeros(len(k), 1, dtype=torch.float64)
    f = (k @ alpha[..., None])[..., 0]
    now = _objective(f + b, f, alpha, y, penalty)
    going = torch.arange(len(k))
    for _ in range(STEPS):
        step, move, gap = _newton(k[going], y, penalty, (alpha[going], b[going], f[going]))
        whole, turn = step, move
        length = torch.ones(len(going), 1, dtype=torch.float64)
        for _ in range(HALVINGS):
            trial = (alpha[going] + length * whole, b[going] + length * turn)
            along = (k[going] @ trial[0][..., None])[..., 0]
            after = _objective(along + trial[1], along, trial[0], y, penalty)
            worse = after > now[going] + 1e-12 * now[going].abs()
            if not bool(worse.any()):
                break
            length = torch.where(worse[:, None], length / 2, length)
        alpha[going], b[going], f[going], now[going] = *trial, along, after
        going = going[gap > TOLERANCE * after]
        if not len(going):
            return alpha
    raise SondeError(
        f"A logistic fit did not converge at penalty {penalty:g}.", fix="Give a larger penalty."
    )


def _newton(
    k: Tensor, y: Tensor, penalty: float, at: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return Newton's steps of alpha and b, and half the decrement."""
    alpha, b, f = at
    chance = torch.sigmoid(f + b)
    curvature = (chance * (1 - chance)).clamp(min=1e-12)
    root = curvature.sqrt()
    eye = torch.eye(k.shape[1], dtype=k.dtype)
    factor = torch.linalg.cholesky(penalty * eye + root[:, :, None] * k * root[:, None, :])
    # r = W f + (y - p), of which b takes its share: alpha_new = A r - b_new A W 1.
    right = torch.stack([curvature * (f + b) + y - chance, curvature], dim=-1)
    inner = torch.cholesky_solve(root[..., None] * (k @ right), factor)
    solved = (right - root[..., None] * inner) / penalty
    shift = solved[..., 0].sum(1, keepdim=True) / solved[..., 1].sum(1, keepdim=True)
    step = solved[..., 0] - shift * solved[..., 1] - alpha
    move = shift - b
    slope = ((k @ (penalty * alpha + chance - y)[..., None])[..., 0] * step).sum(1)
    slope = slope + (chance - y).sum(1) * move[:, 0]
    return step, move, slope.abs() / 2


def _objective(
    logit: Tensor, f: Tensor, alpha: Tensor, y: Tensor, penalty: float
) -> Float64[Tensor, " layer"]:
    loss = torch.nn.functional.softplus(logit) - y * logit
    return loss.sum(dim=1) + penalty / 2 * (alpha * f).sum(dim=1)
