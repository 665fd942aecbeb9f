"""The exchange itself: accounts, quotes and orders, moved only by calls that name the present instant.

It does no I/O and reads no clock. Time reaches it through `advance`, which plays everything that fell due
since the last call in the order it fell due: fills after their latency, cancels, and the session's bounds.
"""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from uuid import uuid4

from sandbox import valuation
from sandbox.accounts import Account
from sandbox.admission import Admission, Market, admit, expiry_of, units_for
from sandbox.errors import bad_field, not_found, refused
from sandbox.instant import Instant, new_york_date
from sandbox.instruments import Catalogue, Instrument, OptionContract, plain_instrument
from sandbox.matching import fill_price, is_triggered, may_trade, trailed
from sandbox.orders import Order, OrderId, OrderStatus, OrderTicket, OrderType, Side, TimeInForce, Transition
from sandbox.positions import post_fill
from sandbox.quotes import Quote, QuoteChange
from sandbox.sessions import Boundary, SessionCalendar

_ZERO = Decimal(0)
_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


class _Task(Enum):
    ACTIVATE = "activate"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """Sandbox time, in nanoseconds, between the answer to a request and what it leads to."""

    fill_ns: int = 0
    cancel_ns: int = 0


class Exchange:
    """One market with its accounts. Every method that takes `now` expects `advance(now)` to have been called."""

    def __init__(
        self,
        *,
        calendar: SessionCalendar,
        now: Instant,
        latencies: Latencies | None = None,
        new_id: Callable[[], str] = lambda: str(uuid4()),
    ) -> None:
        self.calendar = calendar
        self.latencies = latencies or Latencies()
        self.catalogue = Catalogue()
        self.quotes: dict[str, Quote] = {}
        self.accounts: dict[str, Account] = {}
        self.orders: dict[OrderId, Order] = {}
        self.auto_match = True
        self._by_key: dict[str, Account] = {}
        self._book: dict[str, dict[OrderId, Order]] = {}
        self._agenda: list[tuple[Instant, int, _Task, OrderId]] = []
        self._sequence = 0
        self._last_submission = Instant(0)
        self._boundary = calendar.next_boundary(now)
        self._new_id = new_id

    # Accounts, instruments and quotes

    def open_account(self, account: Account, now: Instant) -> None:
        """Add an account; one of the same name is replaced, its open orders are canceled first."""
        old = self.accounts.get(account.terms.name)
        if old is not None:
            self._by_key.pop(old.terms.key, None)
            for order in [*old.open_orders.values()]:
                self._cancel_unfilled(order, now)
        self.accounts[account.terms.name] = account
        self._by_key[account.terms.key] = account
        account.last_equity = valuation.value(account, self.quotes).equity

    def account_of_key(self, key: str) -> Account | None:
        """The account a key belongs to."""
        return self._by_key.get(key)

    def instrument(self, symbol: str) -> Instrument:
        """The instrument of a symbol, listed now if it was unknown."""
        instrument = self.catalogue.find(symbol)
        if instrument is None:
            instrument = plain_instrument(symbol)
            self.catalogue.add(instrument)
        return instrument

    def quote(self, symbol: str, change: QuoteChange, now: Instant) -> Quote:
        """Change a quote, listing the symbol if need be, and trade what becomes marketable."""
        self.instrument(symbol)
        quote = self.quotes[symbol] = change.applied_to(self.quotes.get(symbol), now)
        self._match_all(self._book.get(symbol, {}).values(), now)
        return quote

    def set_auto_match(self, *, enabled: bool, now: Instant) -> None:
        """Stop trading by itself, so that only `fill` trades, or go on and trade what is marketable."""
        self.auto_match = enabled
        for order in self._open_orders():
            if order.live:
                self._work(order, now)

    # Time

    def advance(self, now: Instant) -> None:
        """Play everything that has fallen due up to `now`."""
        while True:
            boundary_at, boundary = self._boundary
            if self._agenda and self._agenda[0][0] <= min(now, boundary_at):
                at, _, task, order_id = heapq.heappop(self._agenda)
                self._perform(task, self.orders[order_id], at)
            elif boundary_at <= now:
                self._cross(boundary, boundary_at)
                self._boundary = self.calendar.next_boundary(boundary_at)
            else:
                return

    def rewind(self, now: Instant) -> None:
        """Tell the exchange that time was set back; what has happened stays."""
        self._boundary = self.calendar.next_boundary(now)

    # Orders

    def submit(self, account: Account, ticket: OrderTicket, now: Instant) -> Order:
        """Accept an order. It starts to work after the fill latency, at the next `advance`.

        Raises:
            AlpacaError: the order is refused; nothing has changed.
        """
        instrument = self.catalogue.find(ticket.symbol)
        if instrument is None:
            raise refused(f'asset "{ticket.symbol}" not found')
        if ticket.client_order_id in account.by_client_order_id:
            raise bad_field("client_order_id must be unique")
        market = Market(now=now, calendar=self.calendar, quotes=self.quotes)
        admission = admit(account, ticket, instrument, market)
        order = self._new_order(account, ticket, instrument, admission, market)
        account.admit(order)
        self.orders[order.order_id] = order
        self._book.setdefault(order.symbol, {})[order.order_id] = order
        self._plan(_Task.ACTIVATE, order, Instant(now + self.latencies.fill_ns))
        return order

    def cancel(self, order: Order, now: Instant) -> None:
        """Take a request to cancel; the order may still fill until the cancel latency is over.

        Raises:
            AlpacaError: the order is final or being cancelled already.
        """
        if order.status.is_final or order.status is OrderStatus.PENDING_CANCEL:
            raise refused(f'order is already in "{order.status.value}" state')
        self._move(order, OrderStatus.PENDING_CANCEL, "pending_cancel", now)
        self._plan(_Task.CANCEL, order, Instant(now + self.latencies.cancel_ns))

    def find_order(self, account: Account, order_id: str) -> Order:
        """The account's order of that id.

        Raises:
            AlpacaError: 404, also for another account's order.
        """
        order = self.orders.get(OrderId(order_id))
        if order is None or account.by_client_order_id.get(order.client_order_id) is not order:
            raise not_found(f"order not found for {order_id}")
        return order

    def fill(self, order: Order, *, qty: Decimal, price: Decimal, now: Instant) -> None:
        """Trade part or all of an open order at a price, whatever the market says.

        Raises:
            ValueError: the order is final, or less than `qty` is left of it.
        """
        if order.status.is_final:
            raise ValueError(f"order is already {order.status.value}")
        if order.leaves_qty is not None and qty > order.leaves_qty:
            raise ValueError(f"qty: only {order.leaves_qty} left of the order, got {qty}")
        self._execute(order, qty, price, now)

    def reject(self, order: Order, now: Instant) -> None:
        """Reject an order that had been accepted.

        Raises:
            ValueError: the order is final.
        """
        if order.status.is_final:
            raise ValueError(f"order is already {order.status.value}")
        order.failed_at = now
        self._finish(order, OrderStatus.REJECTED, "rejected", now)

    # What follows is how orders move

    def _new_order(
        self,
        account: Account,
        ticket: OrderTicket,
        instrument: Instrument,
        admission: Admission,
        market: Market,
    ) -> Order:
        self._sequence += 1
        # Never the same stamp twice, also while the clock is frozen: clients page by submitted_at.
        stamp = self._last_submission = Instant(max(market.now, self._last_submission + 1))
        order = Order(
            order_id=OrderId(self._new_id()),
            sequence=self._sequence,
            account=account.terms.name,
            client_order_id=ticket.client_order_id or self._new_id(),
            instrument=instrument,
            ticket=ticket,
            intent=admission.intent,
            status=OrderStatus.PENDING_NEW,
            submitted_at=stamp,
            updated_at=stamp,
            expires_at=expiry_of(ticket, instrument, market),
            qty=ticket.qty,
            stop_price=ticket.stop_price,
            full_hold=admission.hold,
        )
        in_time = may_trade(order, market.phase)
        self._move(order, OrderStatus.PENDING_NEW if in_time else OrderStatus.ACCEPTED, "accepted", stamp)
        return order

    def _plan(self, task: _Task, order: Order, at: Instant) -> None:
        self._sequence += 1
        heapq.heappush(self._agenda, (at, self._sequence, task, order.order_id))

    def _perform(self, task: _Task, order: Order, at: Instant) -> None:
        if order.status.is_final:
            return
        if task is _Task.CANCEL:
            self._cancel_unfilled(order, at)
        else:
            order.live = True
            self._work(order, at)

    def _work(self, order: Order, at: Instant) -> None:
        """Let an order take part in the market, or end what cannot wait for it."""
        if may_trade(order, self.calendar.phase(at)) and not _waits_for_auction(order):
            if order.status in (OrderStatus.PENDING_NEW, OrderStatus.ACCEPTED):
                self._move(order, OrderStatus.NEW, "new", at)
            self._match(order, at)
        elif order.status is OrderStatus.PENDING_NEW:
            self._move(order, OrderStatus.ACCEPTED, "accepted", at)
        if order.ticket.time_in_force in _AT_ONCE and not order.status.is_final and self.auto_match:
            self._cancel_unfilled(order, at)

    def _match_all(self, orders: Iterable[Order], at: Instant) -> None:
        phase = self.calendar.phase(at)
        for order in [o for o in orders if o.live and may_trade(o, phase) and not _waits_for_auction(o)]:
            self._match(order, at)

    def _match(self, order: Order, at: Instant) -> None:
        quote = self.quotes.get(order.symbol)
        if quote is None or not self.auto_match or order.status.is_final:
            return
        if not order.triggered and order.ticket.order_type is OrderType.TRAILING_STOP:
            order.high_water_mark, order.stop_price = trailed(order, quote)
        if not order.triggered and is_triggered(order, quote):
            order.triggered = True
        price = fill_price(order, quote)
        if price is None:
            return
        qty = _units_at(order, price) if order.leaves_qty is None else order.leaves_qty
        if qty > _ZERO:
            self._execute(order, qty, price, at)

    def _execute(self, order: Order, qty: Decimal, price: Decimal, at: Instant) -> None:
        account = self.accounts[order.account]
        if order.qty is None:
            order.qty = max(_units_at(order, price), qty)
        post_fill(account, order, qty=qty, price=price, at=at)
        order.filled_qty += qty
        order.filled_value += qty * price
        order.filled_at = at
        leaves = order.qty - order.filled_qty
        if leaves == _ZERO:
            self._finish(order, OrderStatus.FILLED, "fill", at, qty=qty, price=price)
            return
        account.set_hold(order, order.full_hold.of_rest(leaves, order.qty))
        canceling = order.status is OrderStatus.PENDING_CANCEL
        status = order.status if canceling else OrderStatus.PARTIALLY_FILLED
        self._move(order, status, "partial_fill", at, qty=qty, price=price)

    def _cancel_unfilled(self, order: Order, at: Instant) -> None:
        order.canceled_at = at
        self._finish(order, OrderStatus.CANCELED, "canceled", at)

    def _finish(
        self,
        order: Order,
        status: OrderStatus,
        event: str,
        at: Instant,
        *,
        qty: Decimal | None = None,
        price: Decimal | None = None,
    ) -> None:
        self.accounts[order.account].close(order)
        book = self._book[order.symbol]
        book.pop(order.order_id, None)
        self._move(order, status, event, at, qty=qty, price=price)

    def _move(
        self,
        order: Order,
        status: OrderStatus,
        event: str,
        at: Instant,
        *,
        qty: Decimal | None = None,
        price: Decimal | None = None,
    ) -> None:
        order.status = status
        order.updated_at = Instant(max(at, order.updated_at))
        order.history.append(Transition(at=at, event=event, status=status, qty=qty, price=price))

    # What follows is the trading day

    def _open_orders(self) -> list[Order]:
        return [order for book in self._book.values() for order in book.values()]

    def _cross(self, boundary: Boundary, at: Instant) -> None:
        if boundary is Boundary.PRE_OPEN:
            self._begin_day()
        for order in self._open_orders():
            if (boundary is Boundary.OPEN and order.ticket.time_in_force is TimeInForce.OPG) or (
                boundary is Boundary.CLOSE and order.ticket.time_in_force is TimeInForce.CLS
            ):
                self._auction(order, at)
            elif order.live and boundary in (Boundary.PRE_OPEN, Boundary.OPEN):
                self._work(order, at)
            if not order.status.is_final and order.expires_at is not None and order.expires_at <= at:
                self._expire(order, order.expires_at)

    def _begin_day(self) -> None:
        """Yesterday's last price and equity become the ones a day's change is measured from."""
        for symbol, quote in self.quotes.items():
            self.quotes[symbol] = replace(quote, prev_close=quote.mark)
        for account in self.accounts.values():
            account.last_equity = valuation.value(account, self.quotes).equity

    def _auction(self, order: Order, at: Instant) -> None:
        self._move(order, OrderStatus.NEW, "new", at)
        self._match(order, at)
        if not order.status.is_final and self.auto_match:
            self._cancel_unfilled(order, at)

    def _expire(self, order: Order, at: Instant) -> None:
        gtc_age = order.ticket.time_in_force is TimeInForce.GTC and not _at_contract_end(order, at)
        if gtc_age:
            self._cancel_unfilled(order, at)
            return
        order.expired_at = at
        self._finish(order, OrderStatus.EXPIRED, "expired", at)


def _units_at(order: Order, price: Decimal) -> Decimal:
    """What a notional order trades at a price; a sale never more than it holds, so that it cannot turn short."""
    units = units_for(order.ticket.notional or _ZERO, price)
    return min(units, order.hold.qty) if order.side is Side.SELL else units


def _waits_for_auction(order: Order) -> bool:
    return order.ticket.time_in_force in (TimeInForce.OPG, TimeInForce.CLS)


def _at_contract_end(order: Order, at: Instant) -> bool:
    contract = order.instrument
    return isinstance(contract, OptionContract) and new_york_date(at) >= contract.expiration_date
