"""What work was expected to take, and what it took. Nothing unknown is written as 0."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sonde.core.quantities import (
    bytes_in_words,
    dollars_in_words,
    energy_in_words,
    seconds_in_words,
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stage, or a run, took.

    ``device_seconds``: on GPUs the seconds that each was held, added up; on a CPU the process's CPU
    seconds, which ``cpu_seconds`` are everywhere. ``memory`` is the largest resident size in bytes,
    ``device_memory`` the largest allocation on each GPU. ``joules`` is None where no device
    reports its energy, ``dollars`` where a device has no price.
    """

    seconds: float
    device: str  # "cpu", "h100", "2 × h100"
    device_seconds: float
    cpu_seconds: float
    memory: int
    device_memory: Mapping[str, int] = field(default_factory=dict[str, int])
    disk: int = 0
    joules: float | None = None
    energy_of: str = ""  # "GPU", "CPU", "GPU and CPU"
    dollars: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a stage, or a run, was expected to take. None is not known; ``unknown`` says why.

    ``memory`` is the peak on the device that computes: weights and working memory, and on a CPU
    the process itself. ``tokens`` are those that a model reads. ``basis`` says what was counted.
    """

    seconds: float | None = None
    memory: int | None = None
    disk: int | None = None
    joules: float | None = None
    dollars: float | None = None
    tokens: int = 0
    basis: str = ""
    unknown: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


def total_cost(costs: Iterable[Cost], seconds: float) -> Cost | None:
    """Add up the costs of a run's stages; ``seconds`` is the wall time of the whole."""
    parts = list(costs)
    if not parts:
        return None
    held: dict[str, int] = {}
    for part in parts:
        for device, count in part.device_memory.items():
            held[device] = max(count, held.get(device, 0))
    most = max(parts, key=lambda part: (part.device != "cpu", part.device_seconds))
    return Cost(
        seconds=seconds,
        device=most.device,
        device_seconds=sum(part.device_seconds for part in parts if part.device == most.device),
        cpu_seconds=sum(part.cpu_seconds for part in parts),
        memory=max(part.memory for part in parts),
        device_memory=held,
        disk=sum(part.disk for part in parts),
        joules=_sum(part.joules for part in parts),
        energy_of=most.energy_of,
        dollars=_sum(part.dollars for part in parts),
    )


def total_expected(plans: Iterable[Expected]) -> Expected:
    """Add up what stages are expected to take; what is not known of one is not known of all."""
    parts = list(plans)
    peaks = [part.memory for part in parts]
    return Expected(
        seconds=_sum(part.seconds for part in parts),
        memory=None if None in peaks else max((peak for peak in peaks if peak), default=0),
        disk=_whole(_sum(part.disk for part in parts)),
        joules=_sum(part.joules for part in parts),
        dollars=_sum(part.dollars for part in parts),
        tokens=sum(part.tokens for part in parts),
        unknown="; ".join(dict.fromkeys(part.unknown for part in parts if part.unknown)),
    )


def took_in_words(cost: Mapping[str, Any], planned: Mapping[str, Any]) -> str:
    """Return what something took beside what was planned, as one line; both as JSON values.

    ``1 min 2 s (planned 55 s), 1.9 GB of memory at the peak (planned 2.1 GB), 130 MB on disk
    (planned 120 MB), energy not reported``. Money is named where there is any, or where a price is
    missing.
    """
    held: Mapping[str, int] = cost.get("device_memory") or {}
    memory = max(held.values(), default=cost["memory"])
    where = "GPU memory" if held else "memory"
    parts = [
        _beside(seconds_in_words(cost["seconds"]), planned, "seconds", seconds_in_words),
        _beside(
            f"{bytes_in_words(memory)} of {where} at the peak", planned, "memory", bytes_in_words
        ),
        _beside(f"{bytes_in_words(cost['disk'])} on disk", planned, "disk", bytes_in_words),
    ]
    parts.append(_energy(cost, planned))
    dollars = cost.get("dollars")
    if dollars is None:
        parts.append("price not known")
    elif dollars > 0:
        parts.append(_beside(dollars_in_words(dollars), planned, "dollars", dollars_in_words))
    return ", ".join(parts)


def _energy(cost: Mapping[str, Any], planned: Mapping[str, Any]) -> str:
    joules, most = cost.get("joules"), planned.get("joules")
    if joules is None:
        return "energy not reported"
    beside = "" if most is None else f", planned at most {energy_in_words(most)}"
    return f"{energy_in_words(joules)} ({cost['energy_of']}{beside})"


def _beside(text: str, planned: Mapping[str, Any], key: str, words: Any) -> str:
    expected = planned.get(key)  # 0 stands for little, which was not counted
    return f"{text} (planned {words(expected)})" if expected else text


def _sum(values: Iterable[float | None]) -> float | None:
    parts = list(values)
    known = [value for value in parts if value is not None]
    return sum(known) if len(known) == len(parts) else None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
