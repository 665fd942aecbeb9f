"""Minute bars of every symbol: before the exchange started a seeded curve, from then on what was quoted.

The curve is a sum of slow and fast waves whose phases come from the symbol, so that any minute of any year
can be told without walking there, twice the same, and it meets the first quoted price where the exchange
started. Prices are floats here: they are made up, rounded to cents, and nobody pays with them.
"""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b

from sandbox.instant import SECOND, Instant
from sandbox.quotes import Quote
from sandbox.sessions import Session, SessionCalendar

MINUTE = 60 * SECOND
_MINUTES_A_DAY = 390
_MOST_MINUTES_ON_TAPE = 50_000
# Length of each wave in minutes of trading, and its height as a fraction of the price.
_WAVES = ((390 * 180, 0.12), (390 * 23, 0.03), (390 * 3.3, 0.012), (67.0, 0.002), (7.3, 0.0006))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What a length of time traded at; `at` is its beginning."""

    at: Instant
    open: float
    high: float
    low: float
    close: float
    volume: int
    trades: int
    vwap: float


@dataclass(slots=True)
class _Minute:
    at: Instant
    open: float
    high: float
    low: float
    close: float
    trades: int = 1


@dataclass(slots=True)
class _Tape:
    """What has been quoted of one symbol since it was listed."""

    started: Instant
    price: float
    minutes: deque[_Minute] = field(default_factory=lambda: deque(maxlen=_MOST_MINUTES_ON_TAPE))

    def add(self, price: float, at: Instant) -> None:
        minute = Instant(at - at % MINUTE)
        last = self.minutes[-1] if self.minutes else None
        if last is not None and last.at == minute:
            last.high, last.low, last.close = max(last.high, price), min(last.low, price), price
            last.trades += 1
        elif last is None or minute > last.at:
            self.minutes.append(_Minute(minute, price, price, price, price))


class PriceHistory:
    """The bars of every symbol; listens to the exchange's quotes."""

    def __init__(self, calendar: SessionCalendar) -> None:
        self._calendar = calendar
        self._tapes: dict[str, _Tape] = {}

    def hear(self, symbol: str, quote: Quote, old: Quote | None) -> None:
        """Note a quote; the first one of a symbol is where its past leads to."""
        price = float(quote.mark)
        if price <= 0:
            return
        tape = self._tapes.get(symbol)
        if tape is None:
            tape = self._tapes[symbol] = _Tape(started=quote.at, price=price)
        if old is None or quote.mark != old.mark:
            tape.add(price, quote.at)

    def knows(self, symbol: str) -> bool:
        """Whether the symbol has ever had a price."""
        return symbol in self._tapes

    def minutes(self, symbol: str, session: Session, until: Instant) -> Iterator[Bar]:
        """The minute bars of a regular session that have begun by `until`, in order."""
        tape = self._tapes[symbol]
        recorded = {minute.at: minute for minute in tape.minutes if session.open <= minute.at < session.close}
        price: float | None = None
        count = (session.close - session.open) // MINUTE
        past: tuple[Bar, ...] = ()
        if session.open < tape.started:
            past = _curve(
                symbol,
                tape.price,
                self._position(tape.started),
                self._position(session.open),
                count,
                session.open,
            )
        for index in range(count):
            at = Instant(session.open + index * MINUTE)
            if at > until:
                return
            if at + MINUTE <= tape.started:
                yield past[index]
                continue
            minute = recorded.get(at)
            if minute is not None:
                price = minute.close
                yield _bar(at, minute.open, minute.high, minute.low, minute.close, minute.trades)
                continue
            price = _price_before(tape, at) if price is None else price
            yield _bar(at, price, price, price, price, 1)

    def _position(self, at: Instant) -> float:
        """How many minutes of trading lie between the calendar's first session and a moment."""
        index = self._calendar.index_at(at)
        session = self._calendar.at_index(index)
        within = min(max((at - session.open) / MINUTE, 0.0), float(_MINUTES_A_DAY))
        return index * _MINUTES_A_DAY + within


def _price_before(tape: _Tape, at: Instant) -> float:
    index = bisect_right(tape.minutes, at, key=lambda minute: minute.at)
    return tape.minutes[index - 1].close if index else tape.price


@lru_cache(maxsize=1_024)
def _curve(
    symbol: str, anchor: float, anchored: float, begins: float, count: int, opens: Instant
) -> tuple[Bar, ...]:
    """The made-up minute bars of one session."""
    phases = _phases(symbol)
    base = anchor / math.exp(_wave(anchored, phases))
    prices = [base * math.exp(_wave(begins + index, phases)) for index in range(count + 1)]
    bars = []
    for index in range(count):
        first, last = prices[index], prices[index + 1]
        reach = 0.0004 * (1 + math.sin(7.1 * index + phases[0]))
        high, low = max(first, last) * (1 + reach), min(first, last) * (1 - reach)
        bars.append(_bar(Instant(opens + index * MINUTE), first, high, low, last, 40 + (index * 37) % 60))
    return tuple(bars)


def _wave(position: float, phases: tuple[float, ...]) -> float:
    return sum(
        height * math.sin(math.tau * position / length + phase)
        for (length, height), phase in zip(_WAVES, phases, strict=True)
    )


@lru_cache(maxsize=4_096)
def _phases(symbol: str) -> tuple[float, ...]:
    digest = blake2b(symbol.encode(), digest_size=2 * len(_WAVES)).digest()
    return tuple(
        int.from_bytes(digest[2 * index : 2 * index + 2]) / 65_536 * math.tau for index in range(len(_WAVES))
    )


def _bar(at: Instant, first: float, high: float, low: float, last: float, trades: int) -> Bar:
    values = [max(round(value, 2), 0.01) for value in (first, high, low, last)]
    return Bar(
        at=at,
        open=values[0],
        high=values[1],
        low=values[2],
        close=values[3],
        volume=trades * 100,
        trades=trades,
        vwap=round(sum(values) / 4, 6),
    )


def merged(bars: list[Bar], at: Instant) -> Bar:
    """One bar for a length of time out of the bars within it."""
    volume = sum(bar.volume for bar in bars)
    return Bar(
        at=at,
        open=bars[0].open,
        high=max(bar.high for bar in bars),
        low=min(bar.low for bar in bars),
        close=bars[-1].close,
        volume=volume,
        trades=sum(bar.trades for bar in bars),
        vwap=round(sum(bar.vwap * bar.volume for bar in bars) / max(volume, 1), 6),
    )
