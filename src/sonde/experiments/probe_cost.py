"""What fitting probes costs, counted from the sizes alone."""

from typing import TypeAlias

from sonde.probes.at_once import layers_at_once, scatter_bytes
from sonde.probes.settings import (
    AttentionSettings,
    LdaSettings,
    LogisticSettings,
    MassMeanSettings,
    MlpSettings,
    MultinomialSettings,
    MultiTokenSettings,
    PcaSettings,
    ProbeSettings,
    RidgeSettings,
)

Network: TypeAlias = MlpSettings | AttentionSettings | MultiTokenSettings

# Probes are fitted on the host, whatever the model runs on. Small matrices reach a fraction of the
# speed of large ones: 360 rows of 576 at 30 layers, and 3,000 rows of 4,608 at 6, were measured.
HOST_FLOPS = 2e10
LARGE_FLOPS = 1e11
LARGE = 1000  # rows and coordinates, both
STEPS = 5  # of conjugate gradients, from a factor in single precision
FACTORS = 1 << 29  # bytes of factors that are held at once
NEWTON_PRODUCTS = 60  # products with the Hessian that a logistic fit takes
EIGEN = 20  # operations of an eigendecomposition, as a multiple of its size cubed
LANCZOS = 200  # products that find a principal axis
BEST_EPOCH = 30  # at which networks stop on average, 23 to 37 in problems with and without signal
APART = 0.75  # of the training rows, on which they are trained to find that epoch
THIN = 2  # products with few columns reach a fraction of the speed of others

# Bytes of the files of a sweep, measured at 60 and 600 rows of 32 and 576 at 3 and 4 layers.
ARTIFACT_HEADER = 2400  # of a probe's file besides its tensors
SCORE, CONTROL_SCORE = 8, 4  # of a row's prediction: controls are kept in single precision
ROW = 13  # of a row's example, unit, fold and label, which compress well from series to series
SUMMARY, LAYER_SUMMARY = 8000, 5000  # of the results in JSON and the table's footer; more a layer


def host_flops(rows: int, width: int) -> float:
    """Return the operations a second of the host on matrices of this size."""
    return LARGE_FLOPS if min(rows, width) >= LARGE else HOST_FLOPS


def sweep_flops(rows: int, width: int, method: ProbeSettings) -> float:
    """Return the operations of all fits of a layer: K (K + 1) / 2 splits, nested ones included.

    The training rows of a split are (K - 1) / (K + 1) of all on average. The scatters of folds are
    formed once, n d^2 operations.
    """
    splits = method.folds * (method.folds + 1) // 2
    training = round(rows * (method.folds - 1) / (method.folds + 1))
    once = 0.0
    closed = isinstance(method, RidgeSettings | MassMeanSettings | LdaSettings | PcaSettings)
    if closed and rows > width:
        once = float(rows * width**2)
    return once + splits * fit_flops(training, width, method)


def fit_flops(rows: int, width: int, method: ProbeSettings) -> float:
    """Return the operations of all fits of one split of one layer.

    Targets are the labels and their shuffles, columns targets times penalties. With ``n`` rows,
    width ``d`` and ``m = min(n, d)``: a mean difference takes 4 n d a target. Ridge takes half a
    kernel, n^2 d, where rows are fewer (scatters of folds are counted elsewhere), a factor of
    m^3 / 3 a penalty, and 4 m d a column and step; mass mean and LDA the same with a penalty for
    each target; a principal axis 2 m^2 a product. Logistic regression takes the kernel, its
    eigendecomposition, and 4 n m a column for each product with the Hessian; a network 6 n d a
    hidden unit, column and epoch, until it stops and again as long on all training rows.
    """
    small = min(rows, width)
    targets = 1 + method.shuffles
    columns = targets * len(method.penalties)
    reading = 4.0 * rows * width * (targets + method.directions)
    match method:
        case RidgeSettings():
            return reading + _factored(rows, width, len(method.penalties), columns)
        case MassMeanSettings() | LdaSettings():
            return reading + _factored(rows, width, targets, targets**2)
        case PcaSettings():
            axes = targets if method.centring == "class" else 1
            return reading + _kernel(rows, width) + LANCZOS * 2.0 * small**2 * axes
        case LogisticSettings() | MultinomialSettings():
            newton = NEWTON_PRODUCTS * 4.0 * rows * small * columns
            return reading + 2.0 * rows * width * small + EIGEN * small**3 + newton
        case MlpSettings() | AttentionSettings() | MultiTokenSettings():
            return reading + 6.0 * rows * width * _units(method) * columns * _epochs(method)
        case _:
            return reading


def _units(method: Network) -> int:
    return method.width if isinstance(method, MlpSettings) else THIN * _vectors(method)


def _vectors(method: ProbeSettings) -> int:
    """Return how many vectors of the model's width a probe of one output holds."""
    if isinstance(method, MlpSettings):
        return method.width
    return 2 * method.heads if isinstance(method, AttentionSettings) else 1


def _epochs(method: Network) -> float:
    """Return the epochs of both trainings, as epochs on all training rows."""
    best = min(BEST_EPOCH, method.epochs)
    return best + APART * min(best + method.patience, method.epochs)


def _kernel(rows: int, width: int) -> float:
    return float(rows**2 * width) if rows <= width else 0.0


def _factored(rows: int, width: int, factors: int, columns: int) -> float:
    small = min(rows, width)
    steps = STEPS * 4.0 * small * width * columns if small >= LARGE else 2.0 * small**2 * columns
    return _kernel(rows, width) + factors * small**3 / 3 + steps


def fit_memory(rows: int, width: int, layers: int, method: ProbeSettings) -> int:
    """Return the bytes that fitting ``layers`` layers takes at its peak.

    The layers of a turn are held with a copy that is centred, and their folds' scatters; of one
    layer at a time there are the training rows, its matrix in both precisions, and factors.
    """
    at_once = min(layers, layers_at_once(rows, width, method.folds))
    small = min(rows, width)
    factors = min(max(FACTORS, 4 * small**2), 4 * small**2 * len(method.penalties))
    one = rows * width * 8
    turn = at_once * (2 * one + scatter_bytes(rows, width, method.folds))
    said = at_once * rows * len(method.penalties) * (1 + method.shuffles) * 8 * (1 + method.folds)
    return turn + one + 3 * 8 * small**2 + factors + said


def files_bytes(rows: int, width: int, layers: int, method: ProbeSettings) -> int:
    """Return the bytes of what a sweep writes: a probe a layer, every row's scores, the summaries.

    A probe holds its vectors with the mean and the scale that they were fitted with, in double
    precision. Scores are of each layer and of the choice among them, and of two baselines.
    """
    probes = layers * (8 * width * (_vectors(method) + 2) + ARTIFACT_HEADER)
    own = layers + 1 + 2 * method.baseline
    controls = (layers + 1) * (method.shuffles + method.directions)
    scores = rows * (ROW + SCORE * own + CONTROL_SCORE * controls)
    return probes + scores + SUMMARY + LAYER_SUMMARY * layers
