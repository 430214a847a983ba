"""The language-model head by itself: from the last block's normed output to logits."""

import torch
from jaxtyping import Float
from torch import Tensor

from sonde.models.model import Model


def head_logits(model: Model, hidden: Float[Tensor, "*rows d_model"]) -> Float[Tensor, "*rows v"]:
    """Return the logits of what the decoder returned, as the whole model gives them.

    So a pass may take a few tokens through the head at a time: a vocabulary is large.
    """
    head = model.hf.get_output_embeddings()
    logits = head(hidden.to(head.weight.device))
    softcap = getattr(model.hf.config.get_text_config(), "final_logit_softcapping", None)
    return logits if softcap is None else torch.tanh(logits / softcap) * softcap
