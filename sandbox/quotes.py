"""Prices of the moment, one quote an instrument."""

from dataclasses import dataclass, replace
from decimal import Decimal

from sandbox.instant import Instant

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Bid, ask and last trade in USD; a bid or ask of 0 means that side is empty, as Alpaca writes it.

    `at` is when it was last changed. As in a busy market, it is renewed all the time while the market is
    open, unless it is `stale`: then nothing has been heard since `at`.
    """

    bid: Decimal
    ask: Decimal
    last: Decimal
    at: Instant
    bid_size: int = 100
    ask_size: int = 100
    prev_close: Decimal | None = None
    stale: bool = False

    def stamp(self, now: Instant, *, market_is_open: bool, last_close: Instant) -> Instant:
        """The time stamp it is shown with."""
        if self.stale:
            return self.at
        return now if market_is_open else max(self.at, last_close)

    @property
    def reference(self) -> Decimal:
        """The price stop orders watch: the last trade, or the touch where the market has moved past it."""
        price = self.last
        if self.ask > _ZERO and (price == _ZERO or price > self.ask):
            price = self.ask
        return max(price, self.bid)

    @property
    def mark(self) -> Decimal:
        """The price positions are valued at: the last trade, else the middle of the touch."""
        return self.last if self.last > _ZERO else (self.bid + self.ask) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteChange:
    """The parts of a quote that change; None keeps the old value."""

    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None
    bid_size: int | None = None
    ask_size: int | None = None
    prev_close: Decimal | None = None
    silent_since: Instant | None = None

    def applied_to(self, quote: Quote | None, at: Instant) -> Quote:
        """The new quote; without an old one an absent side is empty and the last trade is the middle."""
        if quote is None:
            bid, ask = self.bid or _ZERO, self.ask or _ZERO
            middle = (bid + ask) / 2 if bid and ask else max(bid, ask)
            quote = Quote(bid=bid, ask=ask, last=middle, at=at)
        return replace(
            quote,
            at=at if self.silent_since is None else self.silent_since,
            stale=self.silent_since is not None,
            bid=quote.bid if self.bid is None else self.bid,
            ask=quote.ask if self.ask is None else self.ask,
            last=quote.last if self.last is None else self.last,
            bid_size=quote.bid_size if self.bid_size is None else self.bid_size,
            ask_size=quote.ask_size if self.ask_size is None else self.ask_size,
            prev_close=quote.prev_close if self.prev_close is None else self.prev_close,
        )
