"""Whether the process that began a run is still there."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sonde.ledger.clock import age

SILENT = timedelta(minutes=10)  # a process of another machine that said nothing for so long is gone


def this_process() -> dict[str, Any]:
    """Return what names this process beyond its number, which the system uses again."""
    import psutil

    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": psutil.Process().create_time(),
    }


def is_gone(process: Mapping[str, Any], last_sign: str) -> bool:
    """Whether a process has ended; one of another machine is judged by its last sign of life."""
    import psutil

    if process.get("host") != socket.gethostname():
        return age(last_sign) > SILENT
    try:
        found = psutil.Process(int(process["pid"]))
        # A second apart: the start of a process is read from a clock with ticks.
        return abs(found.create_time() - float(process["since"])) > 1.0
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return True
    except psutil.AccessDenied:
        return False


@dataclass(frozen=True, slots=True)
class Onlooker:
    """Looks at each process once, however many runs it began."""

    _seen: dict[tuple[Any, ...], bool] = field(default_factory=dict[tuple[Any, ...], bool])

    def sees_gone(self, run: Mapping[Any, Any]) -> bool:
        """Whether the process of a run that is recorded as running has ended."""
        process, last_sign = run["process"], run["beat"] or run["started"]
        if process.get("host") != socket.gethostname():
            return is_gone(process, last_sign)
        key = (process.get("pid"), process.get("since"))
        if key not in self._seen:
            self._seen[key] = is_gone(process, last_sign)
        return self._seen[key]
