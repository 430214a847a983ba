"""Whether the process that began a run is still there."""

import os
import socket
from collections.abc import Mapping
from typing import Any


def this_process() -> dict[str, Any]:
    """Return what names this process beyond its number, which the system uses again."""
    import psutil

    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": psutil.Process().create_time(),
    }


def is_gone(process: Mapping[str, Any]) -> bool:
    """Whether a process of this machine has ended; one of another machine cannot be looked at."""
    import psutil

    if process.get("host") != socket.gethostname():
        return False
    try:
        found = psutil.Process(int(process["pid"]))
        # A second apart: the start of a process is read from a clock with ticks.
        return abs(found.create_time() - float(process["since"])) > 1.0
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return True
    except psutil.AccessDenied:
        return False
