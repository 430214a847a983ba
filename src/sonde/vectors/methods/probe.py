"""The direction of a logistic probe."""

import torch
from jaxtyping import Float64
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.probes.logistic_solver import logistic_solver
from sonde.vectors.kernels import combined, standardised
from sonde.vectors.methods.by_probe import by_probe
from sonde.vectors.rows import Rows
from sonde.vectors.settings import VectorSettings

SAYS = "weights on raw activations of a logistic probe of standardised rows"
STEPS = 100
HALVINGS = 30
TOLERANCE = 1e-8  # half the Newton decrement as a share of the objective; the step is still taken
ROUNDING = 1e-12  # of an objective
BISECTIONS = 20


def probe(rows: Rows, settings: VectorSettings) -> Float64[Tensor, "fit layer d_model"]:
    """Return w / scale where w minimises sum log-loss(z w + b) + penalty / 2 |w|^2.

    z are rows standardised by the training rows, b is free: scikit-learn's LogisticRegression with
    C = 1 / penalty behind a StandardScaler, and the weight of ``sonde.probes.logistic``. Its length
    is what moves the log-odds by one for each unit along it.
    """
    if int(rows.train.sum(dim=1).max()) > rows.x.shape[2]:
        return by_probe(rows, logistic_solver, settings.penalty)
    found: list[Tensor] = []
    for fit, train in enumerate(rows.train):
        prepared = standardised(rows, fit)
        dual = logistic_dual(prepared.kernel, rows.y[train], settings.penalty)
        found.append(combined(dual, prepared.z) / prepared.scale)
    return torch.stack(found)


def logistic_dual(
    k: Float64[Tensor, "layer row row"], y: Float64[Tensor, " row"], penalty: float
) -> Float64[Tensor, "layer row"]:
    """Return alpha where w = z'alpha minimises sum log-loss(K alpha + b) + penalty/2 alpha'K alpha.

    Newton's method; each step's equations have the matrix penalty I + W^1/2 K W^1/2 of the
    curvatures W, which is well conditioned however sure the fit is (Rasmussen and Williams 2006,
    section 3.4). They are solved in float32, which costs digits of a step but not of the optimum.
    A step is halved until the objective falls.

    Raises:
        SondeError: it does not converge.
    """
    alpha = along_labels(k, y, penalty)
    low = k.float()
    b = torch.zeros_like(alpha[:, :1])
    f = _times(k, alpha)
    now = _objective(f + b, f, alpha, y, penalty)
    going = torch.arange(len(k))
    for _ in range(STEPS):
        part, rough = (one if len(going) == len(k) else one[going] for one in (k, low))
        step, move, gap = _newton((part, rough), y, penalty, (alpha[going], b[going], f[going]))
        length = torch.ones_like(move)
        for _ in range(HALVINGS):
            trial = alpha[going] + length * step
            shifted, along = b[going] + length * move, _times(part, trial)
            after = _objective(along + shifted, along, trial, y, penalty)
            worse = after > now[going] * (1 + ROUNDING)
            if not bool(worse.any()):
                break
            length = torch.where(worse[:, None], length / 2, length)
        alpha[going], b[going], f[going], now[going] = trial, shifted, along, after
        going = going[gap > TOLERANCE * after]
        if not len(going):
            return alpha
    raise SondeError(
        f"A logistic fit did not converge at penalty {penalty:g}.", fix="Give a larger penalty."
    )


def _times(k: Tensor, weights: Tensor) -> Tensor:
    return (k @ weights[..., None])[..., 0]


def _newton(
    k: tuple[Tensor, Tensor], y: Tensor, penalty: float, at: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return Newton's steps of alpha and b, and half the decrement; ``k`` is also in float32."""
    alpha, b, f = at
    exact, low = k
    chance = torch.sigmoid(f + b)
    curvature = (chance * (1 - chance)).clamp(min=1e-12)
    root = curvature.sqrt().float()
    matrix = root[:, :, None] * low * root[:, None, :]
    matrix.diagonal(dim1=1, dim2=2).add_(penalty)
    factor = torch.linalg.cholesky(matrix)
    # The step of alpha is A r - move A W 1, A = (I - W^1/2 B^-1 W^1/2 K) / penalty, of the residual
    # r = y - p - penalty alpha; that of b keeps the sum of alpha at 0.
    residual = y - chance - penalty * alpha
    right = torch.stack([residual, curvature], dim=-1)
    inner = torch.cholesky_solve(root[..., None] * (low @ right.float()), factor)
    solved = (right - root[..., None] * inner) / penalty
    move = (alpha.sum(1) + solved[..., 0].sum(1)) / solved[..., 1].sum(1)
    step = solved[..., 0] - move[:, None] * solved[..., 1]
    slope = (_times(exact, residual) * step).sum(1) + (y - chance).sum(1) * move
    return step, move[:, None], slope.abs() / 2


def _objective(
    logit: Tensor, f: Tensor, alpha: Tensor, y: Tensor, penalty: float
) -> Float64[Tensor, " layer"]:
    loss = torch.nn.functional.softplus(logit) - y * logit
    return loss.sum(dim=1) + penalty / 2 * (alpha * f).sum(dim=1)


def along_labels(
    k: Float64[Tensor, "layer row row"], y: Float64[Tensor, " row"], penalty: float
) -> Float64[Tensor, "layer row"]:
    """Return a start for the dual weights: a (y - mean(y)), a where that is nearly the optimum.

    At the optimum penalty alpha = y - p. Along the labels the logits of a row's own class are near
    a m, m the mean of what its products add up to, so a solves penalty a = sigmoid(-a m).
    """
    centred = y - y.mean()
    sides = (2 * y - 1) * (k @ centred)
    m = sides.mean(dim=1).clamp(min=0)
    low, high = torch.zeros_like(m), torch.full_like(m, 1 / penalty)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        above = penalty * middle > torch.sigmoid(-middle * m)
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return low[:, None] * centred
