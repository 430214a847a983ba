"""How dictionaries are trained: the recipe that all of one run share."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from sonde.core.base import Config
from sonde.dictionaries.sparsity import NotNegative, Positive

Count: TypeAlias = Annotated[int, Field(ge=1)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Past: TypeAlias = Annotated[float, Field(ge=0, lt=1)]  # the weight of the past in a moving average


class Adam(Config):
    """Adam (Kingma and Ba 2015); ``eight_bit`` keeps its moments in 8 bits (Dettmers et al. 2022).

    Eight bits need the extra ``quantised`` and a GPU.
    """

    kind: Literal["adam"] = "adam"
    betas: tuple[Past, Past] = (0.9, 0.999)
    eps: Positive = 1e-8
    eight_bit: bool = False


class Muon(Config):
    """Muon for encoders and decoders (Jordan et al. 2024), Adam for all else.

    An update is the momentum of the gradient made orthogonal, scaled to the root mean square that
    Adam's has (Liu et al. 2025), so that one learning rate serves both.
    """

    kind: Literal["muon"] = "muon"
    momentum: Past = 0.95
    betas: tuple[Past, Past] = (0.9, 0.999)


Optimiser: TypeAlias = Annotated[Adam | Muon, Field(discriminator="kind")]


class AuxK(Config):
    """Dead latents learn what the others leave over (Gao et al. 2024).

    Of the dead latents the ``k`` highest of each row (None: half the width of what is read)
    reconstruct the error of the rest; what they leave of it, beside the variance of the targets and
    times ``weight``, is added to the loss.
    """

    k: Count | None = None
    weight: NotNegative = 1.0


class Resampling(Config):
    """Dead latents begin again at inputs that are reconstructed badly (Bricken et al. 2023).

    Every ``every`` steps, up to ``until``: each dead latent takes a row drawn with a probability
    that grows with its squared error: the direction of the error there as its decoder row and that
    of the row, times ``share`` of the mean norm of living encoder rows, as its encoder row.
    """

    every: Count = 2_500
    until: Count = 10_000
    share: Positive = 0.2


class Training(Config):
    """One recipe: the optimiser, its schedules, how latents are kept alive, where biases start.

    Rows are scaled so that their mean norm is the square root of their width; the scales are
    folded into the weights of what is saved. The learning rate rises linearly over ``warmup``
    steps from 0, stays, and falls over the last ``decay_steps`` (None: all that are left) to
    ``lr_end`` times itself. ``k_start`` falls to the sparsity's own k over ``k_steps``; an L1 or L0
    weight rises from 0 over ``penalty_warmup``.

    ``decoder_norm``: ``unit`` keeps decoder rows at length 1 and takes the part of their gradient
    along them out; ``free`` does not; ``auto`` is ``unit`` unless norms are counted, by the L1
    penalty of ReLU or in choosing latents (``by_norm``). ``bias`` is where decoder biases start.

    ``clip`` bounds the norm of all gradients together, of the summed squared error of scaled rows,
    as other libraries count it: 1 then acts at nearly every step, all steps count alike, and the
    FVU ends some per cent lower. ``precision``: ``bfloat16`` computes products in bfloat16;
    weights, thresholds, losses and statistics stay in float32. A latent is dead that was active in
    none of the last ``dead_after`` rows (None: a tenth of all rows, 10 million at most).

    ``compile`` puts the loss and its gradients through ``torch.compile``: for ReLU, JumpReLU and
    gated latents, whose many steps over dense activations it fuses.
    """

    lr: Positive = 3e-4
    optimiser: Optimiser = Adam()
    warmup: Annotated[int, Field(ge=0)] = 0
    decay: Literal["none", "linear", "cosine"] = "linear"
    decay_steps: Count | None = None
    lr_end: Share = 0.0
    k_start: Count | None = None
    k_steps: Count = 1_000
    penalty_warmup: Annotated[int, Field(ge=0)] = 0
    clip: Positive | None = 1.0
    decoder_norm: Literal["auto", "unit", "free"] = "auto"
    bias: Literal["geometric_median", "mean", "zero"] = "geometric_median"
    aux: AuxK | None = AuxK()
    resampling: Resampling | None = None
    dead_after: Count | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _fits(self) -> "Training":
        if self.decay_steps is not None and self.decay == "none":
            raise ValueError("`decay_steps` without a decay: write decay: linear, or cosine")
        eight_bit = isinstance(self.optimiser, Adam) and self.optimiser.eight_bit
        if eight_bit and self.resampling is not None:
            raise ValueError(
                "`resampling` forgets moments of single latents, which `eight_bit` cannot"
            )
        return self
