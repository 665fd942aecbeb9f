from datetime import UTC, datetime
from decimal import Decimal

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.sell_values import AAPL
from opitios.account.v1 import account_pb2, market_data_pb2, market_data_service_pb2
from opitios.order.v1 import order_pb2, order_service_pb2
from opitios.sell.v1 import sell_service_pb2
from runtime.errors import MalformedRequest
from sell_svc import wire
from sell_svc.observation import Quote
from sell_svc.ports import ExitPhase

AT = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)


def stamp(at: datetime = AT) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


def option(**fields: str) -> account_pb2.Position:
    values = {
        "symbol": AAPL,
        "asset_class": "us_option",
        "qty": "2",
        "qty_available": "1",
        "avg_entry_price": "1.05",
        "side": "long",
        **fields,
    }
    return account_pb2.Position(**values)


def test_a_position_keeps_every_digit() -> None:
    (held,) = wire.holdings(account_pb2.AccountPositions(positions=[option()])).positions

    assert (held.symbol, held.qty, held.qty_available, held.avg_entry_price) == (
        AAPL,
        Decimal(2),
        Decimal(1),
        Decimal("1.05"),
    )


@pytest.mark.parametrize(
    ("qty", "side"),
    [
        pytest.param("-2", "short", id="signed"),
        pytest.param("2", "short", id="unsigned"),
        pytest.param("-2", "", id="no side"),
    ],
)
def test_a_short_is_a_short_however_the_broker_writes_it(qty: str, side: str) -> None:
    (held,) = wire.holdings(account_pb2.AccountPositions(positions=[option(qty=qty, side=side)])).positions

    assert held.qty == -2


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"qty_available": ""}, id="no free quantity"),
        pytest.param({"avg_entry_price": "NaN"}, id="no entry price"),
        pytest.param({"qty": "1e"}, id="no quantity"),
        pytest.param({"symbol": "AAPL270115X00200000"}, id="no symbol we know"),
    ],
)
def test_a_position_that_cannot_be_read_is_named_and_hides_no_other(fields: dict[str, str]) -> None:
    """S-16, S-19: missing figures used to become zero."""
    read = wire.holdings(account_pb2.AccountPositions(positions=[option(**fields), option()]))

    assert len(read.positions) == 1
    assert read.unreadable == (fields.get("symbol", AAPL),)


def test_stocks_are_left_out_and_unreadable_options_are_not() -> None:
    answer = account_pb2.AccountPositions(
        positions=[option(symbol="AAPL", asset_class="us_equity")], unreadable=["MSFT", AAPL, ""]
    )

    read = wire.holdings(answer)

    assert (read.positions, read.unreadable) == ((), (AAPL, ""))


def test_padded_symbols_and_adjusted_roots_are_one_and_the_same_contract() -> None:
    """S-08."""
    answer = account_pb2.AccountPositions(
        positions=[option(symbol="AAPL  270115C00200000"), option(symbol="AAPL1270115C00200000")]
    )

    assert [one.symbol for one in wire.holdings(answer).positions] == [AAPL, "AAPL1270115C00200000"]


def test_absent_prices_and_times_stay_absent() -> None:
    read = wire.quote(market_data_pb2.Quote(symbol=AAPL, bid_price="0.00", last_price="NaN"))

    assert read == Quote(bid=Decimal("0.00"))


def test_a_whole_quote() -> None:
    message = market_data_pb2.Quote(
        symbol=AAPL, bid_price="1.10", ask_price="1.20", quoted_at=stamp(), last_price="1.15", last_at=stamp()
    )

    assert wire.quote(message) == Quote(
        bid=Decimal("1.10"), ask=Decimal("1.20"), quoted_at=AT, last=Decimal("1.15"), last_at=AT
    )


@pytest.mark.parametrize("absent", ["now", "next_close"])
def test_a_market_clock_without_its_times_is_not_known(absent: str) -> None:
    message = market_data_service_pb2.GetMarketClockResponse(now=stamp(), next_close=stamp(), is_open=True)
    message.ClearField(absent)  # type: ignore[arg-type] # the stub wants literals

    with pytest.raises(wire.Unreadable):
        wire.market(message)


def test_an_open_order() -> None:
    message = order_pb2.Order(
        client_order_id="c-1",
        order_id="b-1",
        symbol="AAPL  270115C00200000",
        asset_class="us_option",
        side=order_pb2.SIDE_SELL,
        broker_status="pending_cancel",
        submitted_at=stamp(),
        received_at=stamp(),
    )

    (read,) = wire.open_orders(order_service_pb2.ListOrdersResponse(orders=[message])).orders

    assert (read.symbol, read.is_option, read.is_sell) == (AAPL, True, True)
    assert (read.placed_here, read.cancel_pending, read.submitted_at) == (True, True, AT)


@pytest.mark.parametrize(
    ("symbol", "asset_class", "expected"),
    [
        pytest.param("AAPL", "us_equity", False, id="a stock"),
        pytest.param(AAPL, "", True, id="an option without its class"),
        pytest.param("", "", True, id="a multi-leg order has no symbol"),
    ],
)
def test_option_orders_are_told_from_stock_orders(symbol: str, asset_class: str, expected: bool) -> None:
    message = order_pb2.Order(symbol=symbol, asset_class=asset_class)

    (read,) = wire.open_orders(order_service_pb2.ListOrdersResponse(orders=[message])).orders

    assert read.is_option is expected
    assert (read.placed_here, read.submitted_at, read.order_id) == (False, None, None)


def test_a_lot_without_a_quantity_makes_the_lots_unknown() -> None:
    answer = order_service_pb2.ListTrackedLotsResponse(lots=[order_service_pb2.TrackedLot(symbol=AAPL)])

    with pytest.raises(wire.Unreadable):
        wire.lots(answer)


OPEN_STATES = {"UNSPECIFIED", "NEW", "HELD", "SENDING", "UNKNOWN", "WORKING", "PARTIALLY_FILLED"}


@pytest.mark.parametrize("state", order_pb2.OrderState.values())
def test_an_exit_counts_as_open_until_its_state_is_known_to_be_an_end(state: int) -> None:
    name = order_pb2.OrderState.Name(state).removeprefix("ORDER_STATE_")  # type: ignore[arg-type] # the values are plain ints

    report = wire.exit_report(order_pb2.Order(state=state))  # type: ignore[arg-type] # the values are plain ints

    assert report.state == name
    assert (report.phase is ExitPhase.OPEN) is (name in OPEN_STATES)


def test_a_state_of_a_newer_order_svc_counts_as_open() -> None:
    report = wire.exit_report(order_pb2.Order.FromString(b"\x78\x63"))

    assert (report.phase, report.state) == (ExitPhase.OPEN, "STATE_99")


@pytest.mark.parametrize(
    ("order_id", "expected"),
    [
        pytest.param("", True, id="the broker never had it"),
        pytest.param("b-1", False, id="the broker had it"),
    ],
)
def test_a_refusal_is_what_the_broker_never_had(order_id: str, expected: bool) -> None:
    report = wire.exit_report(order_pb2.Order(state=order_pb2.ORDER_STATE_REJECTED, order_id=order_id))

    assert report.is_refusal is expected


@pytest.mark.parametrize(
    ("outcome", "state", "text", "taken"),
    [
        (order_service_pb2.CANCEL_OUTCOME_REQUESTED, order_pb2.ORDER_STATE_WORKING, "requested", True),
        (order_service_pb2.CANCEL_OUTCOME_CANCELED, order_pb2.ORDER_STATE_CANCELED, "canceled", True),
        (
            order_service_pb2.CANCEL_OUTCOME_ALREADY_FINAL,
            order_pb2.ORDER_STATE_FILLED,
            "already final: filled",
            False,
        ),
        (
            order_service_pb2.CANCEL_OUTCOME_UNKNOWN,
            order_pb2.ORDER_STATE_WORKING,
            "unknown: the answer was lost",
            False,
        ),
        (
            order_service_pb2.CANCEL_OUTCOME_UNSPECIFIED,
            order_pb2.ORDER_STATE_WORKING,
            "unknown: the answer was lost",
            False,
        ),
    ],
)
def test_outcomes_of_a_cancellation(
    outcome: order_service_pb2.CancelOutcome.ValueType,
    state: order_pb2.OrderState.ValueType,
    text: str,
    taken: bool,
) -> None:
    answer = order_service_pb2.CancelOrderResponse(outcome=outcome, order=order_pb2.Order(state=state))

    report = wire.cancel_report(answer)

    assert (report.outcome, report.taken) == (text, taken)


@pytest.mark.parametrize(("limit", "expected"), [(0, 100), (1, 1), (1000, 1000)])
def test_the_number_of_decisions(limit: int, expected: int) -> None:
    assert wire.decision_limit(sell_service_pb2.ListDecisionsRequest(limit=limit)) == expected


@pytest.mark.parametrize("limit", [-1, 1001])
def test_a_number_of_decisions_out_of_range_names_the_field(limit: int) -> None:
    with pytest.raises(MalformedRequest) as caught:
        wire.decision_limit(sell_service_pb2.ListDecisionsRequest(limit=limit))

    assert [one.field for one in caught.value.violations] == ["limit"]


@settings(deadline=None)
@given(st.text())
def test_no_text_of_a_position_can_break_the_reading(text: str) -> None:
    read = wire.holdings(
        account_pb2.AccountPositions(
            positions=[option(qty=text, qty_available=text, avg_entry_price=text), option(symbol=text)]
        )
    )

    assert len(read.positions) + len(read.unreadable) == 2
