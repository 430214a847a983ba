"""What the self-check measures on: a few prompts, and every site of every block for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.core.errors import SondeError
from sonde.core.hooks import HookPoint, Site
from sonde.core.positions import Pool
from sonde.models.batch import TokenBatch, pad_batch
from sonde.models.forward import forward
from sonde.models.gather import Gather
from sonde.models.model import Model

# Of different lengths, so that a batch of them has padding.
_TEXTS = (
    "The capital of France is Paris, and the capital of Italy is Rome.",
    "Water boils at 100 degrees.",
    'He wrote "12 + 30 = 42" on the board;\nnobody in the room believed a word of it.',
)
_MOST_TOKENS = 32  # a check need not be long to find a wrong convention


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check; ``sites`` are refused if it failed."""

    name: str
    passed: bool
    detail: str
    sites: Sequence[Site] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """A model, prompts as token ids, and ``[token, d_model]`` at every hook point it has.

    Tokens are those of the prompts one after another, without padding.
    """

    model: Model
    prompts: tuple[tuple[int, ...], ...]
    batch: TokenBatch
    tokens: Gather
    at: Mapping[HookPoint, Tensor]

    def __call__(self, layer: int, site: Site) -> Float[Tensor, "token width"]:
        """Return the activations at one hook point, heads laid out one after another."""
        return self.at[HookPoint(layer, site)].flatten(1)

    @property
    def eps(self) -> float:
        """The dtype's relative spacing: the largest relative error of a rounding is half of it."""
        return torch.finfo(self.model.dtype).eps

    @property
    def tolerance(self) -> float:
        """Half of the dtype's digits, as a relative error."""
        return self.eps**0.5


def gather_evidence(model: Model) -> Evidence:
    """Run the prompts once in one padded batch and keep every site of every block.

    Raises:
        SondeError: the tokenizer gives ids that the model has no embedding for.
    """
    prompts = tuple(
        tuple(model.tokenizer(text)["input_ids"][: min(_MOST_TOKENS, model.info.context)])
        for text in _TEXTS
    )
    largest = max(max(prompt) for prompt in prompts)
    if largest >= model.info.d_vocab:
        raise SondeError(
            f"The tokenizer of {model.info.name} gives the id {largest}, and the model embeds ids "
            f"below {model.info.d_vocab}.",
            fix="Load the tokenizer that belongs to the model.",
        )
    batch = pad_batch(prompts, device=model.device)
    tokens = Gather.build(
        [(row, range(len(prompt)), Pool.EACH) for row, prompt in enumerate(prompts)],
        device=model.device,
    )
    hooks = model.hook_points(list(model.family.sites))
    passed = forward(model, batch, capture=hooks, gather=tokens)
    return Evidence(model, prompts, batch, tokens, passed.activations)


def relative_error(
    found: Float[Tensor, "token width"], wanted: Float[Tensor, "token width"]
) -> Float[Tensor, "token"]:
    """Return |found - wanted| / |wanted| of each token, in float32. NaN where either has one."""
    wanted = wanted.float()
    gap = (found.to(wanted.device).float() - wanted).norm(dim=-1)
    return gap / wanted.norm(dim=-1).clamp(min=torch.finfo(torch.float32).tiny)


def sum_error(
    terms: Sequence[Float[Tensor, "token width"]], total: Float[Tensor, "token width"]
) -> float:
    """Return the worst |sum(terms) - total| / sum of the magnitudes, coordinate by coordinate.

    Adding n numbers rounds n - 1 times, each by at most half a spacing of what was summed, so a
    sum that holds stays within (n - 1) eps / 2. Unitless.
    """
    device = total.device
    parts = [term.to(device).float() for term in terms]
    magnitude = torch.stack([part.abs() for part in [*parts, total.float()]]).sum(0)
    gap = (torch.stack(parts).sum(0) - total.float()).abs()
    return worst(gap / magnitude.clamp(min=torch.finfo(torch.float32).tiny))


def worst(errors: Tensor) -> float:
    """Return the largest error; NaN, which fails every comparison, where there is one."""
    return float("nan") if bool(errors.isnan().any()) else float(errors.max())
