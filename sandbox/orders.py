"""An order, its words and its history."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import NewType

from sandbox.instant import Instant
from sandbox.instruments import Traded

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


class OrderClass(Enum):
    """How many orders one request makes, and how they depend on each other."""

    UNSAID = ""
    SIMPLE = "simple"
    BRACKET = "bracket"  # an entry, then a take-profit and a stop-loss of which one cancels the other
    OCO = "oco"  # take-profit and stop-loss for what is already held
    OTO = "oto"  # an entry, then one of the two
    MLEG = "mleg"  # several option contracts at one net price

    @property
    def is_simple(self) -> bool:
        """Whether the order stands alone."""
        return self in (OrderClass.UNSAID, OrderClass.SIMPLE)


class GroupRole(Enum):
    """What an order is in its bracket, OCO or OTO group."""

    ENTRY = "entry"
    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"


class OrderStatus(Enum):
    """The states an order of this exchange can be in."""

    HELD = "held"
    PENDING_NEW = "pending_new"
    ACCEPTED = "accepted"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"
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
class StopLoss:
    """The stop-loss of a group: a stop order, with a limit a stop-limit order."""

    stop_price: Decimal
    limit_price: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegTicket:
    """One contract of a multi-leg order; `ratio_qty` contracts for each unit of the order."""

    symbol: str
    side: Side
    ratio_qty: Decimal
    position_intent: PositionIntent | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTicket:
    """What the client asked for, checked in itself but not yet against account and market.

    A multi-leg order has no symbol; its side is buy, because its limit is what may be paid for all legs.
    """

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
    order_class: OrderClass
    take_profit: Decimal | None = None
    stop_loss: StopLoss | None = None
    legs: tuple[LegTicket, ...] = ()


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

    def beyond(self, other: "Hold") -> "Hold":
        """What this holds more than another."""
        same = other.symbol == self.symbol
        return Hold(
            margin=max(self.margin - other.margin, _ZERO),
            symbol=self.symbol,
            qty=max(self.qty - other.qty, _ZERO) if same else self.qty,
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
class OrderGroup:
    """The orders that one bracket, OCO or OTO request made; a replacement takes its predecessor's place."""

    group_id: str
    members: "dict[GroupRole, Order]" = field(default_factory=dict)

    @property
    def parent(self) -> "Order":
        """The order that lists the others as its legs."""
        return next(iter(self.members.values()))

    @property
    def legs(self) -> "list[Order]":
        """All but the parent."""
        return [*self.members.values()][1:]


@dataclass(slots=True, kw_only=True, eq=False)
class Order:
    """An accepted order. It changes in place, and only the exchange changes it."""

    order_id: OrderId
    sequence: int
    account: str
    client_order_id: str
    instrument: Traded
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
    replaced_at: Instant | None = None
    replaces: OrderId | None = None
    replaced_by: OrderId | None = None
    successor: "Order | None" = None
    status_before_replace: OrderStatus = OrderStatus.NEW
    group: OrderGroup | None = None
    role: GroupRole | None = None
    strategy_legs: "list[Order]" = field(default_factory=list)
    strategy: "Order | None" = None
    ratio_qty: Decimal | None = None
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
    def legs(self) -> "list[Order]":
        """The orders shown below this one when a list is nested."""
        if self.group is not None and self.group.parent is self:
            return self.group.legs
        return self.strategy_legs

    @property
    def is_leg(self) -> bool:
        """Whether a nested list shows the order below another one."""
        if self.strategy is not None:
            return True
        return self.group is not None and self.role is not next(iter(self.group.members))

    @property
    def watched_symbols(self) -> tuple[str, ...]:
        """The symbols whose quotes decide when the order trades."""
        return tuple(leg.symbol for leg in self.strategy_legs) or (self.symbol,)

    @property
    def leaves_qty(self) -> Decimal | None:
        """What is still to be filled; None for a notional order whose quantity the first price decides."""
        return None if self.qty is None else self.qty - self.filled_qty

    @property
    def filled_avg_price(self) -> Decimal | None:
        """The mean price of the fills so far."""
        return self.filled_value / self.filled_qty if self.filled_qty else None
