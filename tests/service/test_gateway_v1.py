"""The /v1 routes through the gateway: whose account, which key, which status, which JSON."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from fakes.gateway_orders import account, listed, placed, reasoned, stock_order
from fakes.gateway_services import Gateway, running_gateway, token_of
from opitios.account.v1 import account_service_pb2 as account_service
from opitios.account.v1 import market_data_service_pb2 as market_data
from opitios.order.v1 import order_pb2 as orders
from opitios.order.v1 import order_service_pb2 as service
from opitios.sell.v1 import sell_service_pb2 as sell
from runtime.errors import FailedPrecondition, FieldViolation, MalformedRequest, Unavailable

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

PLACE = "/v1/accounts/paper/orders"
BUY: dict[str, Any] = {"symbol": "AAPL", "side": "SIDE_BUY", "qty": "1"}
ADMIN = token_of(user_id="a", role="admin")
USER = token_of(user_id="u", account_id="paper")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[Gateway]:
    async with running_gateway() as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    running.services.forget()
    running.on("PlaceOrder", placed(stock_order()))
    running.on("ListAccounts", listed(account("paper"), account("live")))
    running.on("ListOrders", service.ListOrdersResponse())
    running.on("GetStockQuotes", market_data.GetStockQuotesResponse())
    running.on("ListDecisions", sell.ListDecisionsResponse())
    running.on("GetStatus", status_of("paper", "live"))
    running.on("StopMonitoring", sell.StopMonitoringResponse(changed=True))
    running.on("ListPositions", account_service.ListPositionsResponse())
    running.on("CancelOrder", service.CancelOrderResponse(outcome=service.CANCEL_OUTCOME_REQUESTED))
    return running


def status_of(*account_ids: str) -> sell.GetStatusResponse:
    status = sell.MonitorStatus(running=True)
    for account_id in account_ids:
        status.accounts.add(account_id=account_id)
    return sell.GetStatusResponse(status=status)


def reason_of(answer: Any) -> str:
    details = {detail["@type"].rsplit(".", 1)[1]: detail for detail in answer.json["details"]}
    return str(details["ErrorInfo"]["reason"])


async def test_an_order_is_placed_and_shown_in_proto_json(gateway: Gateway) -> None:
    answer = await gateway.call("POST", PLACE, body=BUY)

    assert answer.status == 200
    shown = answer.json
    assert (shown["accountId"], shown["orderId"], shown["qty"]) == ("paper", stock_order().order_id, "1")
    assert (shown["state"], shown["side"], shown["brokerMs"]) == ("ORDER_STATE_WORKING", "SIDE_BUY", "200")
    assert shown["submittedAt"] == "2025-09-18T19:53:53.783132Z"
    asked = gateway.asked("PlaceOrder", service.PlaceOrderRequest)
    assert (asked.account_id, asked.symbol, asked.side) == ("paper", "AAPL", orders.SIDE_BUY)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (orders.ORDER_STATE_WORKING, 200),
        (orders.ORDER_STATE_FILLED, 200),
        (orders.ORDER_STATE_UNKNOWN, 202),
        (orders.ORDER_STATE_SENDING, 202),
    ],
    ids=["working", "filled", "unknown", "sending"],
)
async def test_an_order_without_a_known_outcome_is_a_202(
    gateway: Gateway, state: orders.OrderState.ValueType, status: int
) -> None:
    gateway.on("PlaceOrder", placed(stock_order(state=state)))

    assert (await gateway.call("POST", PLACE, body=BUY)).status == status


async def test_reading_an_order_of_unknown_outcome_is_an_ordinary_answer(gateway: Gateway) -> None:
    gateway.on("GetOrder", service.GetOrderResponse(order=stock_order(state=orders.ORDER_STATE_UNKNOWN)))

    assert (await gateway.call("GET", f"{PLACE}/{stock_order().order_id}")).status == 200


@pytest.mark.parametrize(
    ("body", "header", "expected"),
    [
        (BUY, "from-header", "from-header"),
        ({**BUY, "clientOrderId": "from-body"}, None, "from-body"),
        ({**BUY, "client_order_id": "same"}, "same", "same"),
    ],
    ids=["header", "field", "both, equal"],
)
async def test_the_key_comes_from_the_header_or_the_field(
    gateway: Gateway, body: dict[str, Any], header: str | None, expected: str
) -> None:
    headers = {} if header is None else {"Idempotency-Key": header}

    answer = await gateway.call("POST", PLACE, body=body, headers=headers)

    assert answer.status == 200
    assert gateway.asked("PlaceOrder", service.PlaceOrderRequest).client_order_id == expected


async def test_two_different_keys_are_refused(gateway: Gateway) -> None:
    answer = await gateway.call(
        "POST", PLACE, body={**BUY, "clientOrderId": "one"}, headers={"Idempotency-Key": "two"}
    )

    assert answer.status == 400
    (bad,) = [one for one in answer.json["details"] if one["@type"].endswith("BadRequest")]
    assert bad["fieldViolations"][0]["field"] == "client_order_id"
    assert gateway.times_asked("PlaceOrder") == 0


async def test_a_lost_answer_names_the_key_by_which_the_order_is_found() -> None:
    async with running_gateway() as alone:
        await alone.order_server.stop(0)

        answer = await alone.call("POST", PLACE, body=BUY, headers={"Idempotency-Key": "k-1"})

    assert answer.status == 503
    assert "before placing it again, look for client_order_id k-1" in answer.json["message"]


async def test_an_error_of_a_service_passes_whole(gateway: Gateway) -> None:
    figures = {"cash": "4999.99", "minimum_balance": "5000"}
    gateway.on("PlaceOrder", reasoned(FailedPrecondition("below", metadata=figures), "INSUFFICIENT_BALANCE"))

    answer = await gateway.call("POST", PLACE, body=BUY, headers={"X-Request-Id": "r-7"})

    assert (answer.status, answer.json["code"], answer.json["message"]) == (400, 9, "below")
    assert reason_of(answer) == "INSUFFICIENT_BALANCE"
    assert answer.json["details"][0]["metadata"] == figures
    assert answer.headers["X-Request-Id"] == "r-7"
    assert "X-Process-Time" not in answer.headers


async def test_a_malformed_order_names_its_field(gateway: Gateway) -> None:
    gateway.on("PlaceOrder", MalformedRequest([FieldViolation(field="qty", description="is 0")]))

    answer = await gateway.call("POST", PLACE, body={**BUY, "qty": "0"})

    assert answer.status == 400
    assert "qty: is 0" in answer.json["message"]


async def test_an_outage_is_a_503(gateway: Gateway) -> None:
    gateway.on("PlaceOrder", reasoned(Unavailable("cash unknown"), "BALANCE_UNKNOWN"))

    answer = await gateway.call("POST", PLACE, body=BUY)

    assert (answer.status, reason_of(answer), answer.json["message"]) == (
        503,
        "BALANCE_UNKNOWN",
        "cash unknown",
    )


DOOR = [
    ("outside without token", {"outside": True}, 401),
    ("outside with garbage", {"outside": True, "token": "x"}, 401),
    (
        "outside with a token without exp",
        {"outside": True, "token": token_of(user_id="a", valid_for=None)},
        401,
    ),
    ("outside with a token", {"outside": True, "token": ADMIN}, 200),
    ("loopback without token", {}, 200),
    ("loopback with garbage: what is shown counts", {"token": "x"}, 401),
    ("a private network needs a token here", {"headers": {"X-Forwarded-For": "10.1.2.3"}}, 401),
    ("a page in a local browser", {"headers": {"Origin": "https://evil.example"}}, 401),
]


@pytest.mark.parametrize(("options", "status"), [row[1:] for row in DOOR], ids=[row[0] for row in DOOR])
async def test_who_gets_in(gateway: Gateway, options: dict[str, Any], status: int) -> None:
    answer = await gateway.call("GET", "/v1/accounts", **options)

    assert answer.status == status
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json["code"] == 16


SCOPE = [
    ("its own orders", "GET", "/v1/accounts/paper/orders", None, 200),
    ("another's orders", "GET", "/v1/accounts/live/orders", None, 403),
    ("its own account in other letters", "GET", "/v1/accounts/PAPER/orders", None, 403),
    ("an order on its own account", "POST", "/v1/accounts/paper/orders", BUY, 200),
    ("an order on another's", "POST", "/v1/accounts/live/orders", BUY, 403),
    ("a body that names another account than the path", "POST", PLACE, {**BUY, "accountId": "live"}, 400),
    ("every account's positions", "GET", "/v1/accounts/-/positions", None, 403),
    ("a percent-encoded account", "GET", "/v1/accounts/%6Cive/orders", None, 403),
    ("quotes of no account", "GET", "/v1/stocks/quotes?symbols=AAPL", None, 200),
    ("quotes by another's plan", "GET", "/v1/stocks/quotes?symbols=AAPL&accountId=live", None, 403),
    ("quotes by another's plan, proto name", "GET", "/v1/stocks/quotes?account_id=live", None, 403),
    ("its own decisions", "GET", "/v1/sell/decisions?accountId=paper", None, 200),
    ("everyone's decisions", "GET", "/v1/sell/decisions", None, 403),
    ("stop the monitor", "POST", "/v1/sell:stop", {}, 403),
    ("cancel another's order", "DELETE", "/v1/accounts/live/orders/1", None, 403),
    ("cancel another's order by key", "DELETE", "/v1/accounts/live/clientOrders/k", None, 403),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"), [row[1:] for row in SCOPE], ids=[row[0] for row in SCOPE]
)
async def test_a_user_acts_on_the_account_of_its_token(
    gateway: Gateway, method: str, path: str, body: object, status: int
) -> None:
    answer = await gateway.call(method, path, body=body, outside=True, token=USER)

    assert answer.status == status, answer.text
    if status == 403:
        assert reason_of(answer) in {"ACCOUNT_NOT_YOURS", "ADMIN_REQUIRED"}
        assert not any(gateway.services.requests.values())


@pytest.mark.parametrize(
    ("method", "path", "body", "status"), [row[1:] for row in SCOPE], ids=[row[0] for row in SCOPE]
)
async def test_an_admin_acts_on_all(
    gateway: Gateway, method: str, path: str, body: object, status: int
) -> None:
    answer = await gateway.call(method, path, body=body, outside=True, token=ADMIN)

    assert answer.status == (400 if status == 400 else 200), answer.text


async def test_a_user_sees_its_own_account_in_lists(gateway: Gateway) -> None:
    accounts = await gateway.call("GET", "/v1/accounts", outside=True, token=USER)
    status = await gateway.call("GET", "/v1/sell", outside=True, token=USER)
    everything = await gateway.call("GET", "/v1/accounts")

    assert [one["accountId"] for one in accounts.json["accounts"]] == ["paper"]
    assert [one["accountId"] for one in status.json["status"]["accounts"]] == ["paper"]
    assert [one["accountId"] for one in everything.json["accounts"]] == ["paper", "live"]


async def test_the_services_are_told_who_calls_and_nobody_can_pretend(gateway: Gateway) -> None:
    await gateway.call(
        "GET",
        "/v1/accounts",
        outside=True,
        token=USER,
        headers={"Grpc-Metadata-X-Opitios-Caller": "internal"},
    )

    (metadata,) = gateway.services.metadata["ListAccounts"]
    assert metadata["x-opitios-caller"] == "user:u"
    assert "authorization" not in metadata


async def test_an_unknown_path_is_a_404_inside_and_a_401_outside(gateway: Gateway) -> None:
    inside = await gateway.call("GET", "/v1/nope")
    outside = await gateway.call("GET", "/v1/nope", outside=True)

    assert (inside.status, inside.json) == (404, {"code": 5, "message": "no such path", "details": []})
    assert outside.status == 401


async def test_v1_is_not_limited_and_not_timed(gateway: Gateway) -> None:
    answers = [await gateway.call("GET", "/v1/accounts") for _ in range(125)]

    assert {answer.status for answer in answers} == {200}
    assert not any(name.startswith("x-ratelimit") for name in map(str.lower, answers[0].headers))


async def test_health_asks_the_services_and_life_does_not(gateway: Gateway) -> None:
    health = await gateway.call("GET", "/healthz", outside=True)
    life = await gateway.call("GET", "/livez", outside=True)

    assert (health.status, life.status) == (503, 200)


async def test_pretty_indents_the_answer_and_is_not_taken_for_a_field(gateway: Gateway) -> None:
    plain = await gateway.call("GET", "/v1/accounts", token=ADMIN)
    pretty = await gateway.call("GET", "/v1/accounts?pretty", token=ADMIN)

    assert (pretty.status, pretty.json) == (200, plain.json)
    assert "\n  " in pretty.text
    assert "\n" not in plain.text
