"""The exchange as its clients and the control API see it: what may be asked, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

from sandbox import groups, replacement, valuation
from sandbox.accounts import Account
from sandbox.admission import Admission, Market, admit, expiry_of
from sandbox.archive import Archive
from sandbox.errors import bad_field, not_found, refused
from sandbox.floor import Floor, Latencies, Task
from sandbox.instant import Instant
from sandbox.instruments import Instrument, Strategy, Traded, plain_instrument
from sandbox.matching import may_trade
from sandbox.multileg_admission import admit_strategy, leg_tickets
from sandbox.order_group_admission import check_group
from sandbox.orders import (
    NO_HOLD,
    Order,
    OrderClass,
    OrderGroup,
    OrderId,
    OrderStatus,
    OrderTicket,
)
from sandbox.price_history import PriceHistory
from sandbox.quotes import Quote, QuoteChange
from sandbox.sessions import SessionCalendar
from sandbox.strategies import leg_prices


class Exchange(Floor):
    """One market with its accounts. Every method that takes `now` expects `advance(now)` to have been called."""

    def __init__(
        self,
        *,
        calendar: SessionCalendar,
        now: Instant,
        latencies: Latencies | None = None,
        archive: Archive | None = None,
        new_id: Callable[[], str] = lambda: str(uuid4()),
    ) -> None:
        super().__init__(calendar=calendar, now=now, latencies=latencies, archive=archive or Archive())
        self.history = PriceHistory(calendar)
        self.on_quote.append(self.history.hear)
        self._by_key: dict[str, Account] = {}
        self._last_submission = Instant(0)
        self._new_id = new_id

    # Accounts, instruments and quotes

    def open_account(self, account: Account, now: Instant) -> None:
        """Add an account; one of the same name is replaced, its open orders are canceled first."""
        old = self.accounts.get(account.terms.name)
        if old is not None:
            self._by_key.pop(old.terms.key, None)
            for order in [*old.open_orders.values()]:
                if not order.status.is_final:
                    self._cancel_unfilled(order, now)
        self.accounts[account.terms.name] = account
        self._by_key[account.terms.key] = account
        account.last_equity = valuation.value(account, self.quotes).equity
        account.record_equity(now, account.last_equity)

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
        old = self.quotes.get(symbol)
        quote = self.quotes[symbol] = change.applied_to(old, now)
        for listener in self.on_quote:
            listener(symbol, quote, old)
        self._match_all(self.books.watching(symbol), now)
        return quote

    def set_auto_match(self, *, enabled: bool, now: Instant) -> None:
        """Stop trading by itself, so that only `fill` trades, or go on and trade what is marketable."""
        self.auto_match = enabled
        for order in self.books.open_orders():
            if order.live and not order.status.is_final:
                self._work(order, now)

    # Orders

    def submit(self, account: Account, ticket: OrderTicket, now: Instant) -> Order:
        """Accept an order. It starts to work after the fill latency, at the next `advance`.

        Raises:
            AlpacaError: the order is refused; nothing has changed.
        """
        self._check_new_id(account, ticket.client_order_id)
        market = Market(now=now, calendar=self.calendar, quotes=self.quotes)
        if ticket.order_class is OrderClass.MLEG:
            order = self._submit_strategy(account, ticket, market)
        else:
            order = self._submit_single(account, ticket, market)
        self._plan(Task.ACTIVATE, order, Instant(now + self.latencies.fill_ns))
        return order

    def cancel(self, order: Order, now: Instant) -> None:
        """Take a request to cancel; the order may still fill until the cancel latency is over.

        Raises:
            AlpacaError: the order is final, being cancelled or replaced already, or part of a multi-leg order.
        """
        if order.status.is_final or order.status in (
            OrderStatus.PENDING_CANCEL,
            OrderStatus.PENDING_REPLACE,
        ):
            raise refused(f'order is already in "{order.status.value}" state')
        if order.strategy is not None:
            raise refused("legs of a multi-leg order cannot be canceled individually")
        self._move(order, OrderStatus.PENDING_CANCEL, "pending_cancel", now)
        self._plan(Task.CANCEL, order, Instant(now + self.latencies.cancel_ns))

    def replace_order(
        self, account: Account, order: Order, change: replacement.Change, now: Instant
    ) -> Order:
        """The order that is to stand in for another once the cancel latency is over, if that has not filled first.

        Raises:
            AlpacaError: the order cannot be replaced, or not so; nothing has changed.
        """
        ticket = replacement.changed(order, change)
        self._check_new_id(account, ticket.client_order_id)
        market = Market(now=now, calendar=self.calendar, quotes=self.quotes)
        kept = order.hold
        kept_legs = [leg.hold for leg in order.strategy_legs]
        account.set_aside(order)
        try:
            successor = self._successor(account, order, ticket, market)
        except Exception:
            account.set_back(order, kept, kept_legs)
            raise
        account.keep_surplus(order, successor, kept, kept_legs)
        order.successor, order.status_before_replace = successor, order.status
        self._move(order, OrderStatus.PENDING_REPLACE, "pending_replace", now)
        self._plan(Task.REPLACE, order, Instant(now + self.latencies.cancel_ns))
        return successor

    def find_order(self, account: Account, order_id: str) -> Order:
        """The account's order of that id.

        Raises:
            AlpacaError: 404, also for another account's order.
        """
        key = OrderId(order_id)
        order = account.orders.get(key) or self.archive.find_order(account.serial, key)
        if order is None:
            raise not_found(f"order not found for {order_id}")
        return order

    def find_by_client_order_id(self, account: Account, client_order_id: str) -> Order | None:
        """The account's order of that client order id, however long ago."""
        order = account.by_client_order_id.get(client_order_id)
        return order or self.archive.find_client_order(account.serial, client_order_id)

    def fill(self, order: Order, *, qty: Decimal, price: Decimal, now: Instant) -> None:
        """Trade part or all of an open order at a price, whatever the market says.

        Raises:
            ValueError: the order is final or held, or less than `qty` is left of it.
        """
        if order.status.is_final or order.status is OrderStatus.HELD:
            raise ValueError(f"order is already {order.status.value}")
        if order.strategy is not None:
            raise ValueError("a leg fills with its multi-leg order")
        if order.replaces is not None and self.books.find(order.replaces) is not None:
            raise ValueError("the order that it replaces is still in force")
        if order.leaves_qty is not None and qty > order.leaves_qty:
            raise ValueError(f"qty: only {order.leaves_qty} left of the order, got {qty}")
        if order.strategy_legs:
            self._fill_strategy(order, qty, now)
            return
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

    # What follows is how orders are made

    def _check_new_id(self, account: Account, client_order_id: str | None) -> None:
        if client_order_id is None:
            return
        if client_order_id in account.by_client_order_id or self.archive.knows_client_order(
            account.serial, client_order_id
        ):
            raise bad_field("client_order_id must be unique")

    def _listed(self, symbol: str) -> Instrument:
        instrument = self.catalogue.find_either(symbol)
        if instrument is None:
            raise refused(f'asset "{symbol}" not found')
        return instrument

    def _submit_single(self, account: Account, ticket: OrderTicket, market: Market) -> Order:
        instrument = self._listed(ticket.symbol)
        if instrument.symbol != ticket.symbol:
            ticket = replace(ticket, symbol=instrument.symbol)
        admission = admit(account, ticket, instrument, market)
        if not ticket.order_class.is_simple:
            check_group(ticket, instrument, admission.intent, market)
        order = self._new_order(account, ticket, instrument, admission, market)
        self._enter(account, order)
        if not ticket.order_class.is_simple:
            self._add_legs(account, order, market)
        self._accept(order, market)
        return order

    def _add_legs(self, account: Account, parent: Order, market: Market) -> None:
        """The orders that wait for the first one of their group."""
        role = groups.parent_role(parent.ticket)
        group = parent.group = OrderGroup(group_id=self._new_id(), members={role: parent})
        parent.role = role
        for leg_role, ticket in groups.leg_tickets(parent.ticket):
            admission = Admission(intent=groups.exit_intent(ticket.side), hold=NO_HOLD)
            leg = self._new_order(account, ticket, parent.instrument, admission, market, held=True)
            leg.group, leg.role = group, leg_role
            leg.live = parent.ticket.order_class is OrderClass.OCO
            group.members[leg_role] = leg
            self._enter(account, leg)
            self._accept(leg, market)

    def _submit_strategy(self, account: Account, ticket: OrderTicket, market: Market) -> Order:
        legs = [
            (each, leg, self._listed(each.symbol))
            for each, leg in zip(leg_tickets(ticket), ticket.legs, strict=True)
        ]
        admission = admit_strategy(account, ticket, [(each, found) for each, _, found in legs], market)
        parent = self._new_order(account, ticket, Strategy(), admission.parent, market)
        for (each, leg, instrument), admitted in zip(legs, admission.legs, strict=True):
            child = self._new_order(account, each, instrument, admitted, market)
            child.ratio_qty, child.strategy = leg.ratio_qty, parent
            parent.strategy_legs.append(child)
        parent.expires_at = min(
            (leg.expires_at for leg in parent.strategy_legs if leg.expires_at is not None),
            default=parent.expires_at,
        )
        for each_order in (parent, *parent.strategy_legs):
            self._enter(account, each_order)
        self._accept(parent, market)
        return parent

    def _successor(self, account: Account, order: Order, ticket: OrderTicket, market: Market) -> Order:
        if ticket.order_class is OrderClass.MLEG:
            successor = self._submit_strategy(account, ticket, market)
            successor.replaces = order.order_id
            return successor
        held = order.status is OrderStatus.HELD
        instrument = self._listed(ticket.symbol)
        admission = (
            Admission(intent=order.intent, hold=NO_HOLD)
            if held
            else admit(account, ticket, instrument, market)
        )
        successor = self._new_order(account, ticket, instrument, admission, market, held=held)
        successor.replaces = order.order_id
        successor.role, successor.group = order.role, order.group
        self._enter(account, successor)
        self._accept(successor, market)
        return successor

    def _enter(self, account: Account, order: Order) -> None:
        account.admit(order)
        self.books.add(account, order)

    def _new_order(
        self,
        account: Account,
        ticket: OrderTicket,
        instrument: Traded,
        admission: Admission,
        market: Market,
        *,
        held: bool = False,
    ) -> Order:
        self._sequence += 1
        # Never the same stamp twice, also while the clock is frozen: clients page by submitted_at.
        stamp = self._last_submission = Instant(max(market.now, self._last_submission + 1))
        return Order(
            order_id=OrderId(self._new_id()),
            sequence=self._sequence,
            account=account.terms.name,
            client_order_id=ticket.client_order_id or self._new_id(),
            instrument=instrument,
            ticket=ticket,
            intent=admission.intent,
            status=OrderStatus.HELD if held else OrderStatus.PENDING_NEW,
            submitted_at=stamp,
            updated_at=stamp,
            expires_at=expiry_of(ticket, instrument, market),
            qty=ticket.qty,
            stop_price=ticket.stop_price,
            full_hold=admission.hold,
        )

    def _accept(self, order: Order, market: Market) -> None:
        """Begin the history of an order, once everything that belongs to it is in place."""
        if order.status is OrderStatus.HELD:
            self._move(order, OrderStatus.HELD, "held", order.submitted_at)
        else:
            in_time = may_trade(order, market.phase)
            status = OrderStatus.PENDING_NEW if in_time else OrderStatus.ACCEPTED
            self._move(order, status, "accepted", order.submitted_at)

    def _fill_strategy(self, order: Order, qty: Decimal, now: Instant) -> None:
        prices = leg_prices(order.strategy_legs, self.quotes)
        if qty != order.leaves_qty or prices is None:
            raise ValueError("qty: a multi-leg order fills in full at the quotes of its legs")
        self._execute_strategy(order, prices, now)
