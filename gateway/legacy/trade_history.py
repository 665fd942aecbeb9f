"""What filled orders earned, first in first out, day by day in New York; pure."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from gateway.legacy.time_formats import EASTERN

WEEK: Final = timedelta(days=7)
NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One order that was filled as a whole."""

    symbol: str
    is_buy: bool
    qty: Decimal
    """Shares or contracts."""
    price: Decimal
    """USD a share or unit."""
    multiplier: Decimal
    """Units of a contract; 1 for a share."""
    filled_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day's fills."""

    day: date
    """In New York."""
    profit: Decimal
    """USD, of what was sold against buys that are known."""
    sold_qty: Decimal
    sold_value: Decimal
    """The sum of quantity times price, without multiplier."""

    @property
    def avg_sold_price(self) -> Decimal:
        """USD a share or unit; 0 where nothing was sold."""
        return self.sold_value / self.sold_qty if self.sold_qty else NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Days with a fill, newest first."""

    days: tuple[Day, ...] = ()

    @property
    def profit(self) -> Decimal:
        """USD, over all days."""
        return sum((day.profit for day in self.days), NOTHING)

    def since(self, first: date) -> "History":
        """Only the days from `first` on."""
        return History(days=tuple(day for day in self.days if day.day >= first))


@dataclass(slots=True)
class _Lot:
    """What is left of one buy."""

    qty: Decimal
    price: Decimal


def trade_history(fills: Iterable[Fill], *, now: datetime, days: int) -> History:
    """What the fills of the last so many times 24 hours earned.

    A sale is set against the oldest buys of its symbol within that time; what it sells beyond
    them was bought before, at a price that is not known here, and earns nothing.
    """
    known = sorted(_within(fills, now=now, days=days), key=lambda fill: fill.filled_at)
    lots: dict[str, deque[_Lot]] = {}
    by_day: dict[date, list[tuple[Fill, Decimal]]] = {}
    for fill in known:
        queue = lots.setdefault(fill.symbol, deque())
        profit = NOTHING
        if fill.is_buy:
            queue.append(_Lot(fill.qty, fill.price))
        else:
            profit = _sell(queue, fill)
        by_day.setdefault(new_york_day(fill.filled_at), []).append((fill, profit))
    return History(days=tuple(_day(day, by_day[day]) for day in sorted(by_day, reverse=True)))


def new_york_day(moment: datetime) -> date:
    """The date in New York at a moment."""
    return moment.astimezone(EASTERN).date()


def _within(fills: Iterable[Fill], *, now: datetime, days: int) -> Iterable[Fill]:
    try:
        first = now - timedelta(days=days)
    except OverflowError:
        # More days than the calendar has before now: everything; after it: nothing.
        return fills if days > 0 else ()
    return (fill for fill in fills if first <= fill.filled_at <= now)


def _sell(lots: deque[_Lot], fill: Fill) -> Decimal:
    """Takes a sale from the oldest lots; answers what it earned."""
    left, profit = fill.qty, NOTHING
    while left and lots:
        lot = lots[0]
        taken = min(left, lot.qty)
        profit += taken * (fill.price - lot.price) * fill.multiplier
        lot.qty -= taken
        left -= taken
        if not lot.qty:
            lots.popleft()
    return profit


def _day(day: date, fills: Sequence[tuple[Fill, Decimal]]) -> Day:
    sold = [fill for fill, _ in fills if not fill.is_buy]
    return Day(
        day=day,
        profit=sum((profit for _, profit in fills), NOTHING),
        sold_qty=sum((fill.qty for fill in sold), NOTHING),
        sold_value=sum((fill.qty * fill.price for fill in sold), NOTHING),
    )
