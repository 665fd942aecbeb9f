"""Bad input, over REST and gRPC: a 4xx that names the field, and nothing reaches the exchange."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf import json_format

from opitios.order.v1 import order_service_pb2, order_service_pb2_grpc
from rich_errors import violated_fields
from scenarios import two_accounts
from stack_process import Stack, running

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.e2e]

BUY: dict[str, Any] = {"symbol": "AAPL", "side": "SIDE_BUY", "qty": "1"}
OPTION: dict[str, Any] = {"symbol": "AAPL301220C00200000", "side": "SIDE_BUY", "qty": "1"}

# What is wrong, the change that makes it so, the field that the answer names.
BAD = [
    ("qty is zero", {"qty": "0"}, "qty"),
    ("qty is negative", {"qty": "-1"}, "qty"),
    ("qty is not a number", {"qty": "NaN"}, "qty"),
    ("qty is infinite", {"qty": "Infinity"}, "qty"),
    ("qty is beyond all measure", {"qty": "1e400"}, "qty"),
    ("qty is words", {"qty": "ten"}, "qty"),
    ("qty has ten decimals", {"qty": "0.0000000001"}, "qty"),
    ("neither qty nor notional", {"qty": ""}, "qty"),
    ("both qty and notional", {"notional": "100"}, "notional"),
    ("no symbol", {"symbol": ""}, "symbol"),
    ("a symbol of no form", {"symbol": "not a symbol"}, "symbol"),
    ("an option that expires on no day", {"symbol": "AAPL301399C00200000"}, "symbol"),
    ("a stock that nobody lists", {"symbol": "NOSUCH"}, "symbol"),
    ("an option that nobody lists", {"symbol": "AAPL301220C99999000"}, "symbol"),
    ("half a contract", {**OPTION, "qty": "0.5"}, "qty"),
    ("notional of an option", {**OPTION, "qty": "", "notional": "100"}, "notional"),
    ("no side", {"side": "SIDE_UNSPECIFIED"}, "side"),
    ("limit without a price", {"orderType": "ORDER_TYPE_LIMIT"}, "limit_price"),
    ("stop without a price", {"orderType": "ORDER_TYPE_STOP"}, "stop_price"),
    (
        "a limit price in tenths of a cent",
        {"orderType": "ORDER_TYPE_LIMIT", "limitPrice": "150.001"},
        "limit_price",
    ),
    ("a market order with a price", {"limitPrice": "150.00"}, "limit_price"),
    ("client_order_id of 200 characters", {"clientOrderId": "x" * 200}, "client_order_id"),
    ("client_order_id with a line break", {"clientOrderId": "a\nb"}, "client_order_id"),
]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with running(two_accounts(), tmp_path_factory.mktemp("stack")) as stack:
        yield stack


async def orders_sent(system: Stack) -> int:
    return len(await system.sandbox.requests(method="POST", path="/v2/orders"))


@pytest.mark.parametrize(("change", "field"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_rest_names_the_field_and_sends_nothing(
    system: Stack, change: dict[str, str], field: str
) -> None:
    answer = await system.rest("POST", "/v1/accounts/paper/orders", body={**BUY, **change})

    assert answer.status == 400, answer.text
    details = {detail["@type"].rsplit(".", 1)[1]: detail for detail in answer.json["details"]}
    assert [violation["field"] for violation in details["BadRequest"]["fieldViolations"]] == [field]
    assert "Traceback" not in answer.text
    assert await orders_sent(system) == 0


@pytest.mark.parametrize(("change", "field"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_grpc_names_the_field_and_sends_nothing(
    system: Stack, change: dict[str, str], field: str
) -> None:
    request = json_format.ParseDict(
        {"accountId": "paper", **BUY, **change}, order_service_pb2.PlaceOrderRequest()
    )
    stub = order_service_pb2_grpc.OrderServiceStub(system.channel("order_svc"))

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.PlaceOrder(request, timeout=10)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violated_fields(caught.value) == [field]
    assert await orders_sent(system) == 0


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        pytest.param(b"{", "JSON", id="broken JSON"),
        pytest.param(b'{"symbol":"AAPL"', "JSON", id="JSON cut short"),
        pytest.param(b"[]", "object", id="a list"),
        pytest.param(b'{"symbol":"AAPL","side":"SIDE_BUY","qty":1}', "qty", id="a number for decimal text"),
        pytest.param(b'{"symbol":"AAPL","side":"UP","qty":"1"}', "side", id="a side that does not exist"),
        pytest.param(b'{"symbol":"\xff"}', "UTF-8", id="bytes that are no text"),
        pytest.param(b"[" * 20_000, "", id="twenty thousand brackets"),
    ],
)
async def test_rest_refuses_a_body_that_is_no_order(system: Stack, raw: bytes, word: str) -> None:
    answer = await system.rest("POST", "/v1/accounts/paper/orders", raw=raw)

    assert answer.status == 400, answer.text
    assert word in answer.text
    assert await orders_sent(system) == 0


async def test_an_unknown_account_is_not_found_by_name(system: Stack) -> None:
    answer = await system.rest("POST", "/v1/accounts/nobody/orders", body=BUY)

    assert answer.status == 404
    assert "nobody" in answer.json["message"]
    assert await orders_sent(system) == 0


LEGACY_BAD = [
    ("qty is zero", {"qty": 0}, 422),
    ("qty is not a number", {"qty": "NaN"}, 422),
    ("side is sideways", {"side": "sideways"}, 422),
    ("limit without a price", {"type": "limit"}, 400),
    ("stop without a price", {"type": "stop"}, 400),
    ("symbol of no form", {"symbol": "not a symbol"}, 400),
    ("symbol that nobody lists", {"symbol": "NOSUCH"}, 400),
]


@pytest.mark.parametrize(
    ("change", "status"), [row[1:] for row in LEGACY_BAD], ids=[row[0] for row in LEGACY_BAD]
)
async def test_the_legacy_surface_refuses_with_its_own_envelope(
    system: Stack, change: dict[str, object], status: int
) -> None:
    body = {"symbol": "AAPL", "qty": 1, "side": "buy", "type": "market", **change}

    answer = await system.rest("POST", "/api/v1/stocks/order?account_id=paper", body=body)

    assert answer.status == status, answer.text
    assert "detail" in answer.json
    assert await orders_sent(system) == 0


async def test_legacy_number_beyond_all_measure_is_refused(system: Stack) -> None:
    raw = b'{"symbol":"AAPL","qty":1e400,"side":"buy"}'

    answer = await system.rest("POST", "/api/v1/stocks/order?account_id=paper", raw=raw)

    assert 400 <= answer.status < 500, answer.text
    assert await orders_sent(system) == 0
