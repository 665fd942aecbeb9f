"""No sequence of requests makes the exchange lose or create money, units or holds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sandbox import spread_margin
from sandbox.errors import AlpacaError
from sandbox.floor import Latencies
from sandbox.orders import Order, OrderStatus, Side
from sandbox_desk import CALL, HIGHER_CALL, PUT, Desk, open_desk

SYMBOLS = ("AAPL", "MSFT", CALL, PUT)
START = Decimal(300000)
NEAR = (Decimal("0.9"), Decimal("0.99"), Decimal(1), Decimal("1.01"), Decimal("1.1"))
cents = st.integers(min_value=1, max_value=40_000).map(lambda n: Decimal(n) / 100)
near_the_market = st.sampled_from(NEAR)
quantities = st.one_of(
    st.integers(min_value=1, max_value=20).map(Decimal),
    st.integers(min_value=1, max_value=300).map(Decimal),
    st.integers(min_value=1, max_value=5_000_000_000).map(lambda n: Decimal(n) / 10**9),
)


class Exchange(RuleBasedStateMachine):
    """Random clients, markets and clocks; the model is a sum over the fills in the orders' histories."""

    def __init__(self) -> None:
        super().__init__()
        self.desk: Desk = open_desk(cash=str(START))

    @initialize(
        multiplier=st.sampled_from([1, 2, 4]),
        fill_ms=st.sampled_from([0, 500]),
        cancel_ms=st.sampled_from([0, 500]),
    )
    def begin(self, multiplier: int, fill_ms: int, cancel_ms: int) -> None:
        latencies = Latencies(fill_ns=fill_ms * 1_000_000, cancel_ns=cancel_ms * 1_000_000)
        self.desk = open_desk(cash=str(START), multiplier=multiplier, latencies=latencies)

    @property
    def orders(self) -> list[Order]:
        return [*self.desk.account.orders.values()]

    @rule(
        symbol=st.sampled_from(SYMBOLS),
        side=st.sampled_from(["buy", "sell"]),
        kind=st.sampled_from(["market", "limit", "stop", "stop_limit", "trailing_stop"]),
        tif=st.sampled_from(["day", "day", "gtc", "ioc", "fok", "opg", "cls"]),
        qty=quantities,
        limit=near_the_market,
        stop=near_the_market,
    )
    def place(
        self, symbol: str, side: str, kind: str, tif: str, qty: Decimal, limit: Decimal, stop: Decimal
    ) -> None:
        fields: dict[str, Any] = {"symbol": symbol, "side": side, "type": kind, "time_in_force": tif}
        if kind in ("limit", "stop_limit"):
            fields["limit_price"] = self._price(symbol, limit)
        if kind in ("stop", "stop_limit"):
            fields["stop_price"] = self._price(symbol, stop)
        if kind == "trailing_stop":
            fields["trail_percent"] = "3"
        self._submit({**fields, "qty": str(qty)})

    @rule(side=st.sampled_from(["buy", "sell"]), notional=cents, all_of_it=st.booleans())
    def place_for_an_amount(self, side: str, notional: Decimal, all_of_it: bool) -> None:
        if all_of_it:
            worth = self.desk.account.position_qty("AAPL") * self.desk.exchange.quotes["AAPL"].mark
            notional = max(worth.quantize(Decimal("0.01")), Decimal(1))
        order = {"symbol": "AAPL", "side": side, "type": "market", "time_in_force": "day"}
        self._submit({**order, "notional": str(notional)})

    @rule(
        order_class=st.sampled_from(["bracket", "oto", "oco"]),
        side=st.sampled_from(["buy", "sell"]),
        kind=st.sampled_from(["market", "limit"]),
        qty=st.integers(1, 50),
        distance=st.integers(1, 5),
    )
    def place_group(self, order_class: str, side: str, kind: str, qty: int, distance: int) -> None:
        kind = "limit" if order_class == "oco" else kind
        fields: dict[str, Any] = {"symbol": "AAPL", "side": side, "type": kind, "time_in_force": "gtc"}
        gains = (side == "buy") is not (order_class == "oco")
        above = self._price("AAPL", 1 + Decimal(distance) / 100)
        below = self._price("AAPL", 1 - Decimal(distance) / 100)
        fields["take_profit"] = {"limit_price": above if gains else below}
        if order_class != "oto":
            fields["stop_loss"] = {"stop_price": below if gains else above}
        if kind == "limit" and order_class != "oco":
            fields["limit_price"] = self._price("AAPL", Decimal(1))
        self._submit({**fields, "order_class": order_class, "qty": str(qty)})

    @rule(
        sides=st.permutations(["buy", "sell"]),
        qty=st.integers(1, 5),
        ratio=st.integers(1, 2),
        limit=st.one_of(st.none(), st.integers(-10, 10)),
    )
    def place_strategy(self, sides: list[str], qty: int, ratio: int, limit: int | None) -> None:
        legs = [
            {"symbol": CALL, "side": sides[0], "ratio_qty": "1"},
            {"symbol": HIGHER_CALL, "side": sides[1], "ratio_qty": str(ratio)},
        ]
        price = {"type": "market"} if limit is None else {"type": "limit", "limit_price": str(limit)}
        order = {"order_class": "mleg", "time_in_force": "day", "qty": str(qty), "legs": legs, **price}
        self._submit({**order, "symbol": None, "side": None})

    @precondition(lambda self: self.desk.account.open_orders)
    @rule(pick=st.randoms(use_true_random=False), qty=st.integers(1, 50), factor=near_the_market)
    def replace(self, pick: Any, qty: int, factor: Decimal) -> None:
        self.desk.wait()
        if not self.desk.account.open_orders:
            return
        order = pick.choice([*self.desk.account.open_orders.values()])
        fields = {"qty": str(qty)} if pick.random() < 0.5 else {"time_in_force": "gtc"}
        if order.ticket.limit_price is not None and order.symbol:
            fields = {"limit_price": self._price(order.symbol, factor)}
        before = self._books()
        try:
            self.desk.replace(order, **fields)
        except AlpacaError:
            assert self._books() == before, "a refusal changes nothing"

    @rule()
    def close_everything(self) -> None:
        self.desk.wait()
        for position in [*self.desk.account.positions.values()]:
            side = "sell" if position.qty > 0 else "buy"
            self._submit(
                {
                    "symbol": position.instrument.symbol,
                    "side": side,
                    "type": "market",
                    "time_in_force": "day",
                    "qty": str(abs(position.qty)),
                }
            )

    def _submit(self, fields: dict[str, Any]) -> None:
        before = self._books()
        try:
            self.desk.submit(**fields)
        except AlpacaError:
            assert self._books() == before, "a refusal changes nothing"

    def _price(self, symbol: str, factor: Decimal) -> str:
        ask = self.desk.exchange.quotes[symbol].ask
        return str(max((ask * factor).quantize(Decimal("0.01")), Decimal("0.01")))

    @precondition(lambda self: self.orders)
    @rule(pick=st.randoms(use_true_random=False))
    def cancel(self, pick: Any) -> None:
        order = pick.choice(self.orders)
        final = order.status.is_final or order.strategy is not None
        final = final or order.status in (OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE)
        try:
            self.desk.cancel(order)
        except AlpacaError:
            assert final or order.status.is_final

    @precondition(lambda self: self.desk.account.open_orders)
    @rule(pick=st.randoms(use_true_random=False), part=st.integers(1, 10), price=cents)
    def fill_by_hand(self, pick: Any, part: int, price: Decimal) -> None:
        order = pick.choice([*self.desk.account.open_orders.values()])
        if order.leaves_qty is not None and not (order.strategy or order.strategy_legs):
            qty = order.leaves_qty * part / 10
            try:
                self.desk.exchange.fill(order, qty=qty, price=price, now=self.desk.now)
            except ValueError:
                waits = order.replaces is not None or order.status is OrderStatus.HELD
                assert waits, "only what waits for another order cannot be filled"

    @precondition(lambda self: self.desk.account.open_orders)
    @rule(pick=st.randoms(use_true_random=False))
    def reject(self, pick: Any) -> None:
        order = pick.choice([*self.desk.account.open_orders.values()])
        if order.strategy is None:
            self.desk.exchange.reject(order, self.desk.now)

    @rule(symbol=st.sampled_from(SYMBOLS), factor=near_the_market, spread=st.integers(0, 50))
    def move_market(self, symbol: str, factor: Decimal, spread: int) -> None:
        bid = Decimal(self._price(symbol, factor))
        self.desk.quote(symbol, str(bid), str(bid + Decimal(spread) / 100))

    @rule(minutes=st.sampled_from([0, 1, 1, 30, 400, 1_440, 10_000]))
    def let_time_pass(self, minutes: int) -> None:
        self.desk.wait(minutes * 60_000)

    @rule(enabled=st.booleans())
    def switch_matching(self, enabled: bool) -> None:
        self.desk.exchange.set_auto_match(enabled=enabled, now=self.desk.now)

    @invariant()
    def cash_is_the_start_less_what_was_bought_plus_what_was_sold(self) -> None:
        cash = START
        for order, qty, price in self._fills():
            signed = qty if order.side is Side.BUY else -qty
            cash -= signed * price * order.instrument.multiplier
        assert self.desk.account.cash == cash

    @invariant()
    def positions_are_the_sum_of_the_fills(self) -> None:
        held: dict[str, Decimal] = {}
        for order, qty, _ in self._fills():
            signed = qty if order.side is Side.BUY else -qty
            held[order.symbol] = held.get(order.symbol, Decimal(0)) + signed
        positions = self.desk.account.positions
        assert {s: q for s, q in held.items() if q} == {s: p.qty for s, p in positions.items()}
        assert all(position.avg_entry_price > 0 for position in positions.values())

    @invariant()
    def holds_are_those_of_the_open_orders_and_nothing_else(self) -> None:
        account = self.desk.account
        open_orders = [order for order in self.orders if not order.status.is_final]
        assert set(account.open_orders.values()) == set(open_orders)
        assert account.held_margin == sum((order.hold.margin for order in open_orders), Decimal(0))
        held: dict[str, Decimal] = {}
        for order in open_orders:
            if order.hold.symbol is not None:
                held[order.hold.symbol] = held.get(order.hold.symbol, Decimal(0)) + order.hold.qty
        assert {s: q for s, q in held.items() if q} == account.held_qty
        for order in open_orders:
            if order.qty is not None and order.successor is None:
                assert order.hold == order.full_hold.of_rest(order.qty - order.filled_qty, order.qty)

    @invariant()
    def an_order_never_fills_more_than_it_asked_and_ends_only_once(self) -> None:
        for order in self.orders:
            filled = sum((t.qty for t in order.history if t.qty is not None), Decimal(0))
            assert order.filled_qty == filled
            assert order.qty is None or filled <= order.qty
            assert (order.status is OrderStatus.FILLED) == (order.qty is not None and filled == order.qty)
            ends = [t for t in order.history if t.status.is_final]
            assert len(ends) == (1 if order.status.is_final else 0)
            assert not ends or ends[-1] is order.history[-1]

    @invariant()
    def no_more_is_held_of_a_position_than_there_is(self) -> None:
        account = self.desk.account
        for symbol in ("MSFT", CALL, HIGHER_CALL):
            assert account.held_qty.get(symbol, Decimal(0)) <= abs(account.position_qty(symbol))

    @invariant()
    def of_a_group_only_one_exit_can_ever_trade(self) -> None:
        for order in self.orders:
            if order.group is not None and not order.status.is_final:
                working = [
                    each
                    for role, each in order.group.members.items()
                    if role.value != "entry" and each.hold.qty
                ]
                assert len(working) <= 1

    @invariant()
    def an_account_that_may_not_short_is_never_short_of_shares(self) -> None:
        account = self.desk.account
        if account.terms.multiplier == 1:
            assert all(account.position_qty(symbol) >= 0 for symbol in ("AAPL", "MSFT"))

    @invariant()
    def options_are_never_sold_that_are_neither_held_nor_covered(self) -> None:
        account = self.desk.account
        shares = account.position_qty("AAPL")
        needed = spread_margin.requirement(account.positions.values())
        assert needed.shares.get("AAPL", Decimal(0)) <= max(shares, Decimal(0))

    def _fills(self) -> list[tuple[Order, Decimal, Decimal]]:
        return [
            (order, t.qty, t.price)
            for order in self.orders
            if not order.strategy_legs
            for t in order.history
            if t.qty is not None and t.price is not None
        ]

    def _books(self) -> tuple[object, ...]:
        account = self.desk.account
        self.desk.wait()
        return (account.cash, len(account.orders), account.held_margin, dict(account.held_qty))


TestMoney = Exchange.TestCase
TestMoney.settings = settings(
    max_examples=40,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
