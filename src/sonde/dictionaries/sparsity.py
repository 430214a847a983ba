"""How few latents are active: settings of each kind of sparsity."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from sonde.core.base import Config

Positive: TypeAlias = Annotated[float, Field(gt=0)]
NotNegative: TypeAlias = Annotated[float, Field(ge=0)]


class ReLU(Config):
    """Active where the pre-activation is positive; ``l1`` weighs what keeps latents quiet.

    The penalty is l1 times the sum of activations times decoder norms, a mean over rows, so that
    a latent gains nothing from a small activation with a long decoder row (Templeton et al. 2024).
    It is counted in typical norms of the targets, and the loss in their variance, so that one l1
    means the same at every width and scale.
    """

    kind: Literal["relu"] = "relu"
    l1: NotNegative = 0.3


class TopK(Config):
    """The k largest pre-activations of each row (Gao et al. 2024).

    ``relu``: of these, only the positive ones. ``by_norm``: largest when multiplied by the norm of
    the latent's decoder row.
    """

    kind: Literal["topk"] = "topk"
    k: Annotated[int, Field(ge=1)] = 32
    relu: bool = True
    by_norm: bool = False


class BatchTopK(Config):
    """The k times rows largest of a batch while training; then all above one threshold.

    The threshold is the moving average, with weight ``decay`` on the past, of the smallest active
    value of a batch (Bussmann et al. 2024).
    """

    kind: Literal["batch_topk"] = "batch_topk"
    k: Annotated[int, Field(ge=1)] = 32
    by_norm: bool = False
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.99


class JumpReLU(Config):
    """Active above a threshold of the latent's own (Rajamanoharan et al. 2024).

    Gradients of the threshold are those of a kernel of width ``bandwidth``; the penalty is l0 times
    the number of active latents, a mean over rows. Both are in units of training, where the mean
    norm of rows is the square root of their width and pre-activations are about 1.
    """

    kind: Literal["jumprelu"] = "jumprelu"
    threshold: Positive = 0.1
    bandwidth: Positive = 0.1
    l0: NotNegative = 0.003


class Gated(Config):
    """A gate says which latents are active, another scale and bias how much (Rajamanoharan 2024).

    ``l1`` weighs the gate's positive part, as that of ``relu`` does.
    """

    kind: Literal["gated"] = "gated"
    l1: NotNegative = 0.3


Sparsity: TypeAlias = Annotated[
    ReLU | TopK | BatchTopK | JumpReLU | Gated, Field(discriminator="kind")
]
