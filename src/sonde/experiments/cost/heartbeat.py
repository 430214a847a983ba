"""The background thread of a run: it beats in the ledger, and looks at the memory of stages."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

from sonde.experiments.cost.stopwatch import Stopwatch

BEAT_SECONDS = 30.0
SAMPLE_SECONDS = 0.25


class Heartbeat:
    """Calls ``beat`` every half minute until it is stopped, and samples stopwatches meanwhile.

    A daemon: it never keeps a process from ending. A beat that fails, as on a locked database, is
    left out; the next one is tried all the same.
    """

    def __init__(
        self,
        beat: Callable[[], None],
        *,
        beat_seconds: float = BEAT_SECONDS,
        sample_seconds: float = SAMPLE_SECONDS,
    ) -> None:
        self._beat = beat
        self._beat_seconds = beat_seconds
        self._sample_seconds = sample_seconds
        self._stopwatches: tuple[Stopwatch, ...] = ()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sonde-heartbeat", daemon=True)
        self._thread.start()

    @contextmanager
    def sampling(self, stopwatch: Stopwatch) -> Generator[None]:
        """Sample a stopwatch while the block runs."""
        self._stopwatches = (*self._stopwatches, stopwatch)
        try:
            yield
        finally:
            self._stopwatches = tuple(one for one in self._stopwatches if one is not stopwatch)

    def stop(self) -> None:
        """Stop. A beat that hangs in the database is not waited for."""
        self._stopped.set()
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        due = time.monotonic() + self._beat_seconds
        while not self._stopped.wait(self._sample_seconds):
            for stopwatch in self._stopwatches:
                stopwatch.sample()
            if time.monotonic() >= due:
                for stopwatch in self._stopwatches:
                    stopwatch.sample_energy()
                with suppress(Exception):
                    self._beat()
                due = time.monotonic() + self._beat_seconds
