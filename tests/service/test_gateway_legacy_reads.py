"""GET /account, /positions, /orders, DELETE /orders/{id} and the health routes as legacy-rest.md has them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from fakes.gateway_orders import STOCK_ORDER_ID, account, listed, option_order, reasoned, stock_order
from fakes.gateway_services import Gateway, running_gateway
from opitios.account.v1 import account_pb2 as accounts
from opitios.account.v1 import account_service_pb2 as account_service
from opitios.order.v1 import order_pb2 as orders
from opitios.order.v1 import order_service_pb2 as service
from runtime.errors import FailedPrecondition, InvalidArgument, NotFound, ServiceError, Unavailable

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

RAW = '{"code":40110000,"message":"request is not authorized"}'
SNAPSHOT = accounts.AccountSnapshot(
    account=accounts.Account(account_id="paper", account_number="PA3ABC"),
    cash="6000.50",
    buying_power="12001",
    equity="7000",
    last_equity="6900.1",
    portfolio_value="7000",
    multiplier="2",
)
LONG = accounts.Position(
    account_id="paper",
    asset_id="b0b6dd9d-8b9b-48a9-ba46-b9d54906e415",
    symbol="AAPL",
    asset_class="us_equity",
    qty="10",
    qty_available="4",
    side="long",
    avg_entry_price="0",
    current_price="190.25",
    market_value="1902.5",
    cost_basis="1800",
    unrealized_pl="102.5",
    unrealized_plpc="0.0569",
    lastday_price="189",
)
UNPRICED = accounts.Position(symbol="AAPL240119C00190000", asset_class="us_option", qty="-2", side="short")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[Gateway]:
    async with running_gateway(accounts={"a": {"api_key": "k", "secret_key": "s"}}) as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    running.services.forget()
    running.clock.advance(61)
    return running


async def test_an_account_answers_its_figures_as_numbers(gateway: Gateway) -> None:
    gateway.on("GetAccount", account_service.GetAccountResponse(snapshot=SNAPSHOT))

    answer = await gateway.call("GET", "/api/v1/account?account_id=paper&routing_key=x&odd=1")

    assert answer.status == 200
    assert answer.text == (
        '{"account_number":"PA3ABC","buying_power":12001.0,"cash":6000.5,"portfolio_value":7000.0,'
        '"equity":7000.0,"last_equity":6900.1,"multiplier":2,"pattern_day_trader":false}'
    )
    assert gateway.asked("GetAccount", account_service.GetAccountRequest).account_id == "paper"


async def test_an_answer_that_makes_no_sense_is_a_500_that_shows_only_the_request_id(
    gateway: Gateway,
) -> None:
    nonsense = accounts.AccountSnapshot(multiplier="twice")
    gateway.on("GetAccount", account_service.GetAccountResponse(snapshot=nonsense))

    answer = await gateway.call("GET", "/api/v1/account?account_id=paper", headers={"X-Request-Id": "r-9"})

    assert (answer.status, answer.json) == (500, {"detail": "internal error; request id r-9"})


async def test_positions_are_a_bare_list_with_null_for_what_is_not_known(gateway: Gateway) -> None:
    known = accounts.AccountPositions(account_id="paper", positions=[LONG, UNPRICED])
    gateway.on("ListPositions", account_service.ListPositionsResponse(accounts=[known]))

    answer = await gateway.call("GET", "/api/v1/positions?account_id=paper")

    assert answer.status == 200
    assert answer.text == (
        '[{"asset_id":"b0b6dd9d-8b9b-48a9-ba46-b9d54906e415","symbol":"AAPL","qty":10.0,"side":"long",'
        '"market_value":1902.5,"cost_basis":1800.0,"unrealized_pl":102.5,"unrealized_plpc":0.0569,'
        '"avg_entry_price":null,"current_price":190.25,"lastday_price":189.0,"asset_class":"us_equity",'
        '"qty_available":4.0},'
        '{"asset_id":"","symbol":"AAPL240119C00190000","qty":-2.0,"side":"short","market_value":null,'
        '"cost_basis":null,"unrealized_pl":null,"unrealized_plpc":null,"avg_entry_price":null,'
        '"current_price":null,"lastday_price":null,"asset_class":"us_option","qty_available":null}]'
    )


async def test_no_positions_are_an_empty_list(gateway: Gateway) -> None:
    gateway.on(
        "ListPositions",
        account_service.ListPositionsResponse(accounts=[accounts.AccountPositions(account_id="paper")]),
    )

    assert (await gateway.call("GET", "/api/v1/positions?account_id=paper")).text == "[]"


async def test_positions_that_could_not_be_read_are_an_error_and_not_an_empty_list(gateway: Gateway) -> None:
    unread = accounts.AccountPositions(account_id="paper", error="Alpaca did not answer")
    gateway.on("ListPositions", account_service.ListPositionsResponse(accounts=[unread]))

    answer = await gateway.call("GET", "/api/v1/positions?account_id=paper")

    assert (answer.status, answer.json) == (503, {"detail": "Alpaca did not answer"})


READ_ERRORS: list[tuple[str, ServiceError, int, str]] = [
    (
        "unknown account",
        reasoned(NotFound("no account zz"), "ACCOUNT_NOT_FOUND"),
        404,
        "Account ID 'zz' not found.",
    ),
    (
        "the exchange refuses",
        reasoned(
            FailedPrecondition(
                "Alpaca refused",
                metadata={"broker_code": "40110000", "broker_message": "request is not authorized"},
            ),
            "BROKER_REFUSED",
        ),
        400,
        RAW,
    ),
    ("the exchange is away", reasoned(Unavailable("no answer"), "BROKER_UNREACHABLE"), 503, "no answer"),
]


@pytest.mark.parametrize(
    ("error", "status", "detail"), [row[1:] for row in READ_ERRORS], ids=[row[0] for row in READ_ERRORS]
)
@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/api/v1/account", "GetAccount"),
        ("/api/v1/positions", "ListPositions"),
        ("/api/v1/orders", "ListOrders"),
    ],
    ids=["account", "positions", "orders"],
)
async def test_a_read_that_fails_is_no_wrapped_500(
    gateway: Gateway, path: str, method: str, error: ServiceError, status: int, detail: str
) -> None:
    gateway.on(method, error)

    answer = await gateway.call("GET", f"{path}?account_id=zz")

    assert (answer.status, answer.json) == (status, {"detail": detail})


@pytest.mark.parametrize(
    ("method", "path", "detail"),
    [
        ("GET", "/api/v1/account", "account_id parameter is required"),
        ("GET", "/api/v1/account?account_id=", "account_id parameter is required"),
        ("GET", "/api/v1/positions", "account_id parameter is required"),
        ("GET", "/api/v1/orders", "Account ID is required for order retrieval"),
        ("GET", "/api/v1/orders?account_id=", "Account ID is required for order retrieval"),
        ("DELETE", f"/api/v1/orders/{STOCK_ORDER_ID}", "Account ID is required for order cancellation"),
    ],
)
async def test_a_missing_account_is_a_400_in_the_old_words(
    gateway: Gateway, method: str, path: str, detail: str
) -> None:
    answer = await gateway.call(method, path)

    assert (answer.status, answer.json) == (400, {"detail": detail})


@pytest.mark.parametrize("path", ["/api/v1/account", "/api/v1/positions"])
async def test_every_account_at_once_is_nobody_s_id_here(gateway: Gateway, path: str) -> None:
    answer = await gateway.call("GET", f"{path}?account_id=-")

    assert (answer.status, answer.json) == (404, {"detail": "Account ID '-' not found."})


ORDERS = service.ListOrdersResponse(
    orders=[
        stock_order(broker_status="partially_filled", filled_qty="0.5", filled_avg_price="190.1"),
        option_order(broker_status="filled", filled_at="2025-01-15T14:30:25Z"),
        stock_order(broker_status="canceled", qty="", submitted_at=None, asset_class=""),
    ]
)


async def test_orders_are_a_bare_list_with_null_fields_instead_of_a_500(gateway: Gateway) -> None:
    gateway.on("ListOrders", ORDERS)

    answer = await gateway.call("GET", "/api/v1/orders?account_id=paper&status=all")

    assert answer.status == 200
    assert answer.text == (
        f'[{{"id":"{STOCK_ORDER_ID}","symbol":"AAPL","qty":1.0,"side":"buy","order_type":"market",'
        '"status":"partially_filled","filled_qty":0.5,"filled_avg_price":190.1,'
        '"submitted_at":"2025-09-18T15:53:53","filled_at":null,"asset_class":"us_equity"},'
        f'{{"id":"{STOCK_ORDER_ID}","symbol":"AAPL240119C00190000","qty":2.0,"side":"buy",'
        '"order_type":"limit","status":"filled","filled_qty":0.0,"filled_avg_price":null,'
        '"submitted_at":"2025-09-18T15:53:53","filled_at":"2025-01-15T09:30:25","asset_class":"us_option"},'
        f'{{"id":"{STOCK_ORDER_ID}","symbol":"AAPL","qty":null,"side":"buy","order_type":"market",'
        '"status":"canceled","filled_qty":0.0,"filled_avg_price":null,"submitted_at":null,'
        '"filled_at":null,"asset_class":null}]'
    )


@pytest.mark.parametrize(
    ("query", "scope", "statuses"),
    [
        ("", service.ORDER_SCOPE_OPEN, ["partially_filled", "filled", "canceled"]),
        ("&status=open", service.ORDER_SCOPE_OPEN, ["partially_filled", "filled", "canceled"]),
        ("&status=all", service.ORDER_SCOPE_ALL, ["partially_filled", "filled", "canceled"]),
        ("&status=closed", service.ORDER_SCOPE_CLOSED, ["partially_filled", "filled", "canceled"]),
        ("&status=filled,canceled", service.ORDER_SCOPE_ALL, ["filled", "canceled"]),
        ("&status=open,accepted,replaced", service.ORDER_SCOPE_ALL, ["partially_filled"]),
    ],
    ids=["absent", "open", "all", "closed", "a list", "open in a list"],
)
async def test_a_status_chooses_the_orders(
    gateway: Gateway, query: str, scope: service.OrderScope.ValueType, statuses: list[str]
) -> None:
    gateway.on("ListOrders", ORDERS)

    answer = await gateway.call("GET", f"/api/v1/orders?account_id=paper{query}")

    assert [order["status"] for order in answer.json] == statuses
    assert gateway.asked("ListOrders", service.ListOrdersRequest).scope == scope


@pytest.mark.parametrize("status", ["filled", "", "OPEN"])
async def test_any_other_single_status_is_a_400(gateway: Gateway, status: str) -> None:
    answer = await gateway.call("GET", f"/api/v1/orders?account_id=paper&status={status}")

    assert answer.status == 400
    assert answer.json["detail"].startswith("status: Input should be 'open', 'closed' or 'all'")
    assert gateway.times_asked("ListOrders") == 0


@pytest.mark.parametrize(
    ("query", "limit", "shown"), [("", 100, 3), ("&limit=2", 2, 2), ("&limit=3&limit=1", 1, 1)]
)
async def test_the_limit_counts_before_the_filter(
    gateway: Gateway, query: str, limit: int, shown: int
) -> None:
    gateway.on("ListOrders", ORDERS)

    answer = await gateway.call("GET", f"/api/v1/orders?account_id=paper{query}")

    assert len(answer.json) == shown
    assert gateway.asked("ListOrders", service.ListOrdersRequest).limit == limit


async def test_a_limit_that_is_no_number_is_a_422_at_the_query(gateway: Gateway) -> None:
    answer = await gateway.call("GET", "/api/v1/orders?account_id=paper&limit=ten")

    assert answer.status == 422
    assert answer.text == (
        '{"detail":[{"type":"int_parsing","loc":["query","limit"],'
        '"msg":"Input should be a valid integer, unable to parse string as an integer","input":"ten"}]}'
    )


@pytest.mark.parametrize("limit", ["0", "-1", "-99999999999999999999"])
async def test_a_limit_that_lets_nothing_through_is_a_400(gateway: Gateway, limit: str) -> None:
    answer = await gateway.call("GET", f"/api/v1/orders?account_id=paper&limit={limit}")

    assert answer.status == 400
    assert answer.json["detail"].startswith("limit: must be above 0")


async def test_a_limit_beyond_the_exchange_s_is_order_svc_s_to_refuse(gateway: Gateway) -> None:
    gateway.on("ListOrders", InvalidArgument("limit: is 501: at most 500"))

    answer = await gateway.call("GET", "/api/v1/orders?account_id=paper&limit=99999999999999999999")

    assert (answer.status, answer.json) == (400, {"detail": "limit: is 501: at most 500"})


CANCEL = f"/api/v1/orders/{STOCK_ORDER_ID}?account_id=paper"


@pytest.mark.parametrize(
    "outcome",
    [service.CANCEL_OUTCOME_REQUESTED, service.CANCEL_OUTCOME_CANCELED],
    ids=["requested", "already read as cancelled"],
)
async def test_a_cancellation_says_that_the_request_was_taken(
    gateway: Gateway, outcome: service.CancelOutcome.ValueType
) -> None:
    gateway.on("CancelOrder", service.CancelOrderResponse(outcome=outcome, order=stock_order()))

    answer = await gateway.call("DELETE", CANCEL)

    assert answer.status == 200
    assert answer.text == f'{{"status":"cancelled","order_id":"{STOCK_ORDER_ID}"}}'
    asked = gateway.asked("CancelOrder", service.CancelOrderRequest)
    assert (asked.account_id, asked.order_id) == ("paper", STOCK_ORDER_ID)


async def test_the_order_id_comes_back_as_it_was_typed(gateway: Gateway) -> None:
    gateway.on("CancelOrder", service.CancelOrderResponse(outcome=service.CANCEL_OUTCOME_REQUESTED))
    typed = STOCK_ORDER_ID.upper().replace("-", "")

    answer = await gateway.call("DELETE", f"/api/v1/orders/{typed}?account_id=paper")

    assert answer.json["order_id"] == typed


async def test_the_cancellation_of_an_order_that_has_ended_is_the_exchange_s_refusal(
    gateway: Gateway,
) -> None:
    final = service.CancelOrderResponse(
        outcome=service.CANCEL_OUTCOME_ALREADY_FINAL,
        order=stock_order(state=orders.ORDER_STATE_FILLED, broker_status="filled"),
    )
    gateway.on("CancelOrder", final)

    answer = await gateway.call("DELETE", CANCEL)

    assert answer.status == 400
    assert answer.json == {"detail": '{"code":42210000,"message":"order is already in \\"filled\\" state"}'}


async def test_an_order_nobody_knows_is_the_exchange_s_refusal(gateway: Gateway) -> None:
    gateway.on("CancelOrder", reasoned(NotFound("no such order"), "ORDER_NOT_FOUND"))

    answer = await gateway.call("DELETE", CANCEL)

    assert answer.status == 400
    assert answer.json == {"detail": f'{{"code":40410000,"message":"order not found for {STOCK_ORDER_ID}"}}'}


async def test_an_order_id_that_is_no_uuid_never_leaves(gateway: Gateway) -> None:
    answer = await gateway.call("DELETE", "/api/v1/orders/abc?account_id=paper")

    assert (answer.status, answer.json) == (400, {"detail": "badly formed hexadecimal UUID string"})
    assert gateway.times_asked("CancelOrder") == 0


async def test_a_lost_cancellation_is_not_said_to_have_been_taken(gateway: Gateway) -> None:
    gateway.on("CancelOrder", service.CancelOrderResponse(outcome=service.CANCEL_OUTCOME_UNKNOWN))

    assert (await gateway.call("DELETE", CANCEL)).status == 503


async def test_a_single_order_has_no_read_route(gateway: Gateway) -> None:
    answer = await gateway.call("GET", CANCEL)

    assert (answer.status, answer.json, answer.headers["Allow"]) == (
        405,
        {"detail": "Method Not Allowed"},
        "DELETE",
    )


async def test_health_tells_how_many_accounts_are_enabled(gateway: Gateway) -> None:
    gateway.on("ListAccounts", listed(account("a"), account("b"), account("c", enabled=False)))

    answer = await gateway.call("GET", "/health", outside=True)

    assert answer.status == 200
    assert answer.json | {"timestamp": ""} == {
        "status": "healthy",
        "service": "Opitios Alpaca Trading Service",
        "response_time_ms": 0.0,
        "configuration": {"real_data_only": True, "accounts_configured": 2, "multi_account_mode": True},
        "timestamp": "",
    }
    assert len(answer.json["timestamp"]) == len("2026-11-24T11:12:38.160058")


async def test_health_falls_back_to_the_configuration_where_account_svc_does_not_answer(
    gateway: Gateway,
) -> None:
    answer = await gateway.call("GET", "/health")

    assert (answer.status, answer.json["configuration"]["accounts_configured"]) == (200, 1)
    assert answer.json["configuration"]["multi_account_mode"] is False


async def test_api_health_tells_the_configuration_and_the_data_policy(gateway: Gateway) -> None:
    gateway.on("ListAccounts", listed(account("a")))

    answer = await gateway.call("GET", "/api/v1/health", outside=True)

    assert answer.status == 200
    assert answer.json == {
        "status": "healthy",
        "service": "Opitios Alpaca Trading Service",
        "configuration": {
            "real_data_only": True,
            "mock_data_enabled": False,
            "strict_error_handling": True,
            "multi_account_mode": True,
            "max_option_symbols_per_request": 20,
        },
        "data_policy": "Real Alpaca market data only, no mock data",
    }


async def test_the_root_says_what_answers_here(gateway: Gateway) -> None:
    answer = await gateway.call("GET", "/", outside=True)

    assert answer.status == 200
    assert answer.json == {
        "service": "Opitios Alpaca Trading Service",
        "status": "running",
        "version": "1.0.0",
        "docs": "/docs",
        "health": "/api/v1/health",
    }
    assert "X-Process-Time" in answer.headers
