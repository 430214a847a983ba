"""How many tokens fit into one pass: by device, and by what earlier runs learnt."""

import torch

from sonde.core.errors import SondeError
from sonde.core.files import read_json, write_json
from sonde.core.folders import cache_folder

# On a CPU small batches win, because their activations stay in the cache: 2,048 tokens a pass were
# faster than 8,192 on every model measured (docs/benchmarks.md).
CPU_TOKENS = 2048
GPU_TOKENS = (2048, 65536)
# A pass may take this share of the memory that is free when the plan is made.
GPU_SHARE = 0.5


def default_budget(device: torch.device, per_token: int) -> int:
    """Return a token budget for a device; ``per_token`` is what one token of a pass takes, bytes.

    2,048 on a CPU. On a GPU what half of the free memory holds, within 2,048 and 65,536, as a power
    of two: plans of one model then rarely differ.
    """
    if device.type != "cuda":
        return CPU_TOKENS
    free, _ = torch.cuda.mem_get_info(device)
    held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    tokens = int((free + held) * GPU_SHARE / max(1, per_token))
    low, high = GPU_TOKENS
    return min(high, max(low, 1 << max(0, tokens.bit_length() - 1)))


def device_name(device: torch.device) -> str:
    """Return what tells devices of different memory apart."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _file():
    return cache_folder() / "budgets.json"


def _key(model_fingerprint: str, device: torch.device, n_hooks: int) -> str:
    return f"{model_fingerprint}, {device_name(device)}, {n_hooks} hook points"


def learnt_budget(model_fingerprint: str, device: torch.device, n_hooks: int) -> int | None:
    """Return the budget that earlier runs out of memory taught, or None."""
    if not _file().exists():
        return None
    try:
        found = read_json(_file()).get(_key(model_fingerprint, device, n_hooks))
    except (SondeError, AttributeError):
        return None  # a broken cache file teaches nothing; the next lesson replaces it
    return found if isinstance(found, int) and found > 0 else None


def learn_budget(
    model_fingerprint: str, device: torch.device, n_hooks: int, failed_tokens: int
) -> None:
    """Remember that a pass of ``failed_tokens`` did not fit: the next plan asks for half."""
    try:
        known = read_json(_file()) if _file().exists() else {}
    except SondeError:
        known = {}
    budgets = known if isinstance(known, dict) else {}
    key = _key(model_fingerprint, device, n_hooks)
    budgets[key] = min(max(1, failed_tokens // 2), budgets.get(key, failed_tokens))
    write_json(_file(), budgets)
