"""Bars of any length out of minute bars: minutes, hours, days, weeks and months."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from enum import Enum
from itertools import groupby

from sandbox.instant import Instant, in_new_york, new_york_date
from sandbox.price_history import MINUTE, Bar, PriceHistory, merged
from sandbox.sessions import Session, SessionCalendar

_FORM = re.compile(r"(\d{1,2})(Min|T|Hour|H|Day|D|Week|W|Month|M)")
_MIDNIGHT = time(0)


class Unit(Enum):
    """What a bar's length is counted in; the value is the most of them that Alpaca allows."""

    MINUTE = 59
    HOUR = 23
    DAY = 1
    WEEK = 4
    MONTH = 12


_UNITS = {
    "Min": Unit.MINUTE, "T": Unit.MINUTE, "Hour": Unit.HOUR, "H": Unit.HOUR, "Day": Unit.DAY, "D": Unit.DAY,
    "Week": Unit.WEEK, "W": Unit.WEEK, "Month": Unit.MONTH, "M": Unit.MONTH,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeframe:
    """The length of a bar."""

    amount: int
    unit: Unit

    def begins(self, at: Instant) -> Instant:
        """The beginning of the bar that a minute belongs to; days begin at midnight in New York."""
        if self.unit in (Unit.MINUTE, Unit.HOUR):
            length = self.amount * MINUTE * (60 if self.unit is Unit.HOUR else 1)
            return Instant(at - at % length)
        return in_new_york(self._first_day(new_york_date(at)), _MIDNIGHT)

    def _first_day(self, day: date) -> date:
        if self.unit is Unit.WEEK:
            return day - timedelta(days=day.weekday())
        if self.unit is Unit.MONTH:
            return day.replace(month=(day.month - 1) // self.amount * self.amount + 1, day=1)
        return day


def read_timeframe(text: str) -> Timeframe:
    """The timeframe a query names, such as 5Min, 1Hour, 1Day, 1Week or 3Month.

    Raises:
        ValueError: it is none.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"invalid timeframe: {text}")
    amount, unit = int(match[1]), _UNITS[match[2]]
    # A day at most, one week, and months that divide the year, as Alpaca documents.
    months_divide = unit is not Unit.MONTH or (amount > 0 and 12 % amount == 0)
    if not 1 <= amount <= unit.value or (unit is Unit.WEEK and amount != 1) or not months_divide:
        raise ValueError(f"invalid timeframe: {text}")
    return Timeframe(amount=amount, unit=unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class BarSource:
    """Bars of the exchange up to the present."""

    history: PriceHistory
    calendar: SessionCalendar
    now: Instant

    def bars(self, symbol: str, timeframe: Timeframe, start: Instant, end: Instant) -> Iterator[Bar]:
        """The bars that begin within a period, both ends included, oldest first."""
        first_day = new_york_date(timeframe.begins(start))
        sessions = self.calendar.between(first_day, new_york_date(Instant(min(end, self.now))))
        minutes = (bar for session in sessions for bar in self.history.minutes(symbol, session, self.now))
        for begins, group in groupby(minutes, key=lambda bar: timeframe.begins(bar.at)):
            if begins > end:
                return
            if begins >= start:
                yield merged([*group], begins)

    def day(self, symbol: str, session: Session) -> Bar | None:
        """The bar of a trading day as far as it has gone."""
        minutes = [*self.history.minutes(symbol, session, self.now)]
        return merged(minutes, in_new_york(session.day, _MIDNIGHT)) if minutes else None

    def last_minute(self, symbol: str, session: Session) -> Bar | None:
        """The latest minute of a trading day."""
        minutes = [*self.history.minutes(symbol, session, self.now)]
        return minutes[-1] if minutes else None
