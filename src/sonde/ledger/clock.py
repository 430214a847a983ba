"""Times as the ledger keeps them: UTC, ISO 8601, to the millisecond, so that texts sort by time."""

from datetime import UTC, date, datetime, timedelta

from sonde.core.errors import SondeError


def now() -> str:
    """Return this moment."""
    return _text(datetime.now(UTC))


def first_moment(given: str) -> str:
    """Return the moment at which a day, or a time as it is written, begins.

    Raises:
        SondeError: it is neither.
    """
    return _text(_parsed(given))


def moment_after(given: str) -> str:
    """Return the first moment after a day; after a time, the next millisecond.

    Raises:
        SondeError: it is neither.
    """
    length = timedelta(days=1) if _is_day(given) else timedelta(milliseconds=1)
    try:
        return _text(_parsed(given) + length)
    except OverflowError:  # the last day of the calendar
        return _text(datetime.max.replace(tzinfo=UTC))


def age(moment: str) -> timedelta:
    """Return how long ago a recorded moment was."""
    return datetime.now(UTC) - _parsed(moment)


def _parsed(given: str) -> datetime:
    try:
        moment = datetime.fromisoformat(given.strip())
    except ValueError:
        raise SondeError(
            f"{given!r} is not a day or a time.",
            fix="Write 2026-06-21 or 2026-06-21T14:30; times are UTC unless they say otherwise.",
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _is_day(given: str) -> bool:
    try:
        date.fromisoformat(given.strip())
    except ValueError:
        return False
    return True


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
