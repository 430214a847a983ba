"""Whether a probe's chances mean what they say, and the temperature that mends them."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from sonde.core.errors import SondeError
from sonde.core.words import true_minus
from sonde.probes.scored import Scored
from sonde.stats.bootstrap import Bootstrap
from sonde.stats.effects import interval_of
from sonde.stats.interval import Interval
from sonde.stats.proportion import is_binary
from sonde.stats.scores import Scores

STEPS = 100
HALVINGS = 60

Logits = Float[np.ndarray, " row"]
Truth = Float[np.ndarray, " row"]


@dataclass(frozen=True, slots=True)
class Scaling:
    """Logits made honest: ``slope f + bias``. The temperature is ``1 / slope``."""

    slope: float = 1.0
    bias: float = 0.0

    @property
    def temperature(self) -> float:
        """What the logits are divided by; infinite where they say nothing."""
        return float("inf") if self.slope == 0 else 1 / self.slope

    def __call__(self, logits: Logits) -> Logits:
        """Scale logits."""
        return self.slope * logits + self.bias


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows whose chance lies from ``low`` to ``high``.

    ``predicted`` is their mean chance, ``observed`` the share of the positive class among them,
    with its score interval over units.
    """

    low: float
    high: float
    predicted: float
    observed: Interval
    n: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """What the chances of some rows are worth.

    ``error`` is the expected calibration error, ``sum n_bin / n |observed - predicted|``, in [0, 1]
    and 0 at best; ``by_luck`` is what it would be on average if every chance were true, as bins
    have few rows. ``brier`` is the mean of ``(chance - truth)^2``, ``loss`` the mean of ``-log``
    of the chance of the true class, in nats.
    """

    bins: tuple[Bin, ...]
    error: float
    by_luck: float
    brier: Interval
    loss: Interval


@dataclass(frozen=True, slots=True)
class Calibration:
    """Reliability of a probe's own logits, of logits with a temperature, and of Platt's.

    ``temperature`` and ``platt`` are fitted on all out-of-fold logits, for the logits of new rows.
    ``with_temperature`` and ``with_platt`` are out of fold again: a row's scaling was fitted on the
    out-of-fold logits of the other folds.
    """

    own: Reliability
    with_temperature: Reliability
    with_platt: Reliability
    temperature: Scaling
    platt: Scaling

    def __str__(self) -> str:
        rows = {
            "as they are": self.own,
            f"temperature {self.temperature.temperature:.3f}": self.with_temperature,
            true_minus(f"slope {self.platt.slope:.3f}, bias {self.platt.bias:.3f}"): (
                self.with_platt
            ),
        }
        n = sum(one.n for one in self.own.bins)
        width = max(map(len, rows))
        lines = [f"Probabilities of {n:,} rows, out of fold, in {len(self.own.bins)} bins:"]
        lines += [
            f"  {name:<{width}}  calibration error {one.error:.3f} ({one.by_luck:.3f} by luck), "
            f"Brier {one.brier}, log-loss {one.loss}"
            for name, one in rows.items()
        ]
        return "\n".join(lines)


def calibration(
    scored: Scored, *, bins: int = 10, bootstrap: Bootstrap | None = None
) -> Calibration:
    """Judge the out-of-fold logits of a two-class probe, and scale them.

    Takes ``results.selection.scored`` or a layer's ``scored``. Guo et al. 2017 (temperature), Platt
    1999 (slope and bias).

    Raises:
        SondeError: the truths are not two classes, or a logit is missing or infinite.
    """
    logits, truth = _checked(scored)
    how = bootstrap or Bootstrap()
    by_temperature, by_platt = np.empty_like(logits), np.empty_like(logits)
    for fold in np.unique(scored.fold):
        here = scored.fold == fold
        rest = ~here if (~here).any() else here  # a single fold has nothing else to go by
        for out, biased in ((by_temperature, False), (by_platt, True)):
            out[here] = fit_scaling(logits[rest], truth[rest], biased=biased)(logits[here])
    return Calibration(
        own=reliability(scored, logits, bins, how),
        with_temperature=reliability(scored, by_temperature, bins, how),
        with_platt=reliability(scored, by_platt, bins, how),
        temperature=fit_scaling(logits, truth, biased=False),
        platt=fit_scaling(logits, truth, biased=True),
    )


def reliability(scored: Scored, logits: Logits, bins: int, bootstrap: Bootstrap) -> Reliability:
    """Sort rows by their chance into bins of equal size, and compare with what came true.

    The edges are quantiles, as in scikit-learn's ``calibration_curve(strategy="quantile")``; equal
    chances are never parted, so that there may be fewer bins.
    """
    from scipy.special import expit

    truth = scored.truth
    chance = expit(logits)
    edges = np.percentile(chance, np.linspace(0, 100, bins + 1)).tolist()
    where = np.searchsorted(edges[1:-1], chance)
    found = tuple(
        _bin(scored, chance, where == number, (edges[number], edges[number + 1]))
        for number in np.unique(where)
    )
    n = np.array([one.n for one in found])
    predicted = np.array([one.predicted for one in found])
    observed = np.array([one.observed.value for one in found])
    # The mean distance of a normal variable from its mean is sqrt(2 / pi) standard deviations.
    luck = np.sqrt(2 / np.pi * predicted * (1 - predicted) / n)
    miss = (chance - truth) ** 2
    loss = np.logaddexp(0, np.where(truth > 0.5, -logits, logits))
    return Reliability(
        bins=found,
        error=float(n @ np.abs(observed - predicted) / n.sum()),
        by_luck=float(n @ luck / n.sum()),
        brier=_mean(scored, miss, bootstrap),
        loss=_mean(scored, loss, bootstrap),
    )


def fit_scaling(logits: Logits, truth: Truth, *, biased: bool) -> Scaling:
    """Fit the slope, and the bias if asked for, that make the chances likeliest.

    The targets are Platt's: (n1 + 1) / (n1 + 2) for the n1 rows of the class and 1 / (n0 + 2) for
    the n0 others, which keeps the slope finite where the logits part the classes perfectly.
    Without a bias the slope is not below 0: a temperature turns nothing around.
    """
    ones = float(truth.sum())
    target = np.where(truth > 0.5, (ones + 1) / (ones + 2), 1 / (len(truth) - ones + 2))
    unit = float(np.sqrt(np.mean(logits**2))) or 1.0
    inputs = np.stack([logits / unit, np.ones_like(logits)])[: 2 if biased else 1]
    found = _likeliest(inputs, target)
    if not biased:
        return Scaling(max(float(found[0]), 0.0) / unit)
    return Scaling(float(found[0]) / unit, float(found[1]))


def _likeliest(
    inputs: Float[np.ndarray, "coefficient row"], target: Float[np.ndarray, " row"]
) -> Float[np.ndarray, " coefficient"]:
    """Minimise the log-loss of targets between 0 and 1, by Newton's method; it is convex."""
    from scipy.special import expit

    def loss(theta: np.ndarray) -> float:
        f = theta @ inputs
        return float(np.sum(np.logaddexp(0, f) - target * f))

    theta = np.zeros(len(inputs))
    for _ in range(STEPS):
        chance = expit(theta @ inputs)
        slope = inputs @ (chance - target)
        bend = (inputs * (chance * (1 - chance))) @ inputs.T
        # Logits that are all alike leave a direction without curvature; it is then not taken.
        step = -np.linalg.lstsq(bend, slope, rcond=1e-12)[0]
        before, fall = loss(theta), float(-slope @ step)
        length = 1.0
        for _ in range(HALVINGS):
            if loss(theta + length * step) <= before - 1e-4 * length * fall:
                break
            length /= 2
        theta = theta + length * step
        if fall <= 1e-14 * before:
            break
    return theta


def _bin(
    scored: Scored, chance: Float[np.ndarray, " row"], here: np.ndarray, edges: tuple[float, float]
) -> Bin:
    observed = interval_of(Scores("mean", scored.unit[here], scored.truth[here], None))
    mean = float(chance[here].mean())
    return Bin(*edges, mean, observed, int(here.sum()))


def _mean(scored: Scored, values: np.ndarray, bootstrap: Bootstrap) -> Interval:
    """Return the mean loss with its interval, held between 0 and the largest loss of a row.

    Where nearly all losses are 0, a bootstrap-t interval runs below the one, far above the other.
    """
    fitted = bool((scored.fold >= 0).any())
    scores = Scores("mean", scored.unit, values, None, cross_validated=fitted)
    found = interval_of(scores, bootstrap)
    return replace(found, low=max(found.low, 0.0), high=min(found.high, float(values.max())))


def _checked(scored: Scored) -> tuple[Logits, Truth]:
    logits = scored.said
    if not is_binary(scored.truth):
        raise SondeError(
            f"Calibration needs two classes, 0 and 1; the truths are such as "
            f"{', '.join(f'{one:g}' for one in np.unique(scored.truth)[:4])}.",
            fix="Give a probe of two classes.",
        )
    bad = ~np.isfinite(logits)
    if bad.any():
        raise SondeError(
            f"{int(bad.sum())} of {len(logits)} logits are NaN or infinite.",
            fix="Leave those rows out.",
        )
    return logits, scored.truth
