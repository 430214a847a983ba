"""Weights packed to 4 or 8 bits by bitsandbytes, an optional extra."""

from importlib.util import find_spec
from typing import Any, Literal

import torch

from sonde.core.errors import SondeError


def quantisation(bits: Literal[4, 8], device: torch.device, dtype: torch.dtype) -> Any:
    """Return the settings with which transformers packs the weights while loading.

    4 bits is NF4 with double quantisation (Dettmers et al. 2023, arXiv 2305.14314), computing in
    ``dtype``; 8 bits is LLM.int8() (arXiv 2208.07339).

    Raises:
        SondeError: bitsandbytes is not installed, or the device is not a CUDA GPU.
    """
    if device.type != "cuda":
        raise SondeError(
            f"quantise={bits} was asked for on {device}, and packed weights need a CUDA GPU.",
            fix="Leave quantise out, or choose a smaller model.",
        )
    if find_spec("bitsandbytes") is None:
        raise SondeError(
            f"quantise={bits} needs bitsandbytes, which is not installed.",
            fix="Install the extra: pip install 'sonde[quantised]'.",
        )
    from transformers import BitsAndBytesConfig

    if bits == 8:
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
