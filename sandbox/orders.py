"""An order, its words and its history."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import NewType

from sandbox.instant import Instant
from sandbox.instruments import Instrument

OrderId = NewType("OrderId", str)

_ZERO = Decimal(0)


class Side(Enum):
    """Which way an order trades."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> "Side":
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(Enum):
    """How an order is priced."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


class TimeInForce(Enum):
    """How long an order lives."""

    DAY = "day"
    GTC = "gtc"
    OPG = "opg"
    CLS = "cls"
    IOC = "ioc"
    FOK = "fok"


class PositionIntent(Enum):
    """What an order does to the position."""

    BUY_TO_OPEN = "buy_to_open"
    BUY_TO_CLOSE = "buy_to_close"
    SELL_TO_OPEN = "sell_to_open"
    SELL_TO_CLOSE = "sell_to_close"

    @property
    def opens(self) -> bool:
        """Whether the order adds to a position rather than taking from one."""
        return self in (PositionIntent.BUY_TO_OPEN, PositionIntent.SELL_TO_OPEN)


class OrderStatus(Enum):
    """The states an order of this exchange can be in."""

    PENDING_NEW = "pending_new"
    ACCEPTED = "accepted"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_CANCEL = "pending_cancel"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    REPLACED = "replaced"

    @property
    def is_final(self) -> bool:
        """Whether nothing can happen to the order any more."""
        return self in _FINAL


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
class OrderTicket:
    """What the client asked for, checked in itself but not yet against account and market."""

    symbol: str
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    qty: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail_price: Decimal | None
    trail_percent: Decimal | None
    extended_hours: bool
    client_order_id: str | None
    position_intent: PositionIntent | None
    order_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What an open order keeps from its account: USD of margin, and units of a position."""

    margin: Decimal = _ZERO
    symbol: str | None = None
    qty: Decimal = _ZERO

    def of_rest(self, leaves_qty: Decimal, qty: Decimal) -> "Hold":
        """The hold of what is left of an order."""
        # Multiplied first: the hold was made from qty, so dividing by it last leaves no rounding behind.
        return Hold(
            margin=self.margin * leaves_qty / qty, symbol=self.symbol, qty=self.qty * leaves_qty / qty
        )


NO_HOLD = Hold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One thing that happened to an order; `qty` and `price` are those of a fill."""

    at: Instant
    event: str
    status: OrderStatus
    qty: Decimal | None = None
    price: Decimal | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Order:
    """An accepted order. It changes in place, and only the exchange changes it."""

    order_id: OrderId
    sequence: int
    account: str
    client_order_id: str
    instrument: Instrument
    ticket: OrderTicket
    intent: PositionIntent
    status: OrderStatus
    submitted_at: Instant
    updated_at: Instant
    expires_at: Instant | None
    qty: Decimal | None
    filled_qty: Decimal = _ZERO
    filled_value: Decimal = _ZERO
    stop_price: Decimal | None = None
    high_water_mark: Decimal | None = None
    triggered: bool = False
    live: bool = False
    full_hold: Hold = NO_HOLD
    hold: Hold = NO_HOLD
    filled_at: Instant | None = None
    canceled_at: Instant | None = None
    expired_at: Instant | None = None
    failed_at: Instant | None = None
    history: list[Transition] = field(default_factory=list)

    @property
    def symbol(self) -> str:
        """The instrument's symbol."""
        return self.instrument.symbol

    @property
    def side(self) -> Side:
        """Which way the order trades."""
        return self.ticket.side

    @property
    def leaves_qty(self) -> Decimal | None:
        """What is still to be filled; None for a notional order whose quantity the first price decides."""
        return None if self.qty is None else self.qty - self.filled_qty

    @property
    def filled_avg_price(self) -> Decimal | None:
        """The mean price of the fills so far."""
        return self.filled_value / self.filled_qty if self.filled_qty else None
