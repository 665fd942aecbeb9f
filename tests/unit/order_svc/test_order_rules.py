from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.reports import AssetClass
from broker.requests import to_alpaca
from opitios.order.v1 import order_pb2
from opitios.order.v1.order_service_pb2 import ListAttemptsRequest, ListOrdersRequest, PlaceOrderRequest
from order_svc import fields
from order_svc.fields import Violations
from order_svc.identifiers import ClientOrderId
from order_svc.journey import order_request
from order_svc.place import PlaceOrder
from order_svc.wire import requests
from runtime.errors import MalformedRequest

OPTION = "AAPL261218C00200000"
LIMIT = {"order_type": order_pb2.ORDER_TYPE_LIMIT, "limit_price": "10.05"}
STOP = {"order_type": order_pb2.ORDER_TYPE_STOP, "stop_price": "9"}


def _request(**changes: object) -> PlaceOrderRequest:
    values: dict[str, object] = {
        "account_id": "main",
        "symbol": "AAPL",
        "side": order_pb2.SIDE_BUY,
        "qty": "1",
        **changes,
    }
    return PlaceOrderRequest(**values)  # type: ignore[arg-type] # a test names any field


def _read(**changes: object) -> PlaceOrder:
    return requests.place_order(_request(**changes))


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        pytest.param({"account_id": ""}, ["account_id"], id="no account"),
        pytest.param({"account_id": "a" * 129}, ["account_id"], id="endless account"),
        pytest.param({"symbol": ""}, ["symbol"], id="no symbol"),
        pytest.param({"symbol": "AAPL/../x"}, ["symbol"], id="path in symbol"),
        pytest.param({"symbol": "BTC/USD"}, ["symbol"], id="coin"),
        pytest.param({"symbol": "ÄÖL"}, ["symbol"], id="symbol not ASCII"),
        pytest.param({"symbol": "AAPL261318C00200000"}, ["symbol"], id="option in month 13"),
        pytest.param({"symbol": "AAPL261218C00000000"}, ["symbol"], id="option without strike"),
        pytest.param({"side": order_pb2.SIDE_UNSPECIFIED}, ["side"], id="no side"),
        pytest.param({"side": 9}, ["side"], id="unknown side"),
        pytest.param({"order_type": 99}, ["order_type"], id="unknown type"),
        pytest.param({"time_in_force": 99}, ["time_in_force"], id="unknown time in force"),
        pytest.param({"position_intent": 99}, ["position_intent"], id="unknown intent"),
        pytest.param({"qty": "0"}, ["qty"], id="qty 0"),
        pytest.param({"qty": "0.0000"}, ["qty"], id="qty 0.0000"),
        pytest.param({"qty": "-1"}, ["qty"], id="qty negative"),
        pytest.param({"qty": "NaN"}, ["qty"], id="qty NaN"),
        pytest.param({"qty": "Infinity"}, ["qty"], id="qty Infinity"),
        pytest.param({"qty": "1e400"}, ["qty"], id="qty 1e400"),
        pytest.param({"qty": "1e-400"}, ["qty"], id="qty 1e-400"),
        pytest.param({"qty": "1_000"}, ["qty"], id="qty with underscore"),
        pytest.param({"qty": "\uff11"}, ["qty"], id="qty in fullwidth digits"),
        pytest.param({"qty": " 1"}, ["qty"], id="qty with space"),
        pytest.param({"qty": "0.1234567891"}, ["qty"], id="qty with 10 decimals"),
        pytest.param({"qty": "9" * 60}, ["qty"], id="qty with 60 digits"),
        pytest.param({"qty": "1000000001"}, ["qty"], id="qty above the maximum"),
        pytest.param({"qty": "", "notional": ""}, ["qty"], id="neither qty nor notional"),
        pytest.param({"notional": "5"}, ["notional"], id="both qty and notional"),
        pytest.param({"qty": "", "notional": "-5"}, ["notional"], id="notional negative"),
        pytest.param({"symbol": OPTION, "qty": "", "notional": "5"}, ["notional"], id="notional option"),
        pytest.param({"symbol": OPTION, "qty": "0.5"}, ["qty"], id="half a contract"),
        pytest.param(
            {"qty": "0.5", "time_in_force": order_pb2.TIME_IN_FORCE_GTC}, ["time_in_force"], id="fraction gtc"
        ),
        pytest.param({"order_type": order_pb2.ORDER_TYPE_LIMIT}, ["limit_price"], id="limit without price"),
        pytest.param({"order_type": order_pb2.ORDER_TYPE_STOP}, ["stop_price"], id="stop without price"),
        pytest.param(
            {"order_type": order_pb2.ORDER_TYPE_STOP_LIMIT},
            ["limit_price", "stop_price"],
            id="stop limit without prices",
        ),
        pytest.param({"limit_price": "5"}, ["limit_price"], id="market with limit price"),
        pytest.param({"stop_price": "5"}, ["stop_price"], id="market with stop price"),
        pytest.param({**LIMIT, "stop_price": "5"}, ["stop_price"], id="limit with stop price"),
        pytest.param({**LIMIT, "limit_price": "10.005"}, ["limit_price"], id="sub-penny above a dollar"),
        pytest.param({**LIMIT, "limit_price": "0.50001"}, ["limit_price"], id="five decimals below a dollar"),
        pytest.param({**LIMIT, "limit_price": "1e9"}, ["limit_price"], id="price above the maximum"),
        pytest.param({**STOP, "stop_price": "9.999"}, ["stop_price"], id="sub-penny stop"),
        pytest.param({"extended_hours": True}, ["extended_hours"], id="market in extended hours"),
        pytest.param(
            {**LIMIT, "extended_hours": True, "time_in_force": order_pb2.TIME_IN_FORCE_GTC},
            ["extended_hours"],
            id="gtc in extended hours",
        ),
        pytest.param(
            {**LIMIT, "symbol": OPTION, "extended_hours": True},
            ["extended_hours"],
            id="option in extended hours",
        ),
        pytest.param(
            {"position_intent": order_pb2.POSITION_INTENT_SELL_TO_CLOSE},
            ["position_intent"],
            id="a buy that sells",
        ),
        pytest.param({"client_order_id": "x" * 129}, ["client_order_id"], id="client_order_id too long"),
        pytest.param({"client_order_id": "a\nb"}, ["client_order_id"], id="client_order_id with line break"),
        pytest.param({"client_order_id": "é"}, ["client_order_id"], id="client_order_id not ASCII"),
        pytest.param(
            {"account_id": "", "symbol": "", "side": 0, "qty": "x"},
            ["account_id", "symbol", "side", "qty"],
            id="everything at once",
        ),
    ],
)
def test_every_bad_field_is_named(changes: dict[str, object], paths: list[str]) -> None:
    with pytest.raises(MalformedRequest) as refused:
        _read(**changes)

    assert [one.field for one in refused.value.violations] == paths


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="market"),
        pytest.param({"qty": "0.000000001"}, id="the smallest fraction"),
        pytest.param({"qty": "1e3"}, id="an exponent within range"),
        pytest.param({"qty": "", "notional": "250.50"}, id="by amount"),
        pytest.param(LIMIT, id="limit"),
        pytest.param({**LIMIT, "limit_price": "0.1234"}, id="four decimals below a dollar"),
        pytest.param({**LIMIT, "limit_price": "10.050"}, id="a zero that says nothing"),
        pytest.param(STOP, id="stop"),
        pytest.param({**LIMIT, **STOP, "order_type": order_pb2.ORDER_TYPE_STOP_LIMIT}, id="stop limit"),
        pytest.param({**LIMIT, "extended_hours": True}, id="limit in extended hours"),
        pytest.param({"symbol": "BRK.B"}, id="class share"),
        pytest.param({"symbol": "AAPL1261218C00200000"}, id="adjusted option"),
        pytest.param({"client_order_id": " ~" * 64}, id="longest client_order_id"),
        *(pytest.param({"time_in_force": number}, id=name) for name, number in order_pb2.TimeInForce.items()),
    ],
)
def test_every_good_order_is_read(changes: dict[str, object]) -> None:
    assert _read(**changes).account == "main"


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        pytest.param("aapl", "AAPL", id="lower case"),
        pytest.param(OPTION.lower(), OPTION, id="option in lower case"),
        pytest.param("AAPL  261218C00200000", OPTION, id="padded option"),
    ],
)
def test_symbols_are_made_canonical(text: str, symbol: str) -> None:
    assert _read(symbol=text).content.symbol == symbol


@given(text=st.text(alphabet=st.characters(codec="utf-8"), max_size=50))
def test_an_amount_of_any_text_is_a_sound_decimal_or_a_violation(text: str) -> None:
    violations = Violations()
    value = fields.amount(text, "qty", violations, maximum=Decimal(10**9))

    assert (value is None) is (not text or violations.has("qty"))
    if value is not None:
        assert 0 < value <= 10**9
        assert value == value.quantize(Decimal("1E-9"))


@given(text=st.from_regex(fields._NUMBER, fullmatch=True))
def test_an_amount_of_any_number_is_a_sound_decimal_or_a_violation(text: str) -> None:
    violations = Violations()
    value = fields.amount(text, "qty", violations, maximum=Decimal(10**9))

    if value is not None:
        assert 0 < value <= 10**9
        assert value == value.quantize(Decimal("1E-9"))
    else:
        assert violations.has("qty")


@given(text=st.text(max_size=30))
def test_a_symbol_of_any_text_is_canonical_or_a_violation(text: str) -> None:
    violations = Violations()
    named = fields.symbol(text, violations)

    assert (named is None) is violations.has("symbol")
    if named is not None:
        symbol, asset_class = named
        assert fields.symbol(symbol, Violations()) == (symbol, asset_class)
        assert asset_class in (AssetClass.US_EQUITY, AssetClass.US_OPTION)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        pytest.param({"scope": 9}, "scope", id="unknown scope"),
        pytest.param({"limit": 501}, "limit", id="too many"),
        pytest.param({"limit": -1}, "limit", id="negative"),
        pytest.param({"symbols": ["AAPL", "/"]}, "symbols[1]", id="bad symbol in a list"),
    ],
)
def test_bad_list_queries_are_refused_by_field(changes: dict[str, object], path: str) -> None:
    request = ListOrdersRequest(account_id="main", **changes)  # type: ignore[arg-type] # a test names any field
    with pytest.raises(MalformedRequest) as refused:
        requests.list_query(request)

    assert [one.field for one in refused.value.violations] == [path]


def test_a_moment_outside_of_time_is_refused_by_field() -> None:
    request = ListAttemptsRequest(account_id="main")
    request.before.seconds = 10**15
    with pytest.raises(MalformedRequest) as refused:
        requests.attempt_query(request)

    assert [one.field for one in refused.value.violations] == ["before"]


amounts = st.sampled_from(["", "0", "1", "1.5", "0.0001", "1000000", "1e3", "NaN", "0.123456789", "12.345"])
numbers = st.integers(-1, 7)


@given(
    symbol=st.one_of(st.sampled_from(["AAPL", "BRK.B", "BRK-B", OPTION, "A1", "aapl"]), st.text(max_size=22)),
    side=numbers,
    order_type=numbers,
    time_in_force=numbers,
    intent=numbers,
    qty=st.one_of(amounts, st.text(max_size=12)),
    notional=amounts,
    limit_price=amounts,
    stop_price=amounts,
    extended=st.booleans(),
    coid=st.text(max_size=12),
)
@example("AAPL", 1, 4, 1, 1, "1.5", "", "1", "1", False, "")
def test_whatever_is_read_as_an_order_can_be_sent_to_the_broker(
    symbol: str,
    side: int,
    order_type: int,
    time_in_force: int,
    intent: int,
    qty: str,
    notional: str,
    limit_price: str,
    stop_price: str,
    extended: bool,
    coid: str,
) -> None:
    try:
        wish = _read(
            symbol=symbol,
            side=side,
            order_type=order_type,
            time_in_force=time_in_force,
            position_intent=intent,
            qty=qty,
            notional=notional,
            limit_price=limit_price,
            stop_price=stop_price,
            extended_hours=extended,
            client_order_id=coid,
        )
    except MalformedRequest:
        return
    sent = order_request(wish.client_order_id or ClientOrderId("made"), wish.content)

    assert sent.symbol == wish.content.symbol
    assert to_alpaca(sent).to_request_fields()["side"] == wish.content.side


@given(root=st.from_regex(r"[A-Z][A-Z0-9]{0,9}([.-][A-Z0-9]{1,6})?", fullmatch=True))
def test_every_stock_symbol_that_is_read_can_be_sent(root: str) -> None:
    try:
        wish = _read(symbol=root)
    except MalformedRequest:
        return

    assert order_request(ClientOrderId("k"), wish.content).symbol == root
