"""Which stretch of time a request for bars means; pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.legacy.time_formats import EASTERN

DEFAULT_TIMEFRAME: Final = "1Day"
_TIMEFRAMES: Final = frozenset({"1Min", "5Min", "15Min", "1Hour", DEFAULT_TIMEFRAME})
_DAYS: Final = 30
_INTRADAY_DAYS: Final = 5
_FORM: Final = "%Y-%m-%d"


@dataclass(frozen=True, slots=True, kw_only=True)
class BarsRange:
    """The dates as the answer repeats them."""

    start_date: str
    end_date: str

    @property
    def start(self) -> datetime:
        """The midnight in UTC with which the first day begins; raises ValueError for what is no date."""
        return _midnight(self.start_date)

    @property
    def end(self) -> datetime:
        """The midnight in UTC with which the last day begins: of that day itself nothing is read.

        So it always was, and so a live account without a plan for recent prices gets its bars.
        """
        return _midnight(self.end_date)


def known_timeframe(name: str) -> str:
    """The timeframe that is read for a name; day bars for one that is not known."""
    return name if name in _TIMEFRAMES else DEFAULT_TIMEFRAME


def bars_range(timeframe: str, start_date: str, end_date: str, now: datetime) -> BarsRange:
    """The dates that were given, or without both of them the last days up to today in New York."""
    if start_date and end_date:
        return BarsRange(start_date=start_date, end_date=end_date)
    days = _DAYS if known_timeframe(timeframe) == DEFAULT_TIMEFRAME else _INTRADAY_DAYS
    today = now.astimezone(EASTERN)
    return BarsRange(
        start_date=(today - timedelta(days=days)).strftime(_FORM), end_date=today.strftime(_FORM)
    )


def _midnight(text: str) -> datetime:
    return datetime.strptime(text, _FORM).replace(tzinfo=UTC)
