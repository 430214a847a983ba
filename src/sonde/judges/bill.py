"""What judging costs, and the most that it may."""

from threading import Lock

from sonde.core.errors import SondeError
from sonde.judges.replies import Reply
from sonde.judges.settings import ServerJudgeSettings

MILLION = 1_000_000


class Bill:
    """What a judge has spent, over all threads and all that it was asked."""

    def __init__(self, settings: ServerJudgeSettings) -> None:
        self._prices = settings.price_in / MILLION, settings.price_out / MILLION
        self._most = settings.most_cost
        self._spent = 0.0
        self._lock = Lock()

    def add(self, reply: Reply) -> float:
        """Add the price of a reply and return it."""
        cost = reply.tokens_in * self._prices[0] + reply.tokens_out * self._prices[1]
        with self._lock:
            self._spent += cost
        return cost

    def check(self) -> None:
        """Refuse to go on where the most is spent.

        Raises:
            SondeError: it is; requests under way at that time are still paid.
        """
        if self._most is not None and self._spent >= self._most:
            raise SondeError(
                f"Judging has cost {self._spent:.4g}, and most_cost is {self._most:g}.",
                fix="Raise most_cost to go on, or run again for as much once more: what is kept "
                "is not asked for twice.",
            )
