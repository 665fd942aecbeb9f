"""Who gets in, what it costs them, and what every legacy answer carries: legacy-rest.md sections 1 to 4."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from fakes.gateway_orders import account, listed, placed, stock_order
from fakes.gateway_services import Gateway, running_gateway, token_of
from opitios.account.v1 import account_service_pb2 as account_service
from opitios.order.v1 import order_service_pb2 as service

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

ORDERS = "/api/v1/orders?account_id=paper"
STOCK_PATH = "/api/v1/stocks/order?account_id=paper"
STOCK = {"symbol": "AAPL", "qty": 1, "side": "buy"}
USER = token_of(user_id="u-1")
LIMITED = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[Gateway]:
    async with running_gateway() as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    running.services.forget()
    running.clock.advance(61)
    running.on("ListOrders", service.ListOrdersResponse())
    running.on("PlaceOrder", placed(stock_order()))
    running.on("ListPositions", account_service.ListPositionsResponse())
    running.on("ListAccounts", listed(account("paper")))
    return running


MISSING = "Missing or invalid authorization header"
ROUTE = "Invalid or missing JWT token"
ROWS = [
    ("no token", ORDERS, None, 401, MISSING),
    ("other scheme", ORDERS, "Basic abc", 401, MISSING),
    ("scheme in lower case", ORDERS, f"bearer {USER}", 401, MISSING),
    ("garbage", ORDERS, "Bearer abc", 401, "Invalid token"),
    ("empty token", ORDERS, "Bearer ", 401, "Invalid token"),
    ("expired", ORDERS, f"Bearer {token_of(user_id='u', valid_for=-1)}", 401, "Token expired"),
    ("without exp", ORDERS, f"Bearer {token_of(user_id='u', valid_for=None)}", 401, "Invalid token"),
    ("another algorithm", ORDERS, f"Bearer {token_of(user_id='u', algorithm='HS256')}", 401, "Invalid token"),
    ("good", ORDERS, f"Bearer {USER}", 200, None),
    ("an unknown path without token", "/api/v1/nope", None, 401, MISSING),
    ("an unknown path with token", "/api/v1/nope", f"Bearer {USER}", 404, "Not Found"),
    ("positions without token", "/api/v1/positions?account_id=paper", None, 401, ROUTE),
    ("positions with garbage", "/api/v1/positions?account_id=paper", "Bearer abc", 401, ROUTE),
    ("positions, scheme in lower case", "/api/v1/positions?account_id=paper", f"bearer {USER}", 200, None),
    ("public", "/api/v1/health", None, 200, None),
    ("public with garbage", "/api/v1/health", "Bearer abc", 200, None),
]


@pytest.mark.parametrize(
    ("path", "authorization", "status", "detail"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
async def test_from_outside_a_token_opens_the_door(
    gateway: Gateway, path: str, authorization: str | None, status: int, detail: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}

    answer = await gateway.call("GET", path, headers=headers, outside=True)

    assert answer.status == status
    if detail is not None:
        assert answer.json == {"detail": detail}


async def test_of_two_authorization_headers_none_counts(gateway: Gateway) -> None:
    answer = await gateway.raw(
        b"GET /api/v1/orders?account_id=paper HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 8.8.8.8\r\n"
        b"Authorization: Bearer "
        + USER.encode()
        + b"\r\nAuthorization: Bearer x\r\nConnection: close\r\n\r\n"
    )

    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        ("8.8.8.8", 401),
        ("100.64.0.1", 401),
        ("10.1.2.3", 200),
        ("203.0.113.9", 200),
        ("127.0.0.1, 8.8.8.8", 401),
        ("not an address", 401),
    ],
    ids=["public", "carrier-grade NAT", "private", "documentation range", "forged in front", "no address"],
)
async def test_the_forwarded_address_decides_who_is_internal(
    gateway: Gateway, forwarded: str, status: int
) -> None:
    answer = await gateway.call("GET", ORDERS, headers={"X-Forwarded-For": forwarded})

    assert answer.status == status


async def test_an_internal_caller_s_bad_token_is_ignored(gateway: Gateway) -> None:
    assert (await gateway.call("GET", ORDERS, token="nonsense")).status == 200


async def test_configured_external_addresses_need_no_token() -> None:
    async with running_gateway(allowed_external_ips=["8.8.8.8"]) as gateway:
        gateway.on("ListOrders", service.ListOrdersResponse())

        answer = await gateway.call("GET", ORDERS, outside=True)
        v1 = await gateway.call("GET", "/v1/accounts/paper/orders", outside=True)

    assert (answer.status, v1.status) == (200, 401)


async def test_configured_networks_replace_the_private_ranges() -> None:
    async with running_gateway(auth={"internal_networks": ["127.0.0.0/8"]}) as gateway:
        gateway.on("ListOrders", service.ListOrdersResponse())

        private = await gateway.call("GET", ORDERS, headers={"X-Forwarded-For": "10.1.2.3"})
        loopback = await gateway.call("GET", ORDERS)

    assert (private.status, loopback.status) == (401, 200)


async def test_a_peer_that_is_no_trusted_proxy_cannot_speak_for_others() -> None:
    async with running_gateway(auth={"trusted_proxies": []}) as gateway:
        gateway.on("ListOrders", service.ListOrdersResponse())

        answer = await gateway.call("GET", ORDERS, outside=True)

    assert answer.status == 200


BOUND = {"legacy_any_account": False}
BOUND_ROWS = [
    ("own account", {"account_id": "paper"}, "paper", 200),
    ("another account", {"account_id": "paper"}, "live", 403),
    ("a token without account", {}, "paper", 403),
    ("an admin", {"role": "admin"}, "live", 200),
]


@pytest.mark.parametrize(
    ("claims", "account_id", "status"), [row[1:] for row in BOUND_ROWS], ids=[row[0] for row in BOUND_ROWS]
)
async def test_with_legacy_any_account_off_a_token_is_bound_to_its_account(
    bound: Gateway, claims: dict[str, Any], account_id: str, status: int
) -> None:
    token = token_of(user_id="u", **claims)
    calls = [
        await bound.call("GET", f"/api/v1/orders?account_id={account_id}", outside=True, token=token),
        await bound.call("GET", f"/api/v1/positions?account_id={account_id}", outside=True, token=token),
        await bound.call(
            "POST", f"/api/v1/stocks/order?account_id={account_id}", body=STOCK, outside=True, token=token
        ),
    ]

    assert [answer.status for answer in calls] == [status] * 3


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running_bound() -> AsyncIterator[Gateway]:
    async with running_gateway(auth=BOUND) as gateway:
        yield gateway


@pytest.fixture
def bound(running_bound: Gateway) -> Gateway:
    running_bound.clock.advance(61)
    running_bound.on("ListOrders", service.ListOrdersResponse())
    running_bound.on("PlaceOrder", placed(stock_order()))
    running_bound.on("ListPositions", account_service.ListPositionsResponse())
    running_bound.on("ListAccounts", listed(account("paper"), account("live")))
    return running_bound


async def test_with_legacy_any_account_off_a_bulk_permission_reaches_no_other_account(bound: Gateway) -> None:
    token = token_of(user_id="u", account_id="paper", permissions=["bulk_place"])

    answer = await bound.call(
        "POST", STOCK_PATH, body={**STOCK, "bulk_place": True}, outside=True, token=token
    )

    assert answer.status == 403


async def test_the_eleventh_order_in_a_minute_is_refused_and_other_budgets_stand(gateway: Gateway) -> None:
    for expected in range(9, -1, -1):
        answer = await gateway.call("POST", STOCK_PATH, body=STOCK)
        assert answer.status == 200
        assert answer.headers["X-RateLimit-Remaining"] == str(expected)

    refused = await gateway.call("POST", STOCK_PATH, body=STOCK)
    other_account = await gateway.call("POST", "/api/v1/stocks/order?account_id=live", body=STOCK)
    other_user = await gateway.call("POST", STOCK_PATH, body=STOCK, token=USER)
    other_path = await gateway.call("GET", ORDERS)
    gateway.clock.advance(60)
    later = await gateway.call("POST", STOCK_PATH, body=STOCK)

    reset = int(gateway.clock.now().timestamp())
    assert refused.status == 429
    assert refused.json == {
        "detail": "Rate limit exceeded",
        "limit": 10,
        "remaining": 0,
        "reset_time": reset,
    }
    assert {name: refused.headers[name] for name in LIMITED} == {
        "X-RateLimit-Limit": "10",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(reset),
    }
    assert "X-Process-Time" not in refused.headers
    assert [one.status for one in (other_account, other_user, other_path, later)] == [200] * 4


async def test_a_request_that_is_wrong_costs_its_budget_too(gateway: Gateway) -> None:
    answers = [await gateway.call("POST", STOCK_PATH, body={}) for _ in range(11)]

    assert [answer.status for answer in answers] == [422] * 10 + [429]


async def test_configured_default_limits_are_honoured() -> None:
    async with running_gateway(rate_limit={"default_limit": 1}) as gateway:
        gateway.on("ListOrders", service.ListOrdersResponse())

        answers = [await gateway.call("GET", ORDERS) for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 429]


HEADER_ROWS = [
    ("a good answer", "GET", ORDERS, {"outside": True, "token": USER}, 200, True, True),
    ("an unknown path", "GET", "/api/v1/nope", {}, 404, True, True),
    ("a wrong method", "PATCH", "/api/v1/orders", {}, 405, True, True),
    ("a wrong body", "POST", STOCK_PATH, {"body": {}}, 422, True, True),
    ("a 401 before the route", "GET", ORDERS, {"outside": True}, 401, False, False),
    ("a 401 by the route", "GET", "/api/v1/positions", {"outside": True}, 401, True, False),
    ("a public path", "GET", "/health", {"outside": True}, 200, True, False),
    ("a path that asks for the token itself", "GET", "/api/v1/positions?account_id=p", {}, 200, True, False),
    ("a plain OPTIONS", "OPTIONS", "/api/v1/orders", {"outside": True}, 200, False, False),
    ("a redirection", "GET", "/api/v1/orders/", {}, 307, True, True),
]


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "timed", "limited"),
    [row[1:] for row in HEADER_ROWS],
    ids=[row[0] for row in HEADER_ROWS],
)
async def test_answers_carry_their_time_and_budget_where_they_did(
    gateway: Gateway,
    method: str,
    path: str,
    options: dict[str, object],
    status: int,
    timed: bool,
    limited: bool,
) -> None:
    answer = await gateway.call(method, path, **options)  # type: ignore[arg-type]  # as the table says

    assert answer.status == status
    assert ("X-Process-Time" in answer.headers) is timed
    assert (set(answer.headers) >= LIMITED) is limited


async def test_the_time_is_seconds_with_four_decimals(gateway: Gateway) -> None:
    answer = await gateway.call("GET", "/")

    assert re.fullmatch(r"\d+\.\d{4}", answer.headers["X-Process-Time"])


@pytest.mark.parametrize(
    ("path", "allow"),
    [("/api/v1/orders", "GET"), (STOCK_PATH, "POST"), ("/api/v1/sell/control", "POST"), ("/", "GET")],
)
async def test_a_wrong_method_names_the_right_one(gateway: Gateway, path: str, allow: str) -> None:
    answer = await gateway.call("PUT", path)

    assert (answer.status, answer.headers["Allow"]) == (405, allow)
    assert answer.json == {"detail": "Method Not Allowed"}


@pytest.mark.parametrize("path", ["/api/v1/orders", "/api/v1/health", "/"])
async def test_head_is_not_served(gateway: Gateway, path: str) -> None:
    assert (await gateway.call("HEAD", path)).status == 405


@pytest.mark.parametrize("path", ["/api/v1/orders/?account_id=paper", "/api/v1/stocks/order/"])
async def test_a_slash_too_many_is_redirected(gateway: Gateway, path: str) -> None:
    answer = await gateway.call("GET", path)

    assert answer.status == 307
    assert (
        answer.headers["Location"] == f"http://127.0.0.1:{gateway.port}{path.replace('/?', '?').rstrip('/')}"
    )


async def test_the_longer_health_path_is_not_sent_to_the_shorter(gateway: Gateway) -> None:
    answer = await gateway.call("GET", "/api/v1/health/", outside=True)

    assert (answer.status, answer.json) == (
        200,
        {
            "service": "Opitios Alpaca Trading Service",
            "status": "running",
            "timestamp": answer.json["timestamp"],
            "version": "1.0.0",
            "components": {
                "websocket": "operational",
                "trading_api": "operational",
                "market_data": "operational",
            },
            "endpoints": {
                "comprehensive_check": "/api/v1/health/comprehensive",
                "account_check": "/api/v1/health/account/{account_id}",
                "trading_permissions": "/api/v1/health/trading-permissions",
            },
        },
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", answer.json["timestamp"])
    assert "X-Process-Time" in answer.headers
    assert (await gateway.call("POST", "/api/v1/health/", outside=True)).status == 405
