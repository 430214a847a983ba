"""Tiny random models of every family, for tests and for ``random:<family>``."""

from typing import Any

import torch

from sonde.core.errors import SondeError, nearest
from sonde.models.families import FAMILIES
from sonde.models.model import Model, wrap
from sonde.models.tokenizers import byte_tokenizer


def tiny_config(family: str, **changes: Any) -> Any:
    """Return a transformers configuration of a family: 3 blocks, ``d_model`` 32.

    ``changes`` replace its values, ``vocab_size`` for example.

    Raises:
        SondeError: the family is unknown.
    """
    from transformers import AutoConfig

    if family not in FAMILIES:
        raise SondeError(
            f"{family!r} is not a family.{nearest(family, FAMILIES)}",
            fix=f"Families are {', '.join(FAMILIES)}.",
        )
    entry = FAMILIES[family]
    return AutoConfig.for_model(entry.model_type, **{**entry.tiny, **changes})


def tiny_hf(family: str, *, seed: int = 0, wrapped: bool = False, **changes: Any) -> Any:
    """Return a tiny random transformers model in float32; the global random state is untouched.

    Gains and biases are random as well: freshly made ones are neutral, and a mistake about them
    would not show. ``wrapped`` puts the text model inside one that also sees (gemma3 only).
    """
    from transformers import AutoModelForCausalLM, Gemma3Config, Gemma3ForConditionalGeneration

    config = tiny_config(family, **changes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if wrapped:
            whole = Gemma3Config(text_config=config.to_dict(), vision_config=_TINY_VISION)
            model: Any = Gemma3ForConditionalGeneration(whole)
        else:
            model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 1:
                    parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return model.eval()


def tiny_model(family: str, *, seed: int = 0, wrapped: bool = False, **changes: Any) -> Model:
    """Return a tiny random ``Model`` with a tokenizer of one token a byte. For tests.

    It has no fingerprint, so nothing about it is kept in the cache.
    """
    hf = tiny_hf(family, seed=seed, wrapped=wrapped, **changes)
    tokenizer = byte_tokenizer(hf.config.get_text_config().vocab_size)
    name = f"tiny {family}"
    return wrap(hf, tokenizer, name=name, revision="", fingerprint="")


_TINY_VISION = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 8,
}
