"""The language-model head by itself: from the last block's normed output to logits."""

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.models.model import Model

# Families whose text models cap logits, where their configuration says so. One inside a model that
# also sees is not capped, and has the setting in an inner configuration, which is not looked at.
_CAPPED = frozenset({"gemma2", "gemma3"})


def head_logits(model: Model, hidden: Float[Tensor, "*rows d_model"]) -> Float[Tensor, "*rows v"]:
    """Return the logits of what the decoder returned, as the whole model gives them.

    So a pass may take a few tokens through the head at a time: a vocabulary is large.
    """
    head = model.hf.get_output_embeddings()
    logits = head(hidden.to(head.weight.device))
    softcap = getattr(model.hf.config, "final_logit_softcapping", None)
    if model.family.name not in _CAPPED:
        return logits
    return logits if softcap is None else torch.tanh(logits / softcap) * softcap
