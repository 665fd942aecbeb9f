from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.order_ids import check_client_order_id, check_order_id
from broker.reports import AssetClass, OrderSide, OrderType, PositionIntent, TimeInForce
from broker.requests import OrderRequest, to_alpaca
from broker.symbols import UnknownSymbol, check_symbol, path_segment
from runtime.errors import MalformedRequest

OPTION = "AAPL240119C00190000"

amounts = st.integers(1, 10**20).map(lambda units: Decimal(units).scaleb(-9))


def order(
    symbol: str = "AAPL",
    order_type: OrderType = OrderType.MARKET,
    client_order_id: str = "op-1",
    qty: Decimal | None = Decimal(1),
    notional: Decimal | None = None,
    limit_price: Decimal | None = None,
    stop_price: Decimal | None = None,
    position_intent: PositionIntent | None = None,
) -> OrderRequest:
    return OrderRequest(
        symbol=symbol,
        side=OrderSide.BUY,
        order_type=order_type,
        time_in_force=TimeInForce.DAY,
        client_order_id=client_order_id,
        qty=qty,
        notional=notional,
        limit_price=limit_price,
        stop_price=stop_price,
        position_intent=position_intent,
    )


@given(qty=amounts, limit=amounts, stop=amounts)
def test_every_amount_goes_out_as_the_exact_decimal_in_a_string(
    qty: Decimal, limit: Decimal, stop: Decimal
) -> None:
    fields = to_alpaca(
        order(order_type=OrderType.STOP_LIMIT, qty=qty, limit_price=limit, stop_price=stop)
    ).to_request_fields()

    for name, amount in (("qty", qty), ("limit_price", limit), ("stop_price", stop)):
        assert isinstance(fields[name], str)
        assert Decimal(fields[name]) == amount
        assert "E" not in fields[name]


def test_an_order_has_alpacas_field_names_and_no_field_that_was_not_given() -> None:
    fields = to_alpaca(
        order(qty=Decimal("2.50"), position_intent=PositionIntent.SELL_TO_CLOSE)
    ).to_request_fields()

    assert fields == {
        "symbol": "AAPL",
        "side": "buy",
        "type": "market",
        "time_in_force": "day",
        "client_order_id": "op-1",
        "qty": "2.5",
        "position_intent": "sell_to_close",
    }


def test_an_order_by_amount_has_a_notional_and_no_qty() -> None:
    fields = to_alpaca(order(qty=None, notional=Decimal("500.10"))).to_request_fields()

    assert fields["notional"] == "500.1"
    assert "qty" not in fields


def test_the_symbol_tells_the_asset_class() -> None:
    assert order().asset_class is AssetClass.US_EQUITY
    assert order(symbol=OPTION).asset_class is AssetClass.US_OPTION
    assert order(symbol="BTC/USD").asset_class is AssetClass.CRYPTO


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"symbol": "aapl"}, "symbol", id="lower-case-symbol"),
        pytest.param({"symbol": "AAPL,MSFT"}, "symbol", id="two-symbols"),
        pytest.param({"symbol": ""}, "symbol", id="no-symbol"),
        pytest.param({"client_order_id": ""}, "client_order_id", id="no-client-order-id"),
        pytest.param({"client_order_id": "x" * 129}, "client_order_id", id="129-characters"),
        pytest.param({"client_order_id": "naïve"}, "client_order_id", id="not-ascii"),
        pytest.param({"client_order_id": "a\nb"}, "client_order_id", id="newline"),
        pytest.param({"qty": None}, "qty", id="neither-qty-nor-notional"),
        pytest.param({"notional": Decimal(5)}, "qty", id="both-qty-and-notional"),
        pytest.param({"qty": Decimal(0)}, "qty", id="zero"),
        pytest.param({"qty": Decimal(-1)}, "qty", id="negative"),
        pytest.param({"qty": Decimal("NaN")}, "qty", id="nan"),
        pytest.param({"qty": Decimal("sNaN")}, "qty", id="signalling-nan"),
        pytest.param({"qty": Decimal("Infinity")}, "qty", id="infinite"),
        pytest.param({"qty": Decimal("1e400")}, "qty", id="1e400"),
        pytest.param({"qty": Decimal("0.0000000001")}, "qty", id="ten-decimals"),
        pytest.param({"symbol": OPTION, "qty": Decimal("0.5")}, "qty", id="half-a-contract"),
        pytest.param(
            {"symbol": OPTION, "qty": None, "notional": Decimal(5)}, "notional", id="option-by-amount"
        ),
        pytest.param({"qty": None, "notional": Decimal("NaN")}, "notional", id="notional-nan"),
        pytest.param({"limit_price": Decimal(1)}, "limit_price", id="market-with-a-limit"),
        pytest.param({"stop_price": Decimal(1)}, "stop_price", id="market-with-a-stop"),
        pytest.param({"order_type": OrderType.LIMIT}, "limit_price", id="limit-without-a-price"),
        pytest.param({"order_type": OrderType.STOP}, "stop_price", id="stop-without-a-price"),
        pytest.param(
            {"order_type": OrderType.LIMIT, "limit_price": Decimal(-1)}, "limit_price", id="negative-limit"
        ),
        pytest.param({"order_type": OrderType.TRAILING_STOP}, "order_type", id="trailing-stop"),
    ],
)
def test_an_order_that_cannot_be_meant_names_the_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(MalformedRequest) as refused:
        order(**change)  # type: ignore[arg-type] # the rows change one argument each

    assert [violation.field for violation in refused.value.violations] == [field]


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(MalformedRequest) as refused:
        order(symbol="?", client_order_id="", qty=Decimal(0), limit_price=Decimal(0))

    fields = {violation.field for violation in refused.value.violations}
    assert fields == {"symbol", "client_order_id", "qty", "limit_price"}


@pytest.mark.parametrize(
    "symbol", ["AAPL", "BRK.B", "BAC-PL", "F", "BTC/USD", OPTION, "SPXW  261231C05000000"]
)
def test_symbols_of_every_kind_pass(symbol: str) -> None:
    assert check_symbol(symbol) == symbol


@given(text=st.text())
def test_what_passes_as_a_symbol_stays_one_path_segment_and_one_list_entry(text: str) -> None:
    try:
        segment = path_segment(text)
    except UnknownSymbol:
        return
    assert not set(segment) & set("/?#,&; \\")
    assert segment not in (".", "..")


@pytest.mark.parametrize("text", ["../account", "..", "AAPL?x=1", "A,B", "AAPL\n", "", "A" * 40, "%2e%2e"])
def test_what_could_change_the_path_is_no_symbol(text: str) -> None:
    with pytest.raises(UnknownSymbol):
        path_segment(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("abc", id="no-uuid"),
        pytest.param("", id="empty"),
        pytest.param("61e6901585494bfdb9c301e75843f47d", id="no-hyphens"),
        pytest.param("{61e69015-8549-4bfd-b9c3-01e75843f47d}", id="braces"),
        pytest.param("urn:uuid:61e69015-8549-4bfd-b9c3-01e75843f47d", id="urn"),
        pytest.param("61e69015-8549-4bfd-b9c3-01e75843f47d/..", id="path"),
    ],
)
def test_an_order_id_that_is_no_uuid_names_the_field(text: str) -> None:
    with pytest.raises(MalformedRequest) as refused:
        check_order_id(text)

    assert [violation.field for violation in refused.value.violations] == ["order_id"]


def test_an_order_id_is_canonical() -> None:
    assert check_order_id("61E69015-8549-4BFD-B9C3-01E75843F47D") == "61e69015-8549-4bfd-b9c3-01e75843f47d"


@given(text=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=128))
def test_every_printable_ascii_text_up_to_128_is_a_client_order_id(text: str) -> None:
    assert check_client_order_id(text) == text
