"""Energy, where the hardware counts it: NVML for GPUs, RAPL for CPU packages.

Both count everything that the device does, other programs' work too. Many machines let only their
administrator read RAPL, and virtual machines rarely show it: there is no number then, not a 0.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

POWERCAP = Path("/sys/class/powercap")
MICRO, MILLI = 1e-6, 1e-3


class Counter(Protocol):
    """A counter of energy that only grows, but for where it starts again at 0."""

    @property
    def of(self) -> str:
        """What it counts the energy of: ``GPU`` or ``CPU``."""
        ...

    @property
    def wraps_at(self) -> float | None:
        """Joules at which it starts again, None if it does not."""
        ...

    def read(self) -> float | None:
        """Return the joules counted so far; None if it cannot be read now."""
        ...


class Rapl:
    """The energy counter of one CPU package, a folder of ``/sys/class/powercap``."""

    of: str = "CPU"

    def __init__(self, zone: Path) -> None:
        self._file = zone / "energy_uj"
        self.wraps_at: float | None = _number(zone / "max_energy_range_uj", MICRO)

    def read(self) -> float | None:
        """Return the joules since the counter last started."""
        return _number(self._file, MICRO)


class Nvml:
    """The energy counter of one GPU since its driver was loaded."""

    of: str = "GPU"
    wraps_at: float | None = None

    def __init__(self, library: Any, handle: Any) -> None:
        self._library = library
        self._handle = handle

    def read(self) -> float | None:
        """Return the joules since the driver was loaded; None on a GPU that does not count."""
        try:
            return MILLI * self._library.nvmlDeviceGetTotalEnergyConsumption(self._handle)
        except self._library.NVMLError:
            return None


@dataclass(slots=True)
class _Running:
    """A counter, its last reading, and what it has counted since the first one."""

    counter: Counter
    last: float
    joules: float = 0.0

    def advance(self) -> bool:
        """Read the counter again; False if that gives nothing to go on with."""
        now, wraps_at = self.counter.read(), self.counter.wraps_at
        if now is None or (now < self.last and wraps_at is None):
            return False
        self.joules += now - self.last
        if now < self.last and wraps_at is not None:
            self.joules += wraps_at
        self.last = now
        return True


class Meter:
    """Adds up what some counters count between its making and ``joules``.

    A counter that starts again needs ``sample`` more often than that (RAPL's do so after 20
    minutes or more). One that cannot be read any more is as if it had never been.
    """

    def __init__(self, counters: Iterable[Counter]) -> None:
        found = [(counter, counter.read()) for counter in counters]
        self._running = [_Running(counter, last) for counter, last in found if last is not None]

    @property
    def of(self) -> str:
        """What the energy is of, in words; empty where nothing counts."""
        return " and ".join(sorted({one.counter.of for one in self._running}, reverse=True))

    def sample(self) -> None:
        """Read every counter."""
        self._running = [one for one in self._running if one.advance()]

    @property
    def joules(self) -> float | None:
        """The energy since the making of this meter; None where nothing counts."""
        self.sample()
        return sum(one.joules for one in self._running) if self._running else None


def counters(root: Path = POWERCAP) -> tuple[Counter, ...]:
    """Return the counters that can be read here: the GPUs this process sees, and CPU packages."""
    packages = (
        Rapl(zone)
        for zone in sorted(root.glob("*-rapl:*"))
        if zone.name.count(":") == 1 and _text(zone / "name").startswith("package")
    )
    found: list[Counter] = [*_gpus(), *packages]
    return tuple(counter for counter in found if counter.read() is not None)


def _gpus() -> list[Nvml]:
    """Return the GPUs' counters. They are asked for by their ids: NVML numbers all GPUs."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    try:
        import pynvml  # pyright: ignore
    except ImportError:
        return []
    library: Any = pynvml
    try:
        library.nvmlInit()
        ids = [
            f"GPU-{torch.cuda.get_device_properties(index).uuid}"
            for index in range(torch.cuda.device_count())
        ]
        return [Nvml(library, library.nvmlDeviceGetHandleByUUID(one)) for one in ids]
    except (library.NVMLError, AttributeError):  # parts of GPUs (MIG), and torch without ids
        return []


def _number(path: Path, unit: float) -> float | None:
    try:
        return unit * int(path.read_text())
    except (OSError, ValueError):
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
