"""Points in time as whole nanoseconds since 1970 UTC, the resolution of Alpaca's time stamps."""

from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import NewType
from zoneinfo import ZoneInfo

Instant = NewType("Instant", int)

NEW_YORK = ZoneInfo("America/New_York")
SECOND = 1_000_000_000
MILLISECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_datetime(moment: datetime) -> Instant:
    """The instant of an aware datetime, exact to its microsecond."""
    since = moment - _EPOCH
    return Instant((since.days * 86_400 + since.seconds) * SECOND + since.microseconds * 1_000)


def to_datetime(at: Instant) -> datetime:
    """The aware UTC datetime of an instant; digits below the microsecond are dropped."""
    return datetime.fromtimestamp(at // SECOND, UTC).replace(microsecond=at % SECOND // 1_000)


def parse(text: str) -> Instant:
    """The instant an ISO 8601 text names; a date is its midnight UTC, no offset means UTC, as Alpaca reads both.

    Raises:
        ValueError: the text is no ISO 8601 date or time.
    """
    moment = datetime.fromisoformat(_without_nanoseconds(text))
    return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def in_new_york(day: date, wall: time) -> Instant:
    """The instant at which New York's clocks show `wall` on `day`."""
    return from_datetime(datetime.combine(day, wall, NEW_YORK))


def new_york_date(at: Instant) -> date:
    """The calendar day in New York."""
    return to_datetime(at).astimezone(NEW_YORK).date()


def rfc3339(at: Instant) -> str:
    """UTC text with up to nine fraction digits, trailing zeros dropped, as Alpaca writes it."""
    seconds, fraction = divmod(at, SECOND)
    return _second_text(seconds) + _fraction_text(fraction) + "Z"


def rfc3339_new_york(at: Instant) -> str:
    """The same with New York's offset, as the market clock writes it."""
    seconds, fraction = divmod(at, SECOND)
    local = datetime.fromtimestamp(seconds, NEW_YORK).isoformat()
    return local[:19] + _fraction_text(fraction) + local[19:]


@lru_cache(maxsize=4_096)
def _second_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _fraction_text(fraction: int) -> str:
    return f".{fraction:09d}".rstrip("0") if fraction else ""


def _without_nanoseconds(text: str) -> str:
    """Python reads six fraction digits at most."""
    head, dot, tail = text.partition(".")
    if not dot:
        return text
    digits = len(tail) - len(tail.lstrip("0123456789"))
    return f"{head}.{tail[: min(digits, 6)]}{tail[digits:]}"
