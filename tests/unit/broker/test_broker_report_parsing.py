"""Payloads as Alpaca's OpenAPI examples and recordings have them."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.raw_json import UnreadableAnswer
from broker.report_parsing import (
    account_reading,
    asset,
    broker_order,
    broker_position,
    by_symbol,
    calendar_days,
    listing,
    market_clock,
    option_contract,
    quote,
    trade,
)
from broker.reports import (
    AccountReading,
    OrderSide,
    OrderStatus,
    PositionIntent,
    PositionSide,
)

ASKED_AT = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)

ACCOUNT: dict[str, Any] = {
    "id": "61e69015-8549-4bfd-b9c3-01e75843f47d",
    "account_number": "PA3ABCDEF",
    "status": "ACTIVE",
    "crypto_status": "ACTIVE",
    "currency": "USD",
    "cash": "-23140.2",
    "buying_power": "262113.632",
    "regt_buying_power": "80680.36",
    "options_buying_power": "40340.18",
    "non_marginable_buying_power": "1000",
    "accrued_fees": "0",
    "portfolio_value": "103820.56",
    "equity": "103820.56",
    "last_equity": "103529.2434567890123",
    "long_market_value": "126960.76",
    "short_market_value": "0",
    "initial_margin": "63480.38",
    "maintenance_margin": "38088.228",
    "multiplier": "4",
    "trading_blocked": False,
    "transfers_blocked": False,
    "account_blocked": False,
    "trade_suspended_by_user": False,
    "shorting_enabled": True,
    "options_approved_level": 2,
    "options_trading_level": 2,
    "created_at": "2019-06-12T22:47:07.99658Z",
    "balance_asof": "2026-11-23",
    "something_new": {"nested": [1, 2]},
}

ORDER: dict[str, Any] = {
    "id": "61e69015-8549-4bfd-b9c3-01e75843f47d",
    "client_order_id": "eb9e2aaa-f71a-4f51-b5b4-52a6c565dad4",
    "created_at": "2026-03-16T18:38:01.942282Z",
    "updated_at": "2026-03-16T18:38:01.937737497Z",
    "submitted_at": "2026-03-16T18:38:01.937734Z",
    "filled_at": None,
    "expired_at": None,
    "canceled_at": None,
    "failed_at": None,
    "replaced_at": None,
    "replaced_by": None,
    "replaces": None,
    "asset_id": "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415",
    "symbol": "AAPL",
    "asset_class": "us_equity",
    "notional": None,
    "qty": "0.123456789",
    "filled_qty": "0",
    "filled_avg_price": None,
    "order_class": "",
    "order_type": "limit",
    "type": "limit",
    "side": "buy",
    "time_in_force": "day",
    "limit_price": "190.05",
    "stop_price": None,
    "status": "accepted",
    "extended_hours": False,
    "legs": None,
    "position_intent": "buy_to_open",
    "group_role": "entry",
}

POSITION: dict[str, Any] = {
    "asset_id": "904837e3-3b76-47ec-b432-046db621571b",
    "symbol": "AAPL240119C00190000",
    "exchange": "",
    "asset_class": "us_option",
    "avg_entry_price": "5.25",
    "qty": "2",
    "qty_available": "1",
    "side": "long",
    "market_value": "1260",
    "cost_basis": "1050",
    "unrealized_pl": "210",
    "unrealized_plpc": "0.20",
    "unrealized_intraday_pl": "0",
    "unrealized_intraday_plpc": "0",
    "current_price": "6.3",
    "lastday_price": "6.1",
    "change_today": "0.0328",
    "asset_marginable": False,
}

CONTRACT: dict[str, Any] = {
    "id": "98359ef7-5124-49f3-85ea-5cf02df6defa",
    "symbol": "AAPL250620C00100000",
    "name": "AAPL Jun 20 2025 100 Call",
    "status": "active",
    "tradable": True,
    "expiration_date": "2025-06-20",
    "root_symbol": "AAPL",
    "underlying_symbol": "AAPL",
    "type": "call",
    "style": "american",
    "strike_price": "100",
    "multiplier": "100",
    "size": "100",
}


def read_account(raw: object) -> AccountReading:
    return account_reading(raw, requested_at=ASKED_AT, requested_monotonic=17.5)


def without(raw: dict[str, Any], *fields: str, **changed: object) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if name not in fields} | changed


def test_an_account_is_read_exactly_with_the_moment_it_was_asked_for() -> None:
    account = read_account(ACCOUNT)

    assert account.account_number == "PA3ABCDEF"
    assert account.cash == Decimal("-23140.2")
    assert account.last_equity == Decimal("103529.2434567890123")
    assert account.options_buying_power == Decimal("40340.18")
    assert account.multiplier == 4
    assert account.options_trading_level == 2
    assert account.pattern_day_trader is None
    assert account.may_trade
    assert (account.requested_at, account.requested_monotonic) == (ASKED_AT, 17.5)


@pytest.mark.parametrize("field", ["trading_blocked", "account_blocked", "trade_suspended_by_user"])
def test_a_blocked_account_may_not_trade(field: str) -> None:
    assert not read_account(ACCOUNT | {field: True}).may_trade


def test_an_account_in_a_status_we_do_not_know_may_not_trade() -> None:
    assert not read_account(ACCOUNT | {"status": "ACCOUNT_CLOSED_PENDING"}).may_trade


@pytest.mark.parametrize("field", ["cash", "buying_power", "equity"])
@pytest.mark.parametrize("value", [None, "", "NaN", "Infinity", "cash", [], True])
def test_money_that_cannot_be_read_is_an_error_and_never_zero(field: str, value: object) -> None:
    with pytest.raises(UnreadableAnswer, match=f"^{field} is "):
        read_account(ACCOUNT | {field: value})
    with pytest.raises(UnreadableAnswer, match=f"^{field} is missing"):
        read_account(without(ACCOUNT, field))


@pytest.mark.parametrize("field", ["trading_blocked", "account_blocked"])
def test_a_block_that_is_not_told_is_not_taken_for_none(field: str) -> None:
    with pytest.raises(UnreadableAnswer, match=field):
        read_account(without(ACCOUNT, field))


def test_an_order_is_read_exactly() -> None:
    order = broker_order(ORDER)

    assert order.order_id == "61e69015-8549-4bfd-b9c3-01e75843f47d"
    assert order.qty == Decimal("0.123456789")
    assert order.limit_price == Decimal("190.05")
    assert order.side is OrderSide.BUY
    assert order.position_intent is PositionIntent.BUY_TO_OPEN
    assert order.status is OrderStatus.ACCEPTED
    assert order.is_open
    assert order.leaves_qty == order.qty
    assert order.updated_at == datetime(2026, 3, 16, 18, 38, 1, 937737, UTC)


def test_a_status_added_since_is_unknown_open_and_kept_in_the_brokers_word() -> None:
    order = broker_order(ORDER | {"status": "pending_moon"})

    assert order.status is OrderStatus.UNKNOWN
    assert order.status_text == "pending_moon"
    assert order.is_open


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"asset_class": "treasury"}, id="new-asset-class"),
        pytest.param({"submitted_at": None}, id="no-submission-time"),
        pytest.param(
            {"symbol": "", "side": "", "asset_class": "", "order_class": "mleg"}, id="multi-leg-parent"
        ),
        pytest.param({"qty": Decimal("2.5"), "filled_qty": 0}, id="unquoted-numbers"),
        pytest.param({"type": "", "order_type": ""}, id="leg-without-type"),
        pytest.param({"qty": None, "notional": "500"}, id="by-amount"),
    ],
)
def test_an_order_that_alpaca_py_would_choke_on_is_read(change: dict[str, object]) -> None:
    assert broker_order(ORDER | change).order_id == ORDER["id"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"id": None}, id="no-id"),
        pytest.param({"client_order_id": None}, id="no-client-order-id"),
        pytest.param({"status": None}, id="no-status"),
        pytest.param({"filled_qty": None}, id="no-filled-quantity"),
        pytest.param({"limit_price": "NaN"}, id="odd-price"),
        pytest.param({"side": "sideways"}, id="odd-side"),
    ],
)
def test_an_order_without_identity_or_with_odd_money_is_unreadable(change: dict[str, object]) -> None:
    with pytest.raises(UnreadableAnswer):
        broker_order(ORDER | change)


FINAL = {
    OrderStatus.FILLED,
    OrderStatus.CANCELED,
    OrderStatus.EXPIRED,
    OrderStatus.REJECTED,
    OrderStatus.REPLACED,
}


@pytest.mark.parametrize("status", list(OrderStatus), ids=lambda status: status.value)
def test_only_five_statuses_are_final(status: OrderStatus) -> None:
    assert status.is_final == (status in FINAL)
    assert status.is_open != status.is_final


def test_one_odd_order_hides_no_other_and_is_named() -> None:
    listed = listing([ORDER, ORDER | {"id": "odd", "qty": "many"}, 7], broker_order, "order")

    assert [order.order_id for order in listed.items] == [ORDER["id"]]
    assert listed.unreadable == (
        "order odd: qty is 'many', not a number",
        "order without id: the order is 7, not an object",
    )
    assert not listed.complete


def test_an_answer_that_is_no_list_is_not_an_empty_one() -> None:
    with pytest.raises(UnreadableAnswer, match="not a list"):
        listing({"orders": []}, broker_order, "order")


def test_a_position_is_read_in_contracts_and_fractions() -> None:
    position = broker_position(POSITION)

    assert position.side is PositionSide.LONG
    assert position.asset_id == POSITION["asset_id"]
    assert (position.qty, position.qty_available) == (Decimal(2), Decimal(1))
    assert position.unrealized_plpc == Decimal("0.20")
    assert position.market_value == 1260


@pytest.mark.parametrize("qty", ["-2", "2"])
def test_the_side_decides_a_shorts_direction_whatever_the_sign(qty: str) -> None:
    position = broker_position(POSITION | {"side": "short", "qty": qty, "qty_available": qty})

    assert (position.side, position.qty, position.qty_available) == (
        PositionSide.SHORT,
        Decimal(2),
        Decimal(2),
    )


def test_a_position_without_a_price_has_none_and_not_zero() -> None:
    position = broker_position(
        POSITION | {"current_price": None, "market_value": None, "unrealized_plpc": None}
    )

    assert (position.current_price, position.market_value, position.unrealized_plpc) == (None, None, None)


@pytest.mark.parametrize("field", ["symbol", "side", "qty", "avg_entry_price", "asset_class"])
def test_a_position_without_its_essentials_is_unreadable(field: str) -> None:
    with pytest.raises(UnreadableAnswer, match=field):
        broker_position(without(POSITION, field))


def test_prices_are_found_by_symbol_and_the_odd_one_is_missing_with_its_reason() -> None:
    good = {
        "t": "2026-11-24T15:22:03.337711497Z",
        "bp": Decimal("189.98"),
        "bs": 2,
        "ap": Decimal("190.02"),
        "as": 3,
        "c": ["R"],
    }
    prices = by_symbol({"AAPL": good, "MSFT": good | {"bp": None}, "TSLA": None}, quote)

    assert prices.found["AAPL"].ask == Decimal("190.02")
    assert prices.found["AAPL"].at == datetime(2026, 11, 24, 15, 22, 3, 337711, UTC)
    assert prices.missing == {"MSFT": "bp is missing, not a number"}


def test_a_trade_is_read() -> None:
    read = trade("AAPL", {"t": "2026-11-24T15:22:03Z", "p": Decimal("190.01"), "s": 100, "x": "V"})

    assert (read.symbol, read.price, read.size) == ("AAPL", Decimal("190.01"), Decimal(100))


def test_the_clock_is_read_in_utc() -> None:
    clock = market_clock(
        {
            "timestamp": "2026-11-24T10:22:03.337711497-05:00",
            "is_open": True,
            "next_open": "2026-11-25T09:30:00-05:00",
            "next_close": "2026-11-24T16:00:00-05:00",
        }
    )

    assert clock.at == datetime(2026, 11, 24, 15, 22, 3, 337711, UTC)
    assert clock.next_close == datetime(2026, 11, 24, 21, 0, tzinfo=UTC)


def test_calendar_days_are_new_york_days_with_their_real_close() -> None:
    summer, half_day = calendar_days(
        [
            {"date": "2026-07-01", "open": "09:30", "close": "16:00", "session_open": "0400"},
            {"date": "2026-11-27", "open": "09:30", "close": "13:00"},
        ]
    )

    assert summer.closes_at == datetime(2026, 7, 1, 20, 0, tzinfo=UTC)
    assert half_day.day == date(2026, 11, 27)
    assert half_day.opens_at == datetime(2026, 11, 27, 14, 30, tzinfo=UTC)
    assert half_day.closes_at == datetime(2026, 11, 27, 18, 0, tzinfo=UTC)


def test_a_calendar_with_an_odd_day_is_unreadable_as_the_day_would_look_like_a_holiday() -> None:
    with pytest.raises(UnreadableAnswer):
        calendar_days([{"date": "2026-07-01", "open": "09:30", "close": "late"}])


def test_a_contract_tells_its_multiplier() -> None:
    contract = option_contract(CONTRACT | {"multiplier": "10", "root_symbol": None})

    assert (contract.multiplier, contract.strike_price, contract.root_symbol) == (
        Decimal(10),
        Decimal(100),
        None,
    )


@pytest.mark.parametrize("value", [None, "0", "-100", "NaN"])
def test_a_contract_without_a_usable_multiplier_is_unreadable(value: str | None) -> None:
    with pytest.raises(UnreadableAnswer, match="multiplier"):
        option_contract(CONTRACT | {"multiplier": value})


def test_an_asset_without_a_permission_has_not_got_it() -> None:
    read = asset({"id": "1", "class": "us_equity", "symbol": "AAPL", "status": "active", "tradable": True})

    assert read.tradable
    assert [read.fractionable, read.shortable, read.marginable] == [False, False, False]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("example", "read"),
    [
        pytest.param(ACCOUNT, read_account, id="account"),
        pytest.param(ORDER, broker_order, id="order"),
        pytest.param(POSITION, broker_position, id="position"),
        pytest.param(CONTRACT, option_contract, id="contract"),
    ],
)
@given(data=st.data())
def test_whatever_the_broker_puts_into_a_field_is_read_or_unreadable(
    example: dict[str, Any], read: Callable[[object], object], data: st.DataObject
) -> None:
    field = data.draw(st.sampled_from(sorted(example)))
    with suppress(UnreadableAnswer):
        read(example | {field: data.draw(anything)})


def test_the_examples_are_json() -> None:
    for example in (ACCOUNT, ORDER, POSITION, CONTRACT):
        json.dumps(example)
