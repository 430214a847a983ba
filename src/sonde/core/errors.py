"""The one exception for a user's mistake, and the nearest-name hint it often carries."""

from collections.abc import Iterable
from difflib import get_close_matches


class SondeError(Exception):
    """A mistake that the user can mend: what is wrong, what was given, how to mend it."""

    def __init__(self, what: str, *, fix: str = "") -> None:
        super().__init__(f"{what} {fix}".strip())
        self.what = what
        self.fix = fix


def nearest(given: str, options: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the option closest to what was given, or ``""``."""
    close = get_close_matches(given, list(options), n=1, cutoff=0.6)
    return f" Did you mean {str(close[0])!r}?" if close else ""
