"""What the broker says: accounts, positions, orders, prices and sessions, exactly as told.

Amounts are Decimal and in USD unless a field says otherwise, times are aware and in UTC.
`report_parsing` makes these from Alpaca's JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Generic, TypeVar

from alpaca.common.enums import Sort
from alpaca.trading.enums import (
    OrderSide,
    OrderType,
    PositionIntent,
    PositionSide,
    QueryOrderStatus,
    TimeInForce,
)

__all__ = [
    "AccountReading",
    "Asset",
    "AssetClass",
    "BrokerOrder",
    "BrokerPosition",
    "CalendarDay",
    "Latest",
    "Listing",
    "MarketClock",
    "OptionContract",
    "OrderSide",
    "OrderStatus",
    "OrderType",
    "PositionIntent",
    "PositionSide",
    "QueryOrderStatus",
    "Quote",
    "Sort",
    "TimeInForce",
    "Trade",
]

T = TypeVar("T")


class AssetClass(Enum):
    """The kinds of things we trade or meet in positions."""

    US_EQUITY = "us_equity"
    US_OPTION = "us_option"
    CRYPTO = "crypto"


class OrderStatus(Enum):
    """The statuses Alpaca documents, and UNKNOWN for one it has added since."""

    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    DONE_FOR_DAY = "done_for_day"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"
    PENDING_REVIEW = "pending_review"
    ACCEPTED = "accepted"
    PENDING_NEW = "pending_new"
    ACCEPTED_FOR_BIDDING = "accepted_for_bidding"
    STOPPED = "stopped"
    REJECTED = "rejected"
    SUSPENDED = "suspended"
    CALCULATED = "calculated"
    HELD = "held"
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        """Whether the order can change no more."""
        return self in _FINAL

    @property
    def is_open(self) -> bool:
        """Whether the order may still fill; one in an unknown status may."""
        return self not in _FINAL


_FINAL = frozenset(
    {
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.REJECTED,
        OrderStatus.REPLACED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReading:
    """One answer of GET /v2/account."""

    account_number: str
    """The broker's, such as PA3ABC; "" in the rare answer that has none."""
    status: str
    """ACTIVE for an account that may trade."""
    currency: str
    cash: Decimal
    """Settled and unsettled cash; negative on margin."""
    buying_power: Decimal
    options_buying_power: Decimal | None
    non_marginable_buying_power: Decimal | None
    regt_buying_power: Decimal | None
    daytrading_buying_power: Decimal | None
    """`None` since Alpaca dropped pattern day trading in July 2026."""
    equity: Decimal
    last_equity: Decimal | None
    portfolio_value: Decimal | None
    long_market_value: Decimal | None
    short_market_value: Decimal | None
    initial_margin: Decimal | None
    maintenance_margin: Decimal | None
    accrued_fees: Decimal | None
    multiplier: Decimal | None
    """1 cash, 2 margin, 4 intraday margin."""
    trading_blocked: bool
    account_blocked: bool
    transfers_blocked: bool
    trade_suspended_by_user: bool
    shorting_enabled: bool
    pattern_day_trader: bool | None
    daytrade_count: int | None
    options_trading_level: int | None
    """0 none, 1 covered, 2 long, 3 spreads."""
    options_approved_level: int | None
    created_at: datetime | None
    requested_at: datetime
    """When we asked: money that moved later may be missing."""
    requested_monotonic: float
    """The same moment by the monotonic clock, for ages."""

    @property
    def may_trade(self) -> bool:
        """Whether the broker takes orders for this account at all."""
        blocked = self.trading_blocked or self.account_blocked or self.trade_suspended_by_user
        return self.status == "ACTIVE" and not blocked


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPosition:
    """What an account holds of one symbol."""

    asset_id: str
    """The broker's own id of the asset; "" where it leaves it out."""
    symbol: str
    asset_class: str
    """us_equity, us_option, crypto, or one Alpaca has added since."""
    exchange: str
    side: PositionSide
    qty: Decimal
    """Shares or contracts; never negative, `side` says which way."""
    qty_available: Decimal | None
    """What open orders leave free to close; `None` where the broker does not say."""
    avg_entry_price: Decimal
    """Per share or per share of a contract, without the multiplier."""
    cost_basis: Decimal | None
    market_value: Decimal | None
    """With the multiplier; `None` while there is no price."""
    current_price: Decimal | None
    lastday_price: Decimal | None
    change_today: Decimal | None
    """A fraction: 0.02 is two percent."""
    unrealized_pl: Decimal | None
    unrealized_plpc: Decimal | None
    """A fraction of the cost basis."""
    unrealized_intraday_pl: Decimal | None
    unrealized_intraday_plpc: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerOrder:
    """One order as the broker has it."""

    order_id: str
    client_order_id: str
    asset_id: str
    """"" for the parent of a multi-leg order, like `symbol`."""
    symbol: str
    """"" for the parent of a multi-leg order, like `side` and `asset_class`."""
    asset_class: str
    side: OrderSide | None
    order_type: str
    time_in_force: str
    order_class: str
    status: OrderStatus
    status_text: str
    """The status in the broker's own word, also where we do not know it."""
    qty: Decimal | None
    """`None` for an order by amount."""
    notional: Decimal | None
    filled_qty: Decimal
    filled_avg_price: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail_price: Decimal | None
    trail_percent: Decimal | None
    extended_hours: bool
    position_intent: PositionIntent | None
    created_at: datetime | None
    updated_at: datetime | None
    submitted_at: datetime | None
    filled_at: datetime | None
    canceled_at: datetime | None
    expired_at: datetime | None
    expires_at: datetime | None
    failed_at: datetime | None
    replaced_at: datetime | None
    replaced_by: str | None
    """Id of the order that took this one's place."""
    replaces: str | None

    @property
    def is_final(self) -> bool:
        """Whether the order can change no more."""
        return self.status.is_final

    @property
    def is_open(self) -> bool:
        """Whether the order may still fill."""
        return self.status.is_open

    @property
    def leaves_qty(self) -> Decimal | None:
        """What is still to fill, `None` for an order by amount."""
        return None if self.qty is None else self.qty - self.filled_qty


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The best bid and ask of one symbol."""

    symbol: str
    bid: Decimal
    """0 when nobody bids; then there is no mid price either."""
    ask: Decimal
    bid_size: Decimal
    """Shares or contracts."""
    ask_size: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """The last trade of one symbol."""

    symbol: str
    price: Decimal
    size: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketClock:
    """The broker's clock and the session it is in."""

    at: datetime
    is_open: bool
    next_open: datetime
    next_close: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDay:
    """One trading day in New York."""

    day: date
    opens_at: datetime
    closes_at: datetime
    """The real close, earlier on half days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """Something that can be traded under a symbol."""

    asset_id: str
    symbol: str
    name: str
    asset_class: str
    exchange: str
    status: str
    tradable: bool
    fractionable: bool
    shortable: bool
    marginable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionContract:
    """A listed option with what its symbol does not tell."""

    symbol: str
    contract_id: str
    name: str
    status: str
    tradable: bool
    root_symbol: str | None
    underlying_symbol: str
    right: str
    """call or put."""
    style: str
    expiration_date: date
    strike_price: Decimal
    multiplier: Decimal
    """What a premium is multiplied by to give the price of a contract; 100 unless adjusted."""
    size: Decimal | None
    """Shares delivered; not the multiplier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[T]):
    """Everything a list call returned, and what of it could not be read.

    Whoever decides from `items` alone decides on part of the truth; look at `complete` first.
    """

    items: tuple[T, ...]
    unreadable: tuple[str, ...] = ()
    """One line for each entry that could not be read: which, and why."""

    @property
    def complete(self) -> bool:
        """Whether every entry could be read."""
        return not self.unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest(Generic[T]):
    """The newest quote or trade of each symbol that was asked for.

    Every symbol is either in `found` or in `missing`; a price that is missing is unknown, not 0.
    """

    found: Mapping[str, T]
    missing: Mapping[str, str]
    """Why there is none, by symbol."""
