"""One account as the services showed it in one tick; values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NewType
from zoneinfo import ZoneInfo

from broker.option_symbol import OptionSymbol
from sell_svc.known import Seen, Unknown

AccountId = NewType("AccountId", str)
ClientOrderId = NewType("ClientOrderId", str)
OrderId = NewType("OrderId", str)

EXCHANGE_ZONE = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """The broker's clock and session; every age and date here comes from it, none from the host."""

    now: datetime
    is_open: bool
    next_close: datetime
    """Close of the present session while it is open, early closes included."""

    @property
    def session_date(self) -> date:
        """Today's date where options expire, whatever the host's time zone (S-07)."""
        return self.now.astimezone(EXCHANGE_ZONE).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionPosition:
    """One open option position."""

    contract: OptionSymbol
    qty: Decimal
    """Contracts; negative for a short."""
    qty_available: Decimal
    """Contracts that no open order has taken yet."""
    avg_entry_price: Decimal
    """USD per unit of the contract, as quotes are."""

    @property
    def symbol(self) -> str:
        """The compact OCC form."""
        return str(self.contract)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """The option positions of one account."""

    positions: tuple[OptionPosition, ...] = ()
    unreadable: tuple[str, ...] = ()
    """Symbols of positions that exist and could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """One order that can still trade."""

    client_order_id: ClientOrderId
    order_id: OrderId | None
    """The broker's; `None` until it has acknowledged."""
    symbol: str
    """Compact OCC form for options; empty for a multi-leg order."""
    is_option: bool
    is_sell: bool
    placed_here: bool
    """Whether order_svc journalled it, as opposed to an order from elsewhere."""
    cancel_pending: bool
    submitted_at: datetime | None
    """The broker's time; `None` when it sent none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrders:
    """Every order of one account that can still trade."""

    orders: tuple[OpenOrder, ...] = ()
    unreadable: tuple[str, ...] = ()
    """Ids of orders that exist and could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Best bid and ask of one contract and its last trade, each with its own time; USD per unit."""

    bid: Decimal | None = None
    ask: Decimal | None = None
    quoted_at: datetime | None = None
    last: Decimal | None = None
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """What is left of one buy that went through this system."""

    symbol: str
    remaining_qty: Decimal
    auto_sell_enabled: bool
    filled_at: datetime | None


NOT_READ = Unknown(reason="not read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Everything a decision about one account may use."""

    account_id: AccountId
    market: Seen[Market] = NOT_READ
    holdings: Seen[Holdings] = NOT_READ
    orders: Seen[OpenOrders] = NOT_READ
    lots: Seen[tuple[Lot, ...]] = NOT_READ
    quotes: Seen[Mapping[str, Quote]] = NOT_READ
    """By symbol; one that is not in it has no quote."""

    @property
    def unseen(self) -> str:
        """Why parts of it are not known, in words; empty when all that was asked for is."""
        parts = {
            "market": self.market,
            "positions": self.holdings,
            "orders": self.orders,
            "lots": self.lots,
            "quotes": self.quotes,
        }
        return "; ".join(
            f"{name}: {part.reason}"
            for name, part in parts.items()
            if isinstance(part, Unknown) and part is not NOT_READ
        )
