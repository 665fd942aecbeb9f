"""An account: its terms, cash, positions, and what its open orders hold."""

from collections import deque
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

from sandbox.decimal_text import plain
from sandbox.instant import Instant, rfc3339
from sandbox.instruments import Instrument
from sandbox.orders import NO_HOLD, Hold, Order, OrderId, Side

if TYPE_CHECKING:  # watchlists are shown by what shows accounts
    from sandbox.watchlists import Watchlist

_ZERO = Decimal(0)
_MOST_ACTIVITIES = 10_000
_MOST_EQUITY_MARKS = 20_000
_serials = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTerms:
    """What is agreed about an account. `name` is how scenario, control API and ledger call it."""

    name: str
    account_id: str
    key: str
    secret: str
    account_number: str
    status: str = "ACTIVE"
    multiplier: int = 2
    options_level: int = 3
    shorting_enabled: bool = True
    trading_blocked: bool = False
    transfers_blocked: bool = False
    account_blocked: bool = False
    trade_suspended_by_user: bool = False


@dataclass(slots=True, kw_only=True)
class Position:
    """A holding; `qty` is negative when short, `avg_entry_price` is per share, not per contract."""

    instrument: Instrument
    qty: Decimal
    avg_entry_price: Decimal
    opened_on: date | None = None

    @property
    def cost_basis(self) -> Decimal:
        """What was paid for it, options times multiplier; negative when short."""
        return self.qty * self.avg_entry_price * self.instrument.multiplier


@dataclass(frozen=True, slots=True, kw_only=True)
class CashEntry:
    """The cash after a change, and why it changed."""

    at: Instant
    cash: Decimal
    cause: str


def cash_json(entry: CashEntry) -> dict[str, object]:
    """The entry as the ledger shows it."""
    return {"at": rfc3339(entry.at), "cash": plain(entry.cash), "cause": entry.cause}


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Something that moved positions or cash, as the activities endpoint lists it; fills carry their order."""

    kind: str
    at: Instant
    symbol: str
    qty: Decimal
    price: Decimal | None
    net_amount: Decimal
    order_id: OrderId | None = None
    cum_qty: Decimal = _ZERO
    leaves_qty: Decimal = _ZERO
    activity_id: str = field(default_factory=lambda: str(uuid4()))


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityMark:
    """What the account was worth at a moment."""

    at: Instant
    equity: Decimal


@dataclass(slots=True, kw_only=True, eq=False)
class Configuration:
    """What an account's owner may set, beyond the terms."""

    suspend_trade: bool = False
    no_shorting: bool = False
    fractional_trading: bool = True
    max_margin_multiplier: str = "4"
    trade_confirm_email: str = "all"
    ptp_no_exception_entry: bool = False
    max_options_trading_level: int | None = None
    disable_overnight_trading: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Account:
    """The present state of one account. It changes in place, and only the exchange changes it."""

    terms: AccountTerms
    created_at: Instant
    cash: Decimal
    last_equity: Decimal = _ZERO
    positions: dict[str, Position] = field(default_factory=dict)
    cash_log: deque[CashEntry] = field(default_factory=deque)
    cash_count: int = 0
    activities: deque[Activity] = field(default_factory=lambda: deque(maxlen=_MOST_ACTIVITIES))
    equity_marks: deque[EquityMark] = field(default_factory=lambda: deque(maxlen=_MOST_EQUITY_MARKS))
    configuration: Configuration = field(default_factory=Configuration)
    watchlists: "dict[str, Watchlist]" = field(default_factory=dict)
    declined_exercises: set[str] = field(default_factory=set)
    # Names the account in the archive: a replaced account of the same name has another one.
    serial: int = field(default_factory=lambda: next(_serials))
    held_margin: Decimal = _ZERO
    held_qty: dict[str, Decimal] = field(default_factory=dict)
    orders: dict[OrderId, Order] = field(default_factory=dict)
    by_client_order_id: dict[str, Order] = field(default_factory=dict)
    open_orders: dict[OrderId, Order] = field(default_factory=dict)
    open_by_symbol: dict[tuple[str, Side], dict[OrderId, Order]] = field(default_factory=dict)

    def record_cash(self, at: Instant, cause: str) -> None:
        """Note the present cash in the account's log."""
        self.cash_log.append(CashEntry(at=at, cash=self.cash, cause=cause))
        self.cash_count += 1

    @property
    def cash_kind(self) -> str:
        """What the archive calls the cash entries of this account."""
        return f"cash {self.serial}"

    def take_cash_entries(self, keep: int) -> list[tuple[int, CashEntry]]:
        """Remove and number the oldest entries of the log, so that `keep` stay."""
        first = self.cash_count - len(self.cash_log)
        return [(first + index, self.cash_log.popleft()) for index in range(len(self.cash_log) - keep)]

    def add_activity(self, activity: Activity) -> None:
        """Note what happened; the oldest is forgotten when there are too many."""
        self.activities.append(activity)

    def record_equity(self, at: Instant, equity: Decimal) -> None:
        """Note what the account is worth now."""
        self.equity_marks.append(EquityMark(at=at, equity=equity))

    def forget(self, order: Order) -> None:
        """Drop a closed order that the archive has taken."""
        self.orders.pop(order.order_id, None)
        if self.by_client_order_id.get(order.client_order_id) is order:
            del self.by_client_order_id[order.client_order_id]

    def admit(self, order: Order) -> None:
        """Take an accepted order into the books."""
        self.orders[order.order_id] = order
        self.by_client_order_id[order.client_order_id] = order
        self.open_orders[order.order_id] = order
        self.open_by_symbol.setdefault((order.symbol, order.side), {})[order.order_id] = order
        self.set_hold(order, order.full_hold)

    def close(self, order: Order) -> None:
        """Take a finished order out of the open ones and free what it still holds."""
        self.set_hold(order, NO_HOLD)
        self.open_orders.pop(order.order_id, None)
        self._unlist(order)

    def set_hold(self, order: Order, hold: Hold) -> None:
        """Replace what an order keeps from the account."""
        self._add_hold(order.hold, -1)
        self._add_hold(hold, 1)
        order.hold = hold

    def set_aside(self, order: Order) -> None:
        """Free what an order holds while a replacement for it is judged; its own orders do not count against it."""
        for each in (order, *order.strategy_legs):
            self.set_hold(each, NO_HOLD)
            self._unlist(each)

    def keep_surplus(self, order: Order, successor: Order, hold: Hold, leg_holds: list[Hold]) -> None:
        """Until a replacement is in force either of the two may fill, so the account keeps the larger hold."""
        pairs = zip(
            (order, *order.strategy_legs),
            (successor, *successor.strategy_legs),
            (hold, *leg_holds),
            strict=True,
        )
        for old, new, kept in pairs:
            self.set_hold(old, kept.beyond(new.hold))

    def set_back(self, order: Order, hold: Hold, leg_holds: list[Hold]) -> None:
        """Undo `set_aside`."""
        for each, kept in zip((order, *order.strategy_legs), (hold, *leg_holds), strict=True):
            self.set_hold(each, kept)
            self.open_by_symbol.setdefault((each.symbol, each.side), {})[each.order_id] = each

    def _unlist(self, order: Order) -> None:
        key = (order.symbol, order.side)
        if key in self.open_by_symbol:
            self.open_by_symbol[key].pop(order.order_id, None)
            if not self.open_by_symbol[key]:
                del self.open_by_symbol[key]

    def _add_hold(self, hold: Hold, sign: int) -> None:
        self.held_margin += sign * hold.margin
        if hold.symbol is None:
            return
        qty = self.held_qty.get(hold.symbol, _ZERO) + sign * hold.qty
        if qty:
            self.held_qty[hold.symbol] = qty
        else:
            self.held_qty.pop(hold.symbol, None)

    def position_qty(self, symbol: str) -> Decimal:
        """The signed quantity held, 0 when flat."""
        position = self.positions.get(symbol)
        return position.qty if position else _ZERO
