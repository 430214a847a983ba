"""Hardware: a small table of devices by name, and this machine, described and measured.

The table's figures are the makers' dense 16-bit rates, memory bandwidths, memory sizes and board
powers.
"""

import os
import platform
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sonde.core.errors import SondeError, nearest

GIGA = 10**9
PACKAGES = (
    "sonde", "torch", "transformers", "tokenizers", "safetensors", "numpy", "scikit-learn",
    "scipy", "pyarrow", "pydantic", "sqlalchemy",
)  # fmt: skip

# The share of a maker's rate that a plain forward pass reaches (about half in published
# measurements of prefill); a measured machine's rate needs no such discount.
ATTAINED = 0.5
MEASURED = 0.7  # the share of one large matrix product's rate, which is the best case
WITHOUT_BFLOAT16 = ("v100", "t4")  # so `auto` is float32 there, whose rate is listed


@dataclass(frozen=True, slots=True)
class Hardware:
    """A device: operations a second, bytes a second from memory, bytes of memory.

    ``gpus`` are the GPUs that are paid for together, by their names in the table where they are in
    it; none is a machine without one. ``watts`` is the maker's board power, None where not known.
    """

    name: str
    flops: float
    bandwidth: float
    memory: int
    dtype: str  # what ``dtype: auto`` means there
    gpus: tuple[str, ...] = ()
    watts: float | None = None

    def seconds(self, flops: float, traffic: float) -> float:
        """Return the time of some work by the roofline: the slower of arithmetic and memory."""
        return max(flops / self.flops, traffic / self.bandwidth)


def _device(
    name: str, teraflops: float, gigabytes_a_second: float, gigabytes: int, watts: float
) -> Hardware:
    return Hardware(
        name,
        flops=ATTAINED * teraflops * 1e12,
        bandwidth=gigabytes_a_second * 1e9,
        memory=gigabytes * GIGA,
        dtype="float32" if name in WITHOUT_BFLOAT16 else "bfloat16",
        gpus=(name,),
        watts=watts,
    )


DEVICES: dict[str, Hardware] = {
    device.name: device
    for device in (
        _device("b200", 2250, 8000, 192, 1000),
        _device("h200", 989, 4800, 141, 700),
        _device("h100", 989, 3350, 80, 700),
        _device("a100", 312, 2039, 80, 400),
        _device("a100-40", 312, 1555, 40, 400),
        _device("l40s", 362, 864, 48, 350),
        _device("a10", 125, 600, 24, 150),
        _device("l4", 121, 300, 24, 72),
        _device("v100", 15.7, 900, 32, 300),
        _device("t4", 8.1, 320, 16, 70),
        _device("rtx4090", 165, 1008, 24, 450),
        _device("rtx3090", 71, 936, 24, 350),
    )
}


def named_hardware(name: str | None) -> Hardware:
    """Return a device of the table, or this machine (measured in about a second) for None.

    Raises:
        SondeError: the name is not in the table.
    """
    if name is None:
        return this_machine()
    found = DEVICES.get(name.lower())
    if found is None:
        raise SondeError(
            f"Hardware {name!r} is not known.{nearest(name.lower(), DEVICES)}",
            fix=f"Known are {', '.join(DEVICES)}; leave it out for this machine.",
        )
    return found


def table_name(full: str, memory: int) -> str:
    """Return the name in the table of a GPU that its driver calls ``full``, else ``full`` itself.

    ``memory`` in bytes tells the two sizes of one name apart. A part of a GPU (MIG) and a laptop's
    are other devices than the table's.
    """
    words = re.findall(r"[a-z0-9]+", re.sub(r"\brtx (?=\d)", "rtx", full.lower()))
    if "mig" in words or "laptop" in words:
        return full
    words = ["a10" if word == "a10g" else word for word in words]
    found = next((name for name in DEVICES if name in words), full)
    return "a100-40" if found == "a100" and memory < 60 * GIGA else found


def visible_gpus() -> tuple[str, ...]:
    """Return the GPUs that this process sees, by their names in the table where they are in it."""
    import torch

    cuda: Any = torch.cuda
    found = [cuda.get_device_properties(one) for one in range(cuda.device_count())]
    return tuple(table_name(gpu.name, int(gpu.total_memory)) for gpu in found)


@lru_cache
def this_machine() -> Hardware:
    """Measure this machine: a matrix product and a copy, in the dtype it computes in."""
    import torch

    on_gpu = torch.cuda.is_available()
    device = "cuda" if on_gpu else "cpu"
    native = on_gpu and torch.cuda.is_bf16_supported(including_emulation=False)
    dtype = torch.bfloat16 if native else torch.float32
    size, n_bytes = (8192, 1 << 28) if on_gpu else (1024, 1 << 26)
    product, copy = _measured(size, n_bytes, dtype, device)
    if on_gpu:
        torch.cuda.empty_cache()  # a model is perhaps loaded next
        name = torch.cuda.get_device_name()
        memory = int(torch.cuda.mem_get_info(0)[1])
    else:
        threads = torch.get_num_threads()
        name = f"{_cpu_name()} ({threads} thread{'' if threads == 1 else 's'})"
        memory = _memory()
    gpus = visible_gpus()
    listed = DEVICES.get(gpus[0]) if gpus else None
    return Hardware(
        name,
        flops=MEASURED * 2 * size**3 / product,
        bandwidth=2 * n_bytes / copy,
        memory=memory,
        dtype=str(dtype).removeprefix("torch."),
        gpus=gpus,
        watts=None if listed is None else listed.watts,
    )


def _measured(size: int, n_bytes: int, dtype: Any, device: str) -> tuple[float, float]:
    """Return the seconds of a matrix product and of a copy."""
    import torch

    square = torch.randn(size, size, device=device, dtype=dtype)
    source = torch.ones(n_bytes, device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    on_gpu = device == "cuda"
    product = _shortest(lambda: square @ square, on_gpu)
    return product, _shortest(lambda: target.copy_(source), on_gpu)


def _shortest(work: Callable[[], object], on_gpu: bool) -> float:
    """Return the shortest time of several runs of a piece of work."""
    import torch

    times: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        if on_gpu:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return max(min(times), 1e-6)


def describe_machine() -> dict[str, Any]:
    """Return what a reader of a result wants to know of the machine."""
    import torch

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "system": platform.platform(),
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory": _memory(),
        "gpus": gpus,
        "cuda": torch.version.cuda if gpus else None,
    }


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _memory() -> int:
    import psutil

    return int(psutil.virtual_memory().total)


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
