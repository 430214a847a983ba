"""A tracker on a thread of its own, so that a slow or broken network never holds up a run."""

import queue
import threading
from collections.abc import Callable, Mapping

from sonde.experiments.trackers.tracker import RunFacts, Tracker

PATIENCE = 60.0  # seconds that the end of a run waits for a tracker
FAILURES = 3  # in a row, after which a tracker is left alone

Job = Callable[[], None]


class Courier:
    """Hands everything to a tracker in order. What fails is said once, and the run goes on.

    A tracker that cannot begin is left alone. One that fails later is tried again with the next
    numbers, until it has failed three times in a row.
    """

    def __init__(
        self, kind: str, tracker: Tracker, say: Callable[[str], None], patience: float = PATIENCE
    ) -> None:
        self._kind = kind
        self._tracker = tracker
        self._say = say
        self._patience = patience
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._failures = 0
        self._said = False
        self._thread = threading.Thread(target=self._work, name=f"sonde-{kind}", daemon=True)
        self._thread.start()

    def begin(self, facts: RunFacts) -> None:
        """Open a run."""

        def begin() -> None:
            try:
                self._tracker.begin(facts)
            except Exception:
                self._failures = FAILURES  # nothing can be logged into what is not open
                raise

        self._jobs.put(begin)

    def log(self, values: Mapping[str, float], step: int | None) -> None:
        """Hand on some numbers."""
        self._jobs.put(lambda: self._tracker.log(values, step))

    def finish(self, summary: Mapping[str, float], state: str) -> None:
        """Hand on the summary, and wait for the tracker for a while."""
        self._jobs.put(lambda: self._tracker.finish(summary, state))
        self._jobs.put(None)
        self._thread.join(timeout=self._patience)
        if self._thread.is_alive():
            self._say(
                f"{self._kind} has not taken all numbers after {self._patience:.0f} s and is left "
                "behind; the local file has them all."
            )

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._failures >= FAILURES:
                continue
            try:
                job()
                self._failures = 0
            except Exception as error:
                self._failures += 1
                self._say_once(error)

    def _say_once(self, error: Exception) -> None:
        if self._said:
            return
        self._said = True
        lines = str(error).strip().splitlines() or [""]
        self._say(
            f"{self._kind} failed ({type(error).__name__}: {lines[0]}). The run goes on; the local "
            "file has all numbers."
        )
