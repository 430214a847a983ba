"""What this process holds of the GPUs, as torch counts it; nothing where torch uses none."""

import sys
from typing import Any


def start_peaks() -> None:
    """Let the largest allocation of every GPU be counted from now on."""
    cuda = _cuda()
    if cuda is not None:
        for index in range(cuda.device_count()):
            cuda.reset_peak_memory_stats(index)


def peaks() -> dict[str, int]:
    """Return the largest allocation in bytes since ``start_peaks``, by GPU that held any."""
    cuda = _cuda()
    if cuda is None:
        return {}
    numbers = range(cuda.device_count())
    found = {f"cuda:{index}": cuda.max_memory_allocated(index) for index in numbers}
    return {device: int(count) for device, count in found.items() if count > 0}


def _cuda() -> Any | None:
    # A process that never imported torch, or never used a GPU, is not made to.
    torch: Any = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None
