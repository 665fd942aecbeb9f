"""The trading floor: how orders move once they are accepted, and what time does to them.

It does no I/O and reads no clock. Time reaches it through `advance`, which plays everything that fell due
since the last call in the order it fell due: fills after their latency, cancels, and the session's bounds.
"""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import assert_never

from sandbox import groups, strategies, valuation
from sandbox.accounts import Account
from sandbox.admission import units_for
from sandbox.archive import Archive
from sandbox.books import OrderBooks
from sandbox.expiry import settle_expired
from sandbox.instant import Instant, new_york_date
from sandbox.instruments import Catalogue, OptionContract
from sandbox.matching import fill_price, is_triggered, may_trade, trailed
from sandbox.orders import (
    NO_HOLD,
    GroupRole,
    Order,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
    Transition,
)
from sandbox.positions import post_fill
from sandbox.quotes import Quote
from sandbox.sessions import Boundary, SessionCalendar

_ZERO = Decimal(0)
_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})

OrderListener = Callable[[Order, Transition], None]
QuoteListener = Callable[[str, Quote, Quote | None], None]


class Task(Enum):
    """What falls due for an order."""

    ACTIVATE = "activate"
    CANCEL = "cancel"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """Sandbox time, in nanoseconds, between the answer to a request and what it leads to."""

    fill_ns: int = 0
    cancel_ns: int = 0


class Floor:
    """Accounts, quotes and orders, moved only by calls that name the present instant."""

    def __init__(
        self, *, calendar: SessionCalendar, now: Instant, latencies: Latencies | None, archive: Archive
    ) -> None:
        self.calendar = calendar
        self.latencies = latencies or Latencies()
        self.catalogue = Catalogue()
        self.quotes: dict[str, Quote] = {}
        self.accounts: dict[str, Account] = {}
        self.archive = archive
        self.books = OrderBooks(archive)
        self.auto_match = True
        self.on_order: list[OrderListener] = []
        self.on_quote: list[QuoteListener] = []
        self._agenda: list[tuple[Instant, int, Task, Order]] = []
        self._sequence = 0
        self._boundary = calendar.find_boundary(now)

    # Time

    def advance(self, now: Instant) -> None:
        """Play everything that has fallen due up to `now`."""
        while True:
            boundary_at = self._boundary[0] if self._boundary else None
            last = now if boundary_at is None else min(now, boundary_at)
            if self._agenda and self._agenda[0][0] <= last:
                at, _, task, order = heapq.heappop(self._agenda)
                self._perform(task, order, at)
            elif self._boundary is not None and self._boundary[0] <= now:
                at, boundary = self._boundary
                self._cross(boundary, at)
                self._boundary = self.calendar.find_boundary(at)
            else:
                return

    def next_due(self) -> Instant | None:
        """When something happens by itself next, None when nothing ever will."""
        due = [self._agenda[0][0]] if self._agenda else []
        if self._boundary is not None:
            due.append(self._boundary[0])
        return min(due, default=None)

    def rewind(self, now: Instant) -> None:
        """Tell the floor that time was set back; what has happened stays."""
        self._boundary = self.calendar.find_boundary(now)

    # What follows is how orders move

    def _plan(self, task: Task, order: Order, at: Instant) -> None:
        self._sequence += 1
        heapq.heappush(self._agenda, (at, self._sequence, task, order))

    def _perform(self, task: Task, order: Order, at: Instant) -> None:
        if order.status.is_final:
            return
        match task:
            case Task.CANCEL:
                self._cancel_unfilled(order, at)
            case Task.REPLACE:
                self._take_place(order, at)
            case Task.ACTIVATE:
                order.live = True
                self._work(order, at)
            case never:
                assert_never(never)

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
        if not self.auto_match or order.status.is_final:
            return
        if order.strategy_legs:
            self._match_strategy(order, at)
            return
        quote = self.quotes.get(order.symbol)
        if quote is None:
            return
        if not order.triggered and order.ticket.order_type is OrderType.TRAILING_STOP:
            order.high_water_mark, order.stop_price = trailed(order, quote)
        if not order.triggered and is_triggered(order, quote):
            self._take_over(order, at)
            order.triggered = True
        price = fill_price(order, quote)
        if price is None:
            return
        qty = _units_at(order, price) if order.leaves_qty is None else order.leaves_qty
        if qty > _ZERO:
            self._execute(order, qty, price, at)

    def _match_strategy(self, order: Order, at: Instant) -> None:
        prices = strategies.leg_prices(order.strategy_legs, self.quotes)
        if prices is not None and strategies.is_marketable(order, prices):
            self._execute_strategy(order, prices, at)

    def _execute_strategy(self, order: Order, prices: list[Decimal], at: Instant) -> None:
        """Fill every leg at its own price, all or nothing."""
        account, qty = self.accounts[order.account], order.qty or _ZERO
        for leg, price in zip(order.strategy_legs, prices, strict=True):
            traded = leg.qty or _ZERO
            account.set_hold(leg, NO_HOLD)
            post_fill(account, leg, qty=traded, price=price, at=at)
            leg.filled_qty, leg.filled_value, leg.filled_at = traded, traded * price, at
            self._finish(leg, OrderStatus.FILLED, "fill", at, qty=traded, price=price)
        net = strategies.net_price(order.strategy_legs, prices)
        order.filled_qty, order.filled_value, order.filled_at = qty, qty * net, at
        self._finish(order, OrderStatus.FILLED, "fill", at, qty=qty, price=net)

    def _execute(self, order: Order, qty: Decimal, price: Decimal, at: Instant) -> None:
        account = self.accounts[order.account]
        if order.qty is None:
            order.qty = max(_units_at(order, price), qty)
        post_fill(account, order, qty=qty, price=price, at=at)
        order.filled_qty += qty
        order.filled_value += qty * price
        order.filled_at = at
        leaves = order.qty - order.filled_qty
        if order.successor is not None:
            self._keep_place(order, at)
        if leaves == _ZERO:
            self._finish(order, OrderStatus.FILLED, "fill", at, qty=qty, price=price)
            return
        account.set_hold(order, order.full_hold.of_rest(leaves, order.qty))
        canceling = order.status is OrderStatus.PENDING_CANCEL
        status = order.status if canceling else OrderStatus.PARTIALLY_FILLED
        self._move(order, status, "partial_fill", at, qty=qty, price=price)
        if order.group is not None:
            groups.shrink_stop_loss(order, leaves)

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
        alone: bool = False,
    ) -> None:
        """End an order, and what depends on it unless it ends alone."""
        self.accounts[order.account].close(order)
        self.books.close(order)
        self._move(order, status, event, at, qty=qty, price=price)
        if order.successor is not None and status is not OrderStatus.REPLACED:
            self._keep_place(order, at)
        for leg in order.strategy_legs:
            if not leg.status.is_final:
                leg.canceled_at, leg.expired_at, leg.failed_at = (
                    order.canceled_at,
                    order.expired_at,
                    order.failed_at,
                )
                self._finish(leg, status, event, at)
        if order.group is not None and status is not OrderStatus.REPLACED and not alone:
            self._follow(order, at)

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
        if at > order.updated_at:
            order.updated_at = at
        transition = Transition(at=at, event=event, status=status, qty=qty, price=price)
        order.history.append(transition)
        if self.on_order:
            for listener in self.on_order:
                listener(order, transition)
        for leg in order.strategy_legs:
            if not status.is_final:
                self._move(leg, status, event, at)

    # What follows is how the orders of a group depend on each other

    def _follow(self, order: Order, at: Instant) -> None:
        """An entry that has filled sets its exits free; any other end takes the rest of the group along."""
        group, role = order.group, order.role
        if group is None or role is None or group.members.get(role) is not order:
            return
        if role is GroupRole.ENTRY and order.status is OrderStatus.FILLED:
            self._arm(groups.exits_to_arm(group), at)
            return
        for other in [*group.members.values()]:
            if not other.status.is_final:
                self._cancel_unfilled(other, at)

    def _arm(self, exits: list[Order], at: Instant) -> None:
        """Let exits work. A stop-loss beside a take-profit stays held, which keeps the quantity for one of them."""
        for leg in exits:
            if leg.status.is_final:
                continue
            self._keep_place(leg, at)
            leg.live = True
            if not groups.keeps_held(leg):
                self._hold_exit(leg)
                self._let_go(leg, at)
        self._match_all(exits, at)

    def _take_over(self, order: Order, at: Instant) -> None:
        """A held stop-loss that is reached takes the take-profit's place and quantity."""
        if order.group is None or not groups.keeps_held(order):
            return
        self._keep_place(order, at)
        profit = order.group.members[GroupRole.TAKE_PROFIT]
        if not profit.status.is_final:
            profit.canceled_at = at
            self._finish(profit, OrderStatus.CANCELED, "canceled", at, alone=True)
        self._hold_exit(order)
        self._let_go(order, at)

    def _let_go(self, order: Order, at: Instant) -> None:
        if order.status is OrderStatus.HELD:
            self._move(order, OrderStatus.NEW, "new", at)

    def _hold_exit(self, order: Order) -> None:
        order.full_hold = groups.exit_hold(order)
        self.accounts[order.account].set_hold(order, order.full_hold)

    def _take_place(self, order: Order, at: Instant) -> None:
        """The replacement that was asked for comes into force."""
        successor = order.successor
        if successor is None:
            return
        order.replaced_at, order.replaced_by = at, successor.order_id
        groups.take_over_membership(order, successor)
        self._finish(order, OrderStatus.REPLACED, "replaced", at)
        order.successor = None
        successor.live = order.live
        if successor.status.is_final:
            self._follow(successor, at)
        elif successor.status is not OrderStatus.HELD:
            self._work(successor, at)

    def _keep_place(self, order: Order, at: Instant) -> None:
        """The order has moved on before its replacement came into force, so that one is rejected."""
        successor, order.successor = order.successor, None
        if successor is None or successor.status.is_final:
            return
        successor.failed_at = at
        self._finish(successor, OrderStatus.REJECTED, "rejected", at)
        if order.status is OrderStatus.PENDING_REPLACE:
            self._move(order, order.status_before_replace, "order_replace_rejected", at)

    # What follows is the trading day

    def _cross(self, boundary: Boundary, at: Instant) -> None:
        if boundary is Boundary.PRE_OPEN:
            self._begin_day()
        for order in self.books.open_orders():
            if order.status.is_final or order.strategy is not None:
                continue
            if (boundary is Boundary.OPEN and order.ticket.time_in_force is TimeInForce.OPG) or (
                boundary is Boundary.CLOSE and order.ticket.time_in_force is TimeInForce.CLS
            ):
                self._auction(order, at)
            elif order.live and boundary in (Boundary.PRE_OPEN, Boundary.OPEN):
                self._work(order, at)
            self._expire_due(order, at)
        if boundary is Boundary.POST_CLOSE:
            self._end_contracts(at)
        for account in self.accounts.values():
            account.record_equity(at, valuation.value(account, self.quotes).equity)

    def _begin_day(self) -> None:
        """Yesterday's last price and equity become the ones a day's change is measured from."""
        for symbol, quote in self.quotes.items():
            self.quotes[symbol] = replace(quote, prev_close=quote.mark)
        for account in self.accounts.values():
            account.last_equity = valuation.value(account, self.quotes).equity

    def _end_contracts(self, at: Instant) -> None:
        today = new_york_date(at)
        for account in self.accounts.values():
            settle_expired(account, self.catalogue, self.quotes, today=today, at=at)

    def _auction(self, order: Order, at: Instant) -> None:
        self._move(order, OrderStatus.NEW, "new", at)
        self._match(order, at)
        if not order.status.is_final and self.auto_match:
            self._cancel_unfilled(order, at)

    def _expire_due(self, order: Order, at: Instant) -> None:
        if not order.status.is_final and order.expires_at is not None and order.expires_at <= at:
            self._expire(order, order.expires_at)

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
    return any(
        isinstance(each.instrument, OptionContract) and new_york_date(at) >= each.instrument.expiration_date
        for each in (order, *order.strategy_legs)
    )
