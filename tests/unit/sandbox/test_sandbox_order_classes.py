"""Orders that come in groups, orders that are replaced, positions that are closed, and options that end."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sandbox.errors import AlpacaError
from sandbox.floor import Latencies
from sandbox.orders import GroupRole, Order, OrderStatus
from sandbox.trading_json import order_json
from sandbox_desk import CALL, HIGHER_CALL, PUT, Desk, open_desk

SECOND = 1_000_000_000
FRIDAY_CALL, FRIDAY_PUT = "AAPL261127C00200000", "AAPL261127P00180000"
EXITS = {"take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "95"}}


@pytest.fixture
def desk() -> Desk:
    return open_desk()


def bracket(desk: Desk, **fields: Any) -> tuple[Order, Order, Order]:
    order = desk.placed(order_class="bracket", qty="10", **{**EXITS, **fields})
    assert order.group is not None
    members = order.group.members
    return order, members[GroupRole.TAKE_PROFIT], members[GroupRole.STOP_LOSS]


def spread(qty: str = "1", **fields: Any) -> dict[str, Any]:
    legs = [
        {"symbol": CALL, "side": "buy", "ratio_qty": "1", "position_intent": "buy_to_open"},
        {"symbol": HIGHER_CALL, "side": "sell", "ratio_qty": "1", "position_intent": "sell_to_open"},
    ]
    body = {"order_class": "mleg", "symbol": None, "side": None, "qty": qty, "legs": legs}
    return {**body, "type": "limit", "limit_price": "4", **fields}


class TestBracket:
    def test_its_exits_are_held_until_the_entry_has_filled(self, desk: Desk) -> None:
        entry, profit, loss = bracket(desk, type="limit", limit_price="99")
        before = (entry.status, profit.status, loss.status)
        desk.quote("AAPL", "98.98", "99.00")

        assert before == (OrderStatus.NEW, OrderStatus.HELD, OrderStatus.HELD)
        assert (entry.status, profit.status, loss.status) == (
            OrderStatus.FILLED,
            OrderStatus.NEW,
            OrderStatus.HELD,
        )
        assert desk.account.held_qty == {"AAPL": Decimal(10)}

    @pytest.mark.parametrize(
        ("bid", "ask", "ends", "cash"),
        [
            ("110.00", "110.04", (OrderStatus.FILLED, OrderStatus.CANCELED), "110.00"),
            ("94.90", "94.94", (OrderStatus.CANCELED, OrderStatus.FILLED), "94.90"),
        ],
        ids=["profit", "loss"],
    )
    def test_the_exit_that_the_market_reaches_cancels_the_other(
        self, desk: Desk, bid: str, ask: str, ends: tuple[OrderStatus, OrderStatus], cash: str
    ) -> None:
        _, profit, loss = bracket(desk)
        desk.quote("AAPL", bid, ask)

        assert (profit.status, loss.status) == ends
        assert desk.account.positions == {}
        assert desk.account.cash == 100_000 + 10 * (Decimal(cash) - Decimal("100.02"))

    @pytest.mark.parametrize("which", ["entry", "take-profit", "stop-loss"])
    def test_canceling_one_cancels_all(self, desk: Desk, which: str) -> None:
        orders = bracket(desk, type="limit", limit_price="99")
        desk.cancel(orders[["entry", "take-profit", "stop-loss"].index(which)])
        desk.wait()

        assert {order.status for order in orders} == {OrderStatus.CANCELED}
        assert desk.account.open_orders == {}

    def test_a_partly_filled_take_profit_leaves_the_stop_loss_the_rest(self, desk: Desk) -> None:
        _, profit, loss = bracket(desk)
        desk.exchange.fill(profit, qty=Decimal(4), price=Decimal(110), now=desk.now)
        desk.quote("AAPL", "94.90", "94.94")

        assert (loss.qty, loss.filled_qty) == (Decimal(6), Decimal(6))
        assert desk.account.positions == {}

    def test_a_short_one_exits_by_buying(self, desk: Desk) -> None:
        entry, profit, _ = bracket(
            desk, side="sell", take_profit={"limit_price": "90"}, stop_loss={"stop_price": "105"}
        )
        desk.quote("AAPL", "89.96", "90.00")

        assert entry.status is OrderStatus.FILLED
        assert (profit.status, profit.filled_avg_price) == (OrderStatus.FILLED, Decimal(90))
        assert desk.account.positions == {}

    def test_its_json_names_group_and_roles_and_nests_the_legs(self, desk: Desk) -> None:
        entry, profit, loss = bracket(desk, type="limit", limit_price="99")
        nested, flat = order_json(entry), order_json(entry, nested=False)

        assert [leg["id"] for leg in nested["legs"]] == [profit.order_id, loss.order_id]  # type: ignore[attr-defined] # a JSON list
        assert flat["legs"] is None
        assert (nested["group_role"], order_json(loss)["group_role"]) == ("entry", "stop_loss")
        assert nested["group_id"] == order_json(loss)["group_id"]
        assert order_json(loss)["order_class"] == "bracket"

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"take_profit": {"limit_price": "99"}}, "take_profit.limit_price must be >= base_price"),
            ({"stop_loss": {"stop_price": "101"}}, "stop_loss.stop_price must be <= base_price"),
            ({"stop_loss": {"stop_price": "111"}}, "winning side"),
            ({"stop_loss": None}, "require stop_loss.stop_price"),
            ({"qty": "1.5"}, "fractional"),
            ({"time_in_force": "ioc"}, "time in force"),
            ({"symbol": CALL}, "complex orders not supported for options"),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_one_that_makes_no_sense_is_refused(
        self, desk: Desk, changes: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(AlpacaError, match=words.replace("+", "[+]")):
            desk.submit(**{"order_class": "bracket", "qty": "10", **EXITS, **changes})
        assert not desk.account.orders


class TestOco:
    def test_it_exits_what_is_held_by_one_of_its_two_orders(self, desk: Desk) -> None:
        desk.hold("AAPL", "10")
        order = desk.placed(side="sell", type="limit", qty="10", order_class="oco", **EXITS)
        (loss,) = order.legs
        before = (order.status, loss.status, order.ticket.limit_price)
        desk.quote("AAPL", "94.90", "94.94")

        assert before == (OrderStatus.NEW, OrderStatus.HELD, Decimal(110))
        assert (order.status, loss.status) == (OrderStatus.CANCELED, OrderStatus.FILLED)
        assert desk.account.held_qty == {}

    def test_it_needs_something_to_exit(self, desk: Desk) -> None:
        with pytest.raises(AlpacaError, match="exit orders"):
            desk.submit(side="sell", type="limit", qty="10", order_class="oco", **EXITS)


class TestOto:
    def test_its_one_exit_works_once_the_entry_has_filled(self, desk: Desk) -> None:
        order = desk.placed(order_class="oto", qty="5", stop_loss={"stop_price": "95", "limit_price": "94"})
        (loss,) = order.legs
        working = loss.status
        desk.quote("AAPL", "94.50", "94.54")

        assert (working, loss.status) == (OrderStatus.NEW, OrderStatus.FILLED)
        assert loss.filled_avg_price == Decimal("94.50")


class TestMultileg:
    def test_it_fills_all_legs_at_their_touch_when_the_net_price_is_within_the_limit(
        self, desk: Desk
    ) -> None:
        order = desk.placed(**spread("2"))
        first, second = order.strategy_legs

        assert order.status is OrderStatus.FILLED
        assert order.filled_avg_price == Decimal("10.05") - Decimal("6.95")
        assert (first.filled_avg_price, second.filled_avg_price) == (Decimal("10.05"), Decimal("6.95"))
        assert desk.account.cash == 100_000 - 2 * 310
        assert {s: p.qty for s, p in desk.account.positions.items()} == {CALL: 2, HIGHER_CALL: -2}

    def test_it_waits_for_its_net_price_and_holds_it(self, desk: Desk) -> None:
        order = desk.placed(**spread(limit_price="3"))
        held = desk.account.held_margin
        desk.quote(CALL, "9.80", "9.90")

        assert held == 300
        assert order.status is OrderStatus.FILLED
        assert desk.account.held_margin == 0

    def test_a_credit_spread_holds_what_it_can_lose(self, desk: Desk) -> None:
        legs = [
            {"symbol": CALL, "side": "sell", "ratio_qty": "1"},
            {"symbol": HIGHER_CALL, "side": "buy", "ratio_qty": "1"},
        ]
        desk.placed(**spread(legs=legs, limit_price="-4"))

        assert desk.account.held_margin == 1_000

    def test_the_long_leg_cannot_be_sold_away_from_the_short_one_but_both_can_be_closed(
        self, desk: Desk
    ) -> None:
        desk.placed(**spread())
        with pytest.raises(AlpacaError, match="insufficient qty available"):
            desk.submit(symbol=CALL, side="sell", qty="1")
        legs = [
            {"symbol": CALL, "side": "sell", "ratio_qty": "1"},
            {"symbol": HIGHER_CALL, "side": "buy", "ratio_qty": "1"},
        ]
        desk.placed(**spread(legs=legs, type="market", limit_price=None))

        assert desk.account.positions == {}

    def test_its_json_has_no_symbol_of_its_own(self, desk: Desk) -> None:
        shown = order_json(desk.placed(**spread(limit_price="1")))

        assert [shown[key] for key in ("symbol", "asset_id", "side", "asset_class")] == ["", "", "", ""]
        assert shown["order_class"] == "mleg"
        assert [leg["ratio_qty"] for leg in shown["legs"]] == ["1", "1"]  # type: ignore[attr-defined] # a JSON list

    def test_canceling_it_cancels_its_legs(self, desk: Desk) -> None:
        order = desk.placed(**spread(limit_price="1"))
        with pytest.raises(AlpacaError, match="individually"):
            desk.cancel(order.strategy_legs[0])
        desk.cancel(order)
        desk.wait()

        assert {each.status for each in (order, *order.strategy_legs)} == {OrderStatus.CANCELED}

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"legs": []}, "2 to 4 legs"),
            ({"symbol": "AAPL"}, "symbol is not allowed"),
            ({"limit_price": "1.001"}, "sub-penny"),
            ({"qty": None}, "qty or notional is required"),
            (
                {"legs": [{"symbol": CALL, "side": "sell", "ratio_qty": "1"}, {"symbol": PUT, "side": "buy", "ratio_qty": "1"}]},
                "uncovered",
            ),
            (
                {"legs": [{"symbol": CALL, "side": "buy", "ratio_qty": "2"}, {"symbol": HIGHER_CALL, "side": "sell", "ratio_qty": "2"}]},
                "relatively prime",
            ),
            (
                {"legs": [{"symbol": CALL, "side": "buy", "ratio_qty": "1"}, {"symbol": "AAPL", "side": "sell", "ratio_qty": "1"}]},
                "not allowed for mleg",
            ),
        ],
        ids=["no legs", "symbol", "sub-penny", "no qty", "uncovered", "ratios", "stock leg"],
    )  # fmt: skip
    def test_one_that_makes_no_sense_is_refused(
        self, desk: Desk, changes: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(AlpacaError, match=words):
            desk.submit(**spread(**changes))
        assert not desk.account.orders

    def test_it_needs_the_level_for_spreads(self) -> None:
        with pytest.raises(AlpacaError, match="not eligible"):
            open_desk(options_level=2).submit(**spread())


class TestReplace:
    def test_the_new_order_has_a_new_id_and_both_name_each_other(self, desk: Desk) -> None:
        old = desk.placed(type="limit", limit_price="99", client_order_id="first")
        new = desk.replace(old, limit_price="98", qty="2", client_order_id="second")
        pending = (old.status, new.status)
        desk.wait()

        assert pending == (OrderStatus.PENDING_REPLACE, OrderStatus.PENDING_NEW)
        assert (old.status, new.status) == (OrderStatus.REPLACED, OrderStatus.NEW)
        assert (old.replaced_by, new.replaces) == (new.order_id, old.order_id)
        assert (new.ticket.limit_price, new.qty, new.client_order_id) == (
            Decimal(98),
            Decimal(2),
            "second",
        )
        assert desk.account.held_margin == 98

    def test_a_fill_before_it_is_in_force_rejects_the_new_order(self) -> None:
        desk = open_desk(latencies=Latencies(cancel_ns=SECOND))
        old = desk.placed(type="limit", limit_price="99")
        new = desk.replace(old, limit_price="98")
        desk.quote("AAPL", "98.98", "99.00")
        desk.wait(1_000)

        assert (old.status, new.status) == (OrderStatus.FILLED, OrderStatus.REJECTED)
        assert desk.account.held_margin == 0

    def test_a_partial_fill_before_it_is_in_force_keeps_the_old_order(self) -> None:
        desk = open_desk(latencies=Latencies(cancel_ns=SECOND))
        old = desk.placed(type="limit", limit_price="99", qty="3")
        new = desk.replace(old, qty="5")
        desk.exchange.fill(old, qty=Decimal(1), price=Decimal(99), now=desk.now)
        desk.wait(1_000)

        assert (old.status, new.status) == (OrderStatus.PARTIALLY_FILLED, OrderStatus.REJECTED)

    def test_a_bracket_goes_on_with_the_replacement_of_its_stop_loss(self, desk: Desk) -> None:
        _, profit, loss = bracket(desk)
        new = desk.replace(loss, stop_price="97")
        desk.quote("AAPL", "96.90", "96.94")

        assert (loss.status, new.status) == (OrderStatus.REPLACED, OrderStatus.FILLED)
        assert profit.status is OrderStatus.CANCELED
        assert desk.account.positions == {}

    def test_an_unaffordable_replacement_is_refused_and_the_order_stays(self, desk: Desk) -> None:
        old = desk.placed(type="limit", limit_price="99")
        with pytest.raises(AlpacaError, match="insufficient buying power"):
            desk.replace(old, qty="1000000")

        assert old.status is OrderStatus.NEW
        assert desk.account.held_margin == Decimal("49.5")

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({}, "at least one of"),
            ({"qty": "1.5"}, "whole number"),
            ({"trail": "1"}, "only accepted for trailing stop"),
            ({"notional": "100"}, "notional"),
            ({"client_order_id": "taken", "qty": "2"}, "must be unique"),
        ],
        ids=["nothing", "fraction", "trail", "notional", "taken id"],
    )
    def test_what_cannot_be_changed_is_refused(self, desk: Desk, fields: dict[str, Any], words: str) -> None:
        old = desk.placed(type="limit", limit_price="99", client_order_id="taken")
        with pytest.raises(AlpacaError, match=words):
            desk.replace(old, **fields)

    @pytest.mark.parametrize("end", ["filled", "canceled"])
    def test_an_order_that_has_ended_is_refused(self, desk: Desk, end: str) -> None:
        old = desk.placed() if end == "filled" else desk.placed(type="limit", limit_price="99")
        if end == "canceled":
            desk.cancel(old)
            desk.wait()
        with pytest.raises(AlpacaError, match=f'already in "{end}" state'):
            desk.replace(old, qty="2")

    def test_a_trailing_stop_gets_another_trail(self, desk: Desk) -> None:
        desk.hold("AAPL", "1")
        old = desk.placed(side="sell", type="trailing_stop", trail_percent="5")
        new = desk.replace(old, trail="2")
        desk.wait()

        assert (new.ticket.trail_percent, new.stop_price) == (Decimal(2), Decimal(98))


class TestExpiry:
    @pytest.mark.parametrize(
        ("price", "shares", "cash"),
        [("250", "100", "80000"), ("150", "0", "100000")],
        ids=["in the money", "out of it"],
    )
    def test_a_long_call_becomes_shares_or_nothing(self, price: str, shares: str, cash: str) -> None:
        desk = open_desk("2026-11-27T15:00:00Z")
        desk.hold(FRIDAY_CALL, "1")
        desk.quote("AAPL", price, price)
        desk.at("2026-11-28T02:00:00Z")

        assert FRIDAY_CALL not in desk.account.positions
        assert desk.account.position_qty("AAPL") == Decimal(shares)
        assert desk.account.cash == Decimal(cash)

    def test_a_short_put_in_the_money_is_assigned(self) -> None:
        desk = open_desk("2026-11-27T15:00:00Z")
        desk.hold(FRIDAY_PUT, "-1")
        desk.quote("AAPL", "170", "170")
        desk.at("2026-11-28T02:00:00Z")

        assert desk.account.position_qty("AAPL") == 100
        assert desk.account.cash == 100_000 - 18_000
        assert [activity.kind for activity in desk.account.activities] == ["OPASN", "OPTRD"]
