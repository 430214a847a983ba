"""Load a model by name."""

from typing import TYPE_CHECKING, Any

import torch

from sonde.core.errors import SondeError
from sonde.models import embedded
from sonde.models.spec import ModelSpec, as_spec

if TYPE_CHECKING:
    from sonde.models.model import Model


def load(name: str | ModelSpec, **overrides: Any) -> "Model":
    """Load a model.

    Raises:
        SondeError: the model is not known or cannot be had, or does not fit in memory.
    """
    spec = as_spec(name, overrides)
    if spec.name != embedded.NAME:
        raise SondeError(f"{spec.name!r} is not a model that sonde knows.")
    return _embedded(spec)


def _embedded(spec: ModelSpec) -> "Model":
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    from sonde.models.model import wrap

    folder = embedded.embedded_folder()
    hf = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True
    ).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    return wrap(
        hf,
        tokenizer,
        name=spec.name,
        revision=embedded.REVISION,
        fingerprint=embedded.FINGERPRINT,
    )
