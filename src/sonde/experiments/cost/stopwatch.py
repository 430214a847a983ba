"""The stopwatch of a stage: wall time, device time, peak memory, energy and money."""

import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from sonde.experiments.cost import gpu
from sonde.experiments.cost.cost import Cost
from sonde.experiments.cost.energy import Counter, Meter

try:
    import resource
except ImportError:  # Windows has none; samples are all there is
    resource = None


@dataclass(frozen=True, slots=True)
class Machine:
    """What the cost of a stage depends on besides the stage."""

    gpus: tuple[str, ...] = ()  # by their names in the table of hardware
    hourly: float | None = None  # US dollars; None where a GPU has no price
    counters: Sequence[Counter] = ()


class Stopwatch:
    """Measures from its making to ``read``. A background thread calls ``sample`` in between.

    Memory is the resident size of this process. The system's own mark of the largest size is used
    where the stage pushed it up; a stage below an earlier one's peak has the largest sample.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._process = psutil.Process()
        self._lock = threading.Lock()
        self._mark = _largest_ever()
        self._peak = self._resident()
        self._meter = Meter(machine.counters)
        gpu.start_peaks()
        self._cpu = time.process_time()
        self._began = time.perf_counter()

    def sample(self) -> None:
        """Look at the memory."""
        with self._lock:
            self._peak = max(self._peak, self._resident())

    def sample_energy(self) -> None:
        """Look at the energy counters, before they start again."""
        with self._lock:
            self._meter.sample()

    def read(self, folder: Path | None = None) -> Cost:
        """Return the cost so far; ``folder`` is where the stage's files lie."""
        seconds = time.perf_counter() - self._began
        cpu = time.process_time() - self._cpu
        self.sample()
        mark = _largest_ever()
        held = gpu.peaks()
        with self._lock:
            joules, of = self._meter.joules, self._meter.of
            peak = max(self._peak, mark if mark > self._mark else 0)
        hourly = self._machine.hourly
        return Cost(
            seconds=seconds,
            device=_named(self._machine.gpus, held),
            device_seconds=seconds * len(held) if held else cpu,
            cpu_seconds=cpu,
            memory=peak,
            device_memory=held,
            disk=0 if folder is None else size_of(folder),
            joules=joules,
            energy_of=of if joules is not None else "",
            dollars=None if hourly is None else hourly * seconds / 3600,
        )

    def _resident(self) -> int:
        return int(self._process.memory_info().rss)


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _named(gpus: Sequence[str], held: dict[str, int]) -> str:
    """Return ``cpu``, ``h100`` or ``2 × h100``, for the GPUs that were held."""
    numbers = [int(device.partition(":")[2]) for device in held]
    names = [gpus[number] if number < len(gpus) else "GPU" for number in numbers]
    if not names:
        return "cpu"
    counts = {name: names.count(name) for name in names}
    return " + ".join(name if count == 1 else f"{count} × {name}" for name, count in counts.items())


def _largest_ever() -> int:
    """Return the system's mark of this process's largest resident size in bytes; 0 without one."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    if resource is None:
        return 0
    mark = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return mark if sys.platform == "darwin" else mark * 1024
