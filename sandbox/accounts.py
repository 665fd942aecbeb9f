"""An account: its terms, cash, positions, and what its open orders hold."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from sandbox.instant import Instant
from sandbox.instruments import Instrument
from sandbox.orders import NO_HOLD, Hold, Order, OrderId, Side

_ZERO = Decimal(0)


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


@dataclass(slots=True, kw_only=True, eq=False)
class Account:
    """The present state of one account. It changes in place, and only the exchange changes it."""

    terms: AccountTerms
    created_at: Instant
    cash: Decimal
    last_equity: Decimal = _ZERO
    positions: dict[str, Position] = field(default_factory=dict)
    cash_log: list[CashEntry] = field(default_factory=list)
    held_margin: Decimal = _ZERO
    held_qty: dict[str, Decimal] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    by_client_order_id: dict[str, Order] = field(default_factory=dict)
    open_orders: dict[OrderId, Order] = field(default_factory=dict)
    open_by_symbol: dict[tuple[str, Side], dict[OrderId, Order]] = field(default_factory=dict)

    def record_cash(self, at: Instant, cause: str) -> None:
        """Note the present cash in the account's log."""
        self.cash_log.append(CashEntry(at=at, cash=self.cash, cause=cause))

    def admit(self, order: Order) -> None:
        """Take an accepted order into the books."""
        self.orders.append(order)
        self.by_client_order_id[order.client_order_id] = order
        self.open_orders[order.order_id] = order
        self.open_by_symbol.setdefault((order.symbol, order.side), {})[order.order_id] = order
        self.set_hold(order, order.full_hold)

    def close(self, order: Order) -> None:
        """Take a finished order out of the open ones and free what it still holds."""
        self.set_hold(order, NO_HOLD)
        self.open_orders.pop(order.order_id, None)
        key = (order.symbol, order.side)
        if key in self.open_by_symbol:
            self.open_by_symbol[key].pop(order.order_id, None)
            if not self.open_by_symbol[key]:
                del self.open_by_symbol[key]

    def set_hold(self, order: Order, hold: Hold) -> None:
        """Replace what an order keeps from the account."""
        self._add_hold(order.hold, -1)
        self._add_hold(hold, 1)
        order.hold = hold

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
