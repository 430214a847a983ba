"""What a latent does to the logits by itself: its decoder row through the model's head."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sonde.core.hooks import HookPoint, Site, parse_hook_point
from sonde.dictionaries.dictionary import Dictionary
from sonde.models.check_reading import final_norm
from sonde.models.model import Model

AT_ONCE = 1 << 25  # logits at a time
ADDED = (Site.ATTN_OUT, Site.MLP_OUT)
RESIDUAL = (Site.RESID_PRE, Site.RESID_MID, Site.RESID_POST)


@dataclass(frozen=True, slots=True, eq=False)
class LogitEffects:
    """Tokens whose logits an activation of 1 raises and lowers most, the strongest first."""

    raised: Int[Tensor, "latent most"]
    raised_by: Float[Tensor, "latent most"]
    lowered: Int[Tensor, "latent most"]
    lowered_by: Float[Tensor, "latent most"]


@torch.no_grad()
def logit_effects(
    dictionary: Dictionary, model: Model, latents: Sequence[int] | Tensor, most: int = 8
) -> LogitEffects | None:
    """Return the direct effect of latents on the logits: what they write, through the head.

    ``effect = U (g * (w - mean(w)))`` less its mean over the vocabulary, which changes no
    probability. w is what the latent writes to the residual stream, g the gain of the final norm
    and U the unembedding; the mean of w is taken off where the norm takes it off (LayerNorm). The
    norm's division is left out: it makes all effects of a token smaller or larger together. What
    later blocks make of w is left out too ("logit lens"; nostalgebraist 2020).

    None where the dictionary writes nothing that reaches the residual stream as it is.
    """
    rows = _written(dictionary, model, torch.as_tensor(latents))
    if rows is None:
        return None
    head: Tensor = model.hf.get_output_embeddings().weight[: len(model.tokenizer)]
    rows = through_norm(
        final_norm(model.decoder, model.blocks), rows.to(head.device).float(), model
    )
    found: list[tuple[Tensor, ...]] = []
    for part in rows.split(max(1, AT_ONCE // len(head))):
        effect = part.to(head.dtype) @ head.T
        effect = effect.float() - effect.float().mean(dim=1, keepdim=True)
        high, low = effect.topk(most, dim=1), effect.topk(most, dim=1, largest=False)
        found.append((high.indices, high.values, low.indices, low.values))
    return LogitEffects(*(torch.cat(column).cpu() for column in zip(*found, strict=True)))


def through_norm(
    norm: nn.Module, rows: Float[Tensor, "row d_model"], model: Model
) -> Float[Tensor, "row d_model"]:
    """Return what a final norm makes of a change to what it reads, apart from its division."""
    if isinstance(norm, nn.LayerNorm) or "LayerNorm" in type(norm).__name__:
        rows = rows - rows.mean(dim=1, keepdim=True)
    weight = getattr(norm, "weight", None)
    if weight is None:
        return rows
    return rows * (weight.float() + 1 - model.family.neutral_gain)


def _written(dictionary: Dictionary, model: Model, latents: Tensor) -> Tensor | None:
    """Return what each latent adds to the residual stream, over all blocks that it writes to.

    Of targets that are the residual stream itself, which has all that was added before, the last.
    """
    architecture = dictionary.architecture
    hooks = [parse_hook_point(one) for one in architecture.outputs]
    residual = [at for at, hook in enumerate(hooks) if hook.site in RESIDUAL]
    added = [at for at, hook in enumerate(hooks) if _is_added(hook, model)]
    taken = set(residual[-1:] or added)
    if not taken:
        return None
    parts: list[Tensor] = []
    for block, reach in zip(dictionary.parts, architecture.reaches, strict=True):
        widths = [architecture.widths_out[one] for one in reach.targets]
        pieces = zip(reach.targets, block.decoder.split(widths, dim=1), strict=True)
        own = [part for target, part in pieces if target in taken]
        parts.append(torch.stack(own).sum(dim=0) if own else block.decoder[:, : widths[0]] * 0)
    return torch.cat(parts)[latents.to(parts[0].device)]


def _is_added(hook: HookPoint, model: Model) -> bool:
    """Whether what is at a hook point is added to the residual stream as it is."""
    plain = hook.site is Site.MLP_MODULE_OUT and model.family.mlp_post_norm is None
    return hook.site in ADDED or plain
