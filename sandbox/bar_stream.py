"""Tells the stock streams of every minute of the regular session once it is over."""

from collections.abc import Mapping

from sandbox import market_json
from sandbox.bars import BarSource, Timeframe, Unit
from sandbox.exchange import Exchange
from sandbox.instant import SECOND, Instant
from sandbox.price_history import MINUTE, Bar
from sandbox.stream_hub import StampedEvent, StreamHub, StreamKind

_ONE_MINUTE = Timeframe(amount=1, unit=Unit.MINUTE)
# A clock that jumps over weeks would bury its listeners; the last day has the minutes of one session at most.
_REACH = 86_400 * SECOND
_CHANNEL = "bars"


class BarStream:
    """Knows up to which minute bars have been told; `now` is where it starts."""

    def __init__(self, *, exchange: Exchange, hub: StreamHub, now: Instant) -> None:
        self._exchange = exchange
        self._hub = hub
        self._told = _minute_of(now)

    def advance(self, now: Instant) -> None:
        """Tell of the minutes that have ended since the last call, also by a jump; none when time was set back."""
        begin, end = self._told, _minute_of(now)
        self._told = end
        if begin < end and (symbols := self._wanted()):
            for bars in self._ended(symbols, Instant(max(begin, end - _REACH)), end):
                self._hub.publish_batch(StreamKind.STOCKS, _events(bars), channel=_CHANNEL)

    def next_due(self) -> Instant | None:
        """When the minute under way ends, None while nobody wants to know and where time ends."""
        end = Instant(self._told + MINUTE)
        return end if end <= self._exchange.calendar.end and self._wanted() else None

    def _wanted(self) -> list[str]:
        """The stocks with a price whose bars somebody has subscribed to."""
        listeners = [*self._hub.connections(StreamKind.STOCKS, None)]
        if not listeners:
            return []
        return [
            stock.symbol
            for stock in self._exchange.catalogue.stocks()
            if self._exchange.history.knows(stock.symbol)
            and any(each.wants(_CHANNEL, stock.symbol) for each in listeners)
        ]

    def _ended(self, symbols: list[str], begin: Instant, end: Instant) -> list[dict[str, Bar]]:
        """The bars by symbol of each minute from `begin` until before `end`, oldest minute first."""
        source = BarSource(history=self._exchange.history, calendar=self._exchange.calendar, now=end)
        minutes: dict[Instant, dict[str, Bar]] = {}
        for symbol in symbols:
            for bar in source.bars(symbol, _ONE_MINUTE, begin, Instant(end - MINUTE)):
                minutes.setdefault(bar.at, {})[symbol] = bar
        return [minutes[at] for at in sorted(minutes)]


def _events(bars: Mapping[str, Bar]) -> dict[str, StampedEvent]:
    return {
        symbol: StampedEvent(fields={"T": "b", "S": symbol, **market_json.bar_json(bar)}, at=bar.at)
        for symbol, bar in bars.items()
    }


def _minute_of(at: Instant) -> Instant:
    return Instant(at - at % MINUTE)
