"""What the exchange refuses, with Alpaca's status and code, and what an accepted order holds."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sandbox.errors import AlpacaError
from sandbox.instruments import Stock, asset_id_of
from sandbox.orders import OrderStatus
from sandbox.valuation import held_units, value
from sandbox_desk import AT_NIGHT, CALL, PUT, Desk, open_desk


def refusal(desk: Desk, **fields: Any) -> AlpacaError:
    with pytest.raises(AlpacaError) as caught:
        desk.submit(**fields)
    assert not desk.account.orders
    return caught.value


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"qty": None, "notional": None}, 40010001, "qty or notional is required"),
        ({"qty": "1", "notional": "5"}, 40010001, "only one of qty or notional"),
        ({"qty": "0"}, 40010001, "qty must be > 0"),
        ({"qty": "-1"}, 40010001, "qty must be > 0"),
        ({"qty": "NaN"}, 40010001, "qty must be a number"),
        ({"qty": "1e400"}, 40010001, "qty is too large"),
        ({"qty": True}, 40010001, "qty must be a number"),
        ({"qty": "1.0000000001"}, 40010001, "9 decimal places"),
        ({"type": "limit"}, 40010001, "limit orders require limit price"),
        ({"limit_price": "5"}, 40010001, "market orders require no limit price"),
        ({"type": "stop_limit", "limit_price": "5"}, 40010001, "require stop price"),
        ({"type": "trailing_stop"}, 40010001, "exactly one of trail_price or trail_percent"),
        ({"type": "iceberg"}, 40010001, "invalid type"),
        ({"side": "hold"}, 40010001, "invalid side"),
        ({"time_in_force": "someday"}, 40010001, "invalid time_in_force"),
        ({"time_in_force": None}, 40010001, "time_in_force is required"),
        ({"symbol": ""}, 40010001, "symbol is required"),
        ({"symbol": 5}, 40010001, "symbol must be a string"),
        ({"client_order_id": "x" * 129}, 40010001, "128"),
        ({"position_intent": "sell_to_open"}, 40010001, "does not match side"),
        ({"order_class": "iceberg"}, 40010001, "invalid order_class"),
        ({"order_class": "bracket"}, 40010001, "bracket orders require take_profit.limit_price"),
        ({"take_profit": {"limit_price": "110"}}, 40010001, "require order class"),
        ({"order_class": "oto"}, 40010001, "oto orders require either"),
        ({"order_class": "bracket", "take_profit": "110"}, 40010001, "take_profit must be an object"),
        ({"extended_hours": True}, 40010001, "extended hours order must be DAY limit orders"),
        ({"extended_hours": "yes"}, 40010001, "must be a boolean"),
        ({"type": "limit", "limit_price": "1.001"}, 42210000, "sub-penny"),
        ({"type": "limit", "limit_price": "0.00001"}, 42210000, "sub-penny"),
        ({"symbol": "NOPE"}, 42210000, 'asset "NOPE" not found'),
        ({"qty": "0.5", "time_in_force": "gtc"}, 42210000, "fractional orders must be DAY orders"),
        ({"symbol": CALL, "qty": "0.5"}, 40010001, "whole number"),
        ({"symbol": CALL, "notional": "100"}, 40010001, "notional is not supported"),
        ({"symbol": CALL, "time_in_force": "fok"}, 42210000, "not supported for options"),
        ({"symbol": CALL, "type": "trailing_stop", "trail_price": "1"}, 42210000, "invalid order type for options"),
        ({"symbol": "AAPL200117C00100000"}, 42210000, "not found"),
        ({"side": "sell", "position_intent": "sell_to_close"}, 42210000, "position intent mismatch"),
        ({"time_in_force": "opg"}, 42210000, "not accepted between 09:28 and 19:00"),
    ],
    ids=lambda value: str(value)[:50],
)  # fmt: skip
def test_a_bad_order_is_refused_with_422_and_leaves_no_trace(
    fields: dict[str, Any], code: int, words: str
) -> None:
    desk = open_desk()

    error = refusal(desk, **fields)

    assert (error.status, error.code) == (422, code)
    assert words in error.message
    assert desk.account.held_margin == 0


@pytest.mark.parametrize(
    ("terms", "fields", "words"),
    [
        ({"trading_blocked": True}, {}, "restricted from trading"),
        ({"account_blocked": True}, {}, "restricted from trading"),
        ({"trade_suspended_by_user": True}, {}, "by user request"),
        ({"status": "ACCOUNT_CLOSED"}, {}, "not active"),
        ({"shorting_enabled": False}, {"side": "sell"}, "not allowed to short"),
        ({"multiplier": 1}, {"side": "sell"}, "not allowed to short"),
        ({"options_level": 0}, {"symbol": CALL}, "not eligible to trade options"),
        ({"options_level": 1}, {"symbol": CALL}, "long option"),
        ({}, {"symbol": CALL, "side": "sell"}, "uncovered option contracts"),
        ({}, {"symbol": PUT, "side": "sell", "qty": "6"}, "cash-secured put (required: 108000, available: 100000)"),
        ({}, {"notional": "0.99"}, "minimal amount of order 1"),
    ],
    ids=lambda value: str(value)[:50],
)  # fmt: skip
def test_what_the_account_may_not_do_is_forbidden(
    terms: dict[str, Any], fields: dict[str, Any], words: str
) -> None:
    error = refusal(open_desk(**terms), **fields)

    assert (error.status, error.code) == (403, 40310000)
    assert words in error.message


def test_an_options_market_order_is_refused_while_the_market_is_closed() -> None:
    error = refusal(open_desk(AT_NIGHT), symbol=CALL)

    assert (error.status, error.code) == (422, 42210000)
    assert error.message == "options market orders are only allowed during market hours"


def test_a_contract_is_not_traded_after_the_close_of_its_last_day() -> None:
    desk = open_desk()
    desk.quote("AAPL261124C00100000", "1.00", "1.10")
    desk.at("2026-11-24T21:00:00Z")

    error = refusal(desk, symbol="AAPL261124C00100000", type="limit", limit_price="1")

    assert "is not active" in error.message


def test_too_dear_an_order_names_what_could_be_spent() -> None:
    error = refusal(open_desk(cash="1000", multiplier=1), qty="10", type="limit", limit_price="100.01")

    assert error.message == "insufficient buying power"
    assert error.extra == {"buying_power": "1000", "cost_basis": "1000.1"}


@pytest.mark.parametrize(
    ("multiplier", "accepted"), [(1, 10), (2, 20), (4, 40)], ids=["cash", "margin", "intraday"]
)
def test_open_buys_reserve_their_limit_so_that_the_same_money_is_not_spent_twice(
    multiplier: int, accepted: int
) -> None:
    desk = open_desk(cash="1000", multiplier=multiplier)
    for _ in range(accepted):
        desk.placed(type="limit", limit_price="99", qty="1")
    desk.placed(type="limit", limit_price="1", qty="1")

    with pytest.raises(AlpacaError, match="insufficient buying power"):
        desk.placed(type="limit", limit_price="99", qty=str(multiplier))


def test_options_are_bought_with_cash_not_with_margin() -> None:
    desk = open_desk(cash="1004", multiplier=4)

    assert refusal(desk, symbol=CALL).extra["cost_basis"] == "1005"


def test_a_sale_holds_its_units_until_it_is_done() -> None:
    desk = open_desk()
    desk.hold("AAPL", "10")
    first = desk.placed(side="sell", qty="6", type="limit", limit_price="120")

    with pytest.raises(AlpacaError) as caught:
        desk.submit(side="sell", qty="5", type="limit", limit_price="120")

    assert caught.value.message == "insufficient qty available for order (requested: 5, available: 4)"
    assert caught.value.extra == {
        "symbol": "AAPL",
        "available": "4",
        "existing_qty": "10",
        "held_for_orders": "6",
    }
    desk.cancel(first)
    desk.wait()
    assert desk.placed(side="sell", qty="10", type="limit", limit_price="120").status is OrderStatus.NEW


def test_a_sale_never_turns_a_position_around() -> None:
    desk = open_desk()
    desk.hold("AAPL", "10")

    assert "requested: 11, available: 10" in refusal(desk, side="sell", qty="11").message


def test_a_covered_call_locks_its_shares_before_and_after_it_is_sold() -> None:
    desk = open_desk()
    desk.hold("AAPL", "150")
    order = desk.placed(symbol=CALL, side="sell", type="limit", limit_price="11")
    waiting = held_units(desk.account, "AAPL")
    desk.quote(CALL, "11.00", "11.10")

    assert order.status is OrderStatus.FILLED
    assert (waiting, held_units(desk.account, "AAPL")) == (Decimal(100), Decimal(100))
    with pytest.raises(AlpacaError, match="requested: 51, available: 50"):
        desk.submit(side="sell", qty="51")


def test_a_cash_secured_put_keeps_its_strike_out_of_reach() -> None:
    desk = open_desk(cash="20000")
    desk.placed(symbol=PUT, side="sell", type="limit", limit_price="4.95")

    # 20,000 and the premium of 495, less the 500 the put is worth and 18,000 for its strike.
    assert value(desk.account, desk.exchange.quotes).free_margin == Decimal(1995)


def test_a_short_sale_needs_three_percent_more_than_the_ask() -> None:
    desk = open_desk(cash="1000")
    order = desk.submit(side="sell", qty="10")

    assert order.hold.margin == Decimal("100.02") * Decimal("1.03") * 10 / 2
    desk.wait()
    assert desk.account.positions["AAPL"].qty == -10
    assert desk.account.cash == 1000 + Decimal("999.80")


@pytest.mark.parametrize(
    ("resting", "incoming", "crosses"),
    [
        pytest.param(("sell", "120"), ("buy", "120"), True, id="limits that meet"),
        pytest.param(("sell", "120"), ("buy", "99"), False, id="limits apart"),
        pytest.param(("sell", "120"), ("buy", None), True, id="market against limit"),
        pytest.param(("buy", "99"), ("sell", "99"), True, id="sell down to the buy"),
    ],
)
def test_an_order_that_could_meet_the_accounts_own_is_a_wash_trade(
    resting: tuple[str, str], incoming: tuple[str, str | None], crosses: bool
) -> None:
    desk = open_desk()
    desk.hold("AAPL", "10")
    first = desk.placed(side=resting[0], type="limit", limit_price=resting[1])
    priced = {"type": "limit", "limit_price": incoming[1]} if incoming[1] else {}

    if not crosses:
        assert desk.placed(side=incoming[0], **priced).status is OrderStatus.NEW
        return
    with pytest.raises(AlpacaError, match="wash trade") as caught:
        desk.submit(side=incoming[0], **priced)
    assert caught.value.extra == {"existing_order_id": first.order_id}


@pytest.mark.parametrize(
    ("flag", "words"), [("tradable", "not tradable"), ("shortable", "cannot be sold short")]
)
def test_an_assets_own_flags_are_kept(flag: str, words: str) -> None:
    desk = open_desk()
    plain = Stock(symbol="ODD", asset_id=asset_id_of("ODD"), name="Odd Lots Inc.")
    flags: dict[str, Any] = {flag: False}
    desk.exchange.catalogue.add(replace(plain, **flags))
    desk.quote("ODD", "10.00", "10.10")

    error = refusal(desk, symbol="ODD", side="sell")

    assert (error.status, error.code) == (422, 42210000)
    assert words in error.message


def test_a_client_order_id_stays_taken_after_its_order_is_gone() -> None:
    desk = open_desk()
    order = desk.placed(type="limit", limit_price="99", client_order_id="mine")
    desk.cancel(order)
    desk.wait()

    with pytest.raises(AlpacaError, match="client_order_id must be unique") as caught:
        desk.submit(client_order_id="mine")
    assert (caught.value.status, caught.value.code) == (422, 40010001)
