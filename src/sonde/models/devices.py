"""Where a model goes and what it computes in."""

import torch

from sonde.core.errors import SondeError
from sonde.models.spec import ModelSpec


def device_of(spec: ModelSpec) -> torch.device:
    """Return the device that the settings name; see ``device_named``."""
    return device_named(spec.device)


def device_named(name: str) -> torch.device:
    """Return a device; auto is the first GPU, else the CPU.

    Raises:
        SondeError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise SondeError(
            f"device {name!r} is not a device.", fix="Write auto, cpu, cuda or cuda:1."
        ) from None
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if not torch.cuda.is_available() or (device.index or 0) >= count:
            raise SondeError(
                f"device {name!r} is not there: PyTorch {torch.__version__} sees "
                f"{count or 'no'} CUDA GPU{'s' if count > 1 else ''}.",
                fix="Use device='auto' or 'cpu', or install a PyTorch build for your GPU."
                if not count
                else f"GPUs are numbered 0 to {count - 1}.",
            )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise SondeError("device 'mps' is not there.", fix="Use device='auto' or 'cpu'.")
    return device


def dtype_of(spec: ModelSpec, device: torch.device) -> torch.dtype:
    """Return what the model computes in.

    auto is bfloat16 on a CUDA GPU that computes in it natively, else float32: a CPU is slow in
    bfloat16, and float16 overflows on the massive activations of many models.
    """
    if spec.dtype != "auto":
        return getattr(torch, spec.dtype)
    native = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float32
