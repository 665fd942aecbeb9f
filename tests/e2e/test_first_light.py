"""One order, end to end: REST and gRPC callers, four processes, one exchange, one line in the log."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from opitios.account.v1 import account_pb2, account_service_pb2, account_service_pb2_grpc
from opitios.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc
from scenarios import OPTION, two_accounts
from stack_process import SERVICES, Stack, running

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.e2e]

PLACED = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \| INFO \| Order placed: BUY AAPL qty=\S+ "
    r"\| order_id=\S+ \| duration=\d+ms \| success=true \| "
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with running(two_accounts(), tmp_path_factory.mktemp("stack")) as stack:
        yield stack


def lines_about(system: Stack, order_id: str) -> list[str]:
    return [line for line in system.log("order_svc") if f"order_id={order_id}" in line]


async def test_a_legacy_stock_order_gets_the_legacy_json_and_its_line(system: Stack) -> None:
    body = {"symbol": "AAPL", "qty": 1, "side": "buy", "type": "market", "time_in_force": "day"}

    answer = await system.rest("POST", "/api/v1/stocks/order?account_id=paper", body=body)

    assert answer.status == 200, answer.text
    assert list(answer.json) == [
        "id",
        "symbol",
        "qty",
        "side",
        "order_type",
        "status",
        "filled_qty",
        "filled_avg_price",
        "submitted_at",
        "filled_at",
        "asset_class",
    ]
    assert '"qty":1.0' in answer.text
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", answer.json["submitted_at"])
    assert answer.json["asset_class"] is None
    (line,) = lines_about(system, answer.json["id"])
    assert PLACED.match(line), line
    assert "| account_type=paper |" in line


async def test_a_legacy_option_order_gets_the_legacy_json_with_its_timing(system: Stack) -> None:
    body = {"option_symbol": OPTION, "qty": 2, "side": "buy", "type": "limit", "limit_price": 10.5}

    answer = await system.rest("POST", "/api/v1/options/order?account_id=live", body=body)

    assert answer.status == 200, answer.text
    assert answer.json["asset_class"] == "option"
    assert answer.json["limit_price"] == 10.5
    assert set(answer.json["timing"]) == {
        "validation_time_ms",
        "prep_time_ms",
        "submit_time_ms",
        "total_time_ms",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d E[SD]T", answer.json["submitted_at"])
    (line,) = lines_about(system, answer.json["id"])
    assert "Order placed: BUY AAPL301220C00200000 qty=2 |" in line
    assert "| account_type=live |" in line


async def test_a_grpc_order_gets_its_line_and_its_request_id(system: Stack) -> None:
    stub = order_service_pb2_grpc.OrderServiceStub(system.channel("order_svc"))
    request = order_service_pb2.PlaceOrderRequest(
        account_id="paper", symbol="AAPL", side=order_pb2.SIDE_BUY, qty="2"
    )

    answer = await stub.PlaceOrder(request, timeout=10, metadata=(("x-request-id", "first-light-1"),))

    assert answer.order.order_id
    (line,) = lines_about(system, answer.order.order_id)
    assert PLACED.match(line), line
    assert "request_id=first-light-1" in line


async def test_the_request_id_of_a_rest_caller_reaches_the_order_line_and_comes_back(system: Stack) -> None:
    body = {"symbol": "AAPL", "side": "SIDE_BUY", "qty": "1", "clientOrderId": "rest-id"}

    answer = await system.rest(
        "POST", "/v1/accounts/paper/orders", body=body, headers={"X-Request-Id": "first-light-2"}
    )

    assert answer.status == 200, answer.text
    assert answer.headers["X-Request-Id"] == "first-light-2"
    (line,) = lines_about(system, answer.json["orderId"])
    assert "request_id=first-light-2" in line


async def test_the_same_idempotency_key_returns_the_first_order(system: Stack) -> None:
    body = {"symbol": "MSFT", "side": "SIDE_BUY", "qty": "1"}
    headers = {"Idempotency-Key": "only-once"}

    first = await system.rest("POST", "/v1/accounts/paper/orders", body=body, headers=headers)
    second = await system.rest("POST", "/v1/accounts/paper/orders", body=body, headers=headers)
    other = await system.rest("POST", "/v1/accounts/paper/orders", body={**body, "qty": "2"}, headers=headers)

    assert first.json["orderId"] == second.json["orderId"]
    assert other.status == 409
    ledger = await system.sandbox.ledger()
    assert [order["qty"] for order in ledger["orders"] if order["client_order_id"] == "only-once"] == ["1"]


@pytest.mark.parametrize("kind", ["limit", "stop", "stop_limit"])
async def test_each_order_type_reaches_the_exchange_as_asked(system: Stack, kind: str) -> None:
    prices = {"limit": {"limitPrice": "150.00"}, "stop": {"stopPrice": "250.00"}}
    prices["stop_limit"] = {**prices["stop"], "limitPrice": "251.00"}
    body = {"symbol": "AAPL", "side": "SIDE_BUY", "qty": "1", "orderType": f"ORDER_TYPE_{kind.upper()}"}

    answer = await system.rest("POST", "/v1/accounts/paper/orders", body={**body, **prices[kind]})

    assert answer.status == 200, answer.text
    ledger = await system.sandbox.ledger()
    (seen,) = [order for order in ledger["orders"] if order["id"] == answer.json["orderId"]]
    assert seen["type"] == kind
    assert {name: seen[name] for name in ("limit_price", "stop_price")} == {
        "limit_price": {"limit": "150", "stop": None, "stop_limit": "251"}[kind],
        "stop_price": {"limit": None, "stop": "250", "stop_limit": "250"}[kind],
    }


@pytest.mark.parametrize("legacy", ["day", "gtc", "ioc", "fok"])
async def test_each_time_in_force_reaches_the_exchange_as_asked(system: Stack, legacy: str) -> None:
    body = {"symbol": "MSFT", "qty": 1, "side": "buy", "type": "market", "time_in_force": legacy}

    answer = await system.rest("POST", "/api/v1/stocks/order?account_id=live", body=body)

    assert answer.status == 200, answer.text
    ledger = await system.sandbox.ledger()
    (seen,) = [order for order in ledger["orders"] if order["id"] == answer.json["id"]]
    assert seen["time_in_force"] == legacy


async def test_an_open_order_is_listed_read_and_cancelled_by_either_id(system: Stack) -> None:
    body = {
        "symbol": "TSLA",
        "side": "SIDE_BUY",
        "qty": "1",
        "orderType": "ORDER_TYPE_LIMIT",
        "limitPrice": "100.00",
        "clientOrderId": "to-cancel",
    }
    placed = (await system.rest("POST", "/v1/accounts/live/orders", body=body)).json

    listed = await system.rest("GET", "/v1/accounts/live/orders")
    read = await system.rest("GET", "/v1/accounts/live/clientOrders/to-cancel")
    cancelled = await system.rest("DELETE", f"/v1/accounts/live/orders/{placed['orderId']}")
    again = await system.rest("DELETE", "/v1/accounts/live/clientOrders/to-cancel")

    assert placed["orderId"] in [order["orderId"] for order in listed.json["orders"]]
    assert read.json["orderId"] == placed["orderId"]
    assert cancelled.json["outcome"] == "CANCEL_OUTCOME_CANCELED"
    assert again.json["outcome"] == "CANCEL_OUTCOME_CANCELED"
    lines = [line for line in lines_about(system, placed["orderId"]) if "Order cancelled: BUY TSLA" in line]
    assert len(lines) >= 1
    assert re.search(r"\| duration=\d+ms \| success=true \|", lines[0])


async def test_a_legacy_caller_lists_and_cancels(system: Stack) -> None:
    body = {"symbol": "TSLA", "qty": 1, "side": "buy", "type": "limit", "limit_price": 101}
    placed = (await system.rest("POST", "/api/v1/stocks/order?account_id=paper", body=body)).json

    listed = await system.rest("GET", "/api/v1/orders?account_id=paper&status=open")
    cancelled = await system.rest("DELETE", f"/api/v1/orders/{placed['id']}?account_id=paper")

    assert placed["id"] in [order["id"] for order in listed.json]
    assert cancelled.status == 200
    assert cancelled.json == {"status": "cancelled", "order_id": placed["id"]}


async def test_accounts_show_type_and_source_and_the_legacy_account_its_floats(system: Stack) -> None:
    stub = account_service_pb2_grpc.AccountServiceStub(system.channel("account_svc"))

    listed = await stub.ListAccounts(account_service_pb2.ListAccountsRequest(), timeout=5)
    legacy = await system.rest("GET", "/api/v1/account?account_id=live")

    types = {account.account_id: account.account_type for account in listed.accounts}
    assert types == {"paper": account_pb2.ACCOUNT_TYPE_PAPER, "live": account_pb2.ACCOUNT_TYPE_LIVE}
    assert legacy.json["account_number"] == "900000001"
    assert re.search(r'"last_equity":\d+\.\d', legacy.text)


async def test_a_position_shows_on_both_surfaces(system: Stack) -> None:
    body = {"symbol": "AAPL", "side": "SIDE_BUY", "qty": "3", "clientOrderId": "for-position"}
    await system.rest("POST", "/v1/accounts/live/orders", body=body)

    new = await system.rest("GET", "/v1/accounts/live/positions")
    legacy = await system.rest("GET", "/api/v1/positions?account_id=live")

    (entry,) = new.json["accounts"]
    assert "AAPL" in [position["symbol"] for position in entry["positions"]]
    (shown,) = [position for position in legacy.json if position["symbol"] == "AAPL"]
    assert len(shown["asset_id"]) == len("904837e3-3b76-47ec-b432-046db621571b")


async def test_quotes_come_for_stocks_and_options(system: Stack) -> None:
    stocks = await system.rest("GET", "/v1/stocks/quotes?symbols=AAPL&symbols=NOSUCH")
    options = await system.rest("GET", f"/v1/options/quotes?symbols={OPTION}")

    assert [quote["askPrice"] for quote in stocks.json["quotes"]] == ["190.02"]
    assert stocks.json["missing"] == ["NOSUCH"]
    assert [quote["symbol"] for quote in options.json["quotes"]] == [OPTION]


@pytest.mark.parametrize("service", ["account_svc", "order_svc", "sell_svc"])
async def test_grpcurl_lists_services_and_checks_health(system: Stack, service: str) -> None:
    status, listed = await system.grpcurl(service, "list")
    healthy, health = await system.grpcurl(service, "grpc.health.v1.Health/Check")

    assert status == 0, listed
    assert "grpc.health.v1.Health" in listed
    assert "grpc.channelz.v1.Channelz" in listed
    assert healthy == 0, health
    assert '"SERVING"' in health


async def test_grpcurl_places_an_order(system: Stack) -> None:
    request = '{"account_id":"paper","symbol":"AAPL","side":"SIDE_BUY","qty":"1"}'

    status, output = await system.grpcurl(
        "order_svc", "-d", request, "opitios.order.v1.OrderService/PlaceOrder"
    )

    assert status == 0, output
    assert '"order_id"' in output


@pytest.mark.parametrize("path", ["/health", "/api/v1/health", "/livez"])
async def test_health_answers_without_a_token(system: Stack, path: str) -> None:
    assert (await system.rest("GET", path)).status == 200


async def test_the_sell_status_tells_that_the_monitor_is_off(system: Stack) -> None:
    answer = await system.rest("GET", "/api/v1/sell")
    refused = await system.rest("POST", "/api/v1/sell/control", body={"action": "START"})

    assert answer.json["service"]["status"] == "stopped"
    assert refused.status == 200
    assert (refused.json["success"], refused.json["new_status"]) == (False, "unchanged")


async def test_no_log_holds_a_key_or_a_secret(system: Stack) -> None:
    for service in SERVICES:
        for kind in ("app", "errors"):
            text = "\n".join(system.log(service, kind))
            assert "made-up-secret" not in text
            assert "PKPAPER" not in text
