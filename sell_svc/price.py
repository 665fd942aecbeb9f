"""What a contract would fetch now: fresh bid, then mid, then last trade; else Unknown (S-19)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Final, TypeGuard

from sell_svc.known import Known, Seen, Unknown
from sell_svc.observation import Quote

MINIMUM_TICK: Final = Decimal("0.01")
"""USD; the smallest step of any option's price ladder, and the lowest price an order can ask."""

# Quotes are stamped by the exchanges and the market clock by the broker; a stamp a little ahead is skew.
_SKEW: Final = timedelta(minutes=1)


class Basis(Enum):
    """What a price rests on, the best first."""

    BID = "bid"
    MID = "mid of no bid and the ask"
    LAST = "last trade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The price by which a position is judged."""

    price: Decimal
    """USD per unit of the contract."""
    basis: Basis

    def __str__(self) -> str:
        return f"{self.price:f} ({self.basis.value})"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceAges:
    """How old a price may be; a choice, since the broker promises nothing."""

    quote: timedelta = timedelta(minutes=5)
    trade: timedelta = timedelta(minutes=15)


def mark(quote: Quote | None, now: datetime, ages: PriceAges) -> Seen[Mark]:
    """The price to judge by at `now` (the broker's time), or why there is none."""
    if quote is None:
        return Unknown(reason="no quote")
    if _is_fresh(quote.quoted_at, now, ages.quote) and not _is_crossed(quote):
        if _is_price(quote.bid):
            return _known(quote.bid, Basis.BID, quote.quoted_at)
        if _is_price(quote.ask):
            return _known(quote.ask / 2, Basis.MID, quote.quoted_at)
    if _is_fresh(quote.last_at, now, ages.trade) and _is_price(quote.last):
        return _known(quote.last, Basis.LAST, quote.last_at)
    return Unknown(reason=_why_not(quote, now, ages))


def lacks_bid(quote: Quote | None, now: datetime, ages: PriceAges) -> bool:
    """Whether a fresh quote says that nobody bids; false where that is not known."""
    return quote is not None and _is_fresh(quote.quoted_at, now, ages.quote) and not _is_price(quote.bid)


def _known(price: Decimal, basis: Basis, at: datetime) -> Known[Mark]:
    return Known(value=Mark(price=price, basis=basis), at=at)


def _is_price(price: Decimal | None) -> TypeGuard[Decimal]:
    return price is not None and price.is_finite() and price > 0


def _is_fresh(at: datetime | None, now: datetime, limit: timedelta) -> TypeGuard[datetime]:
    return at is not None and -_SKEW <= now - at <= limit


def _is_crossed(quote: Quote) -> bool:
    return _is_price(quote.bid) and _is_price(quote.ask) and quote.bid > quote.ask


def _why_not(quote: Quote, now: datetime, ages: PriceAges) -> str:
    if not _is_fresh(quote.quoted_at, now, ages.quote):
        stamp = "no time" if quote.quoted_at is None else f"age {_seconds(now - quote.quoted_at)}"
        problem = f"quote has {stamp}, at most {_seconds(ages.quote)} counts"
    elif _is_crossed(quote):
        problem = f"bid {quote.bid} is above ask {quote.ask}"
    else:
        problem = "neither bid nor ask"
    return f"{problem}; no last trade within {_seconds(ages.trade)}"


def _seconds(length: timedelta) -> str:
    return f"{length.total_seconds():.0f} s"
