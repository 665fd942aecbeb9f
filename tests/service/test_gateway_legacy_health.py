"""The health, auth and admin routes: what they answer, to whom, and that they only read."""

import re
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
import pytest_asyncio

from fakes.gateway_market import quote, stock_quotes
from fakes.gateway_orders import account, listed, reasoned, stock_order
from fakes.gateway_services import SECRET, Gateway, running_gateway, token_of
from opitios.account.v1 import account_pb2 as accounts
from opitios.account.v1 import account_service_pb2 as account_service
from opitios.account.v1 import market_data_service_pb2 as market
from opitios.order.v1 import order_service_pb2 as orders
from runtime.errors import FailedPrecondition, Unavailable

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

COMPREHENSIVE = "/api/v1/health/comprehensive"
PERMISSIONS = "/api/v1/health/trading-permissions"
LAST = "/api/v1/health/last-check"
STARTED = "/api/v1/health/background-check"
VERIFY = "/api/v1/auth/verify-token"
ADMIN_TOKEN = "/api/v1/auth/admin-token"
STATS = "/api/v1/admin/account-pool/stats"
SYSTEM = "/api/v1/admin/system/health"
MISSING = "Missing or invalid authorization header"

READS = {"ListAccounts", "GetAccount", "ListPositions", "ListOrders", "GetStockQuotes", "GetMarketClock"}
SNAPSHOT = accounts.AccountSnapshot(
    account=accounts.Account(account_id="paper", account_number="PA3ABC", tradable=True),
    status="ACTIVE",
    cash="6000.50",
    buying_power="12001",
    portfolio_value="7000",
)
POSITIONS = accounts.AccountPositions(
    account_id="paper",
    positions=[accounts.Position(symbol=f"S{index}", qty="1", side="long") for index in range(6)],
)
AWAY = reasoned(Unavailable("no answer"), "BROKER_UNREACHABLE")
T3 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[Gateway]:
    async with running_gateway() as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    running.services.forget()
    running.clock.advance(61)
    running.on("ListAccounts", listed(account("paper"), account("off", enabled=False, reason="disabled")))
    running.on("GetAccount", account_service.GetAccountResponse(snapshot=SNAPSHOT))
    running.on("ListPositions", account_service.ListPositionsResponse(accounts=[POSITIONS]))
    running.on("ListOrders", orders.ListOrdersResponse(orders=[stock_order(broker_status="filled")]))
    running.on("GetStockQuotes", stock_quotes(quote("AAPL")))
    running.on("GetMarketClock", market.GetMarketClockResponse(is_open=True))
    return running


async def test_a_check_shows_figures_positions_orders_permissions_and_a_price(gateway: Gateway) -> None:
    answer = await gateway.call("GET", COMPREHENSIVE)

    assert (answer.status, set(answer.json)) == (200, {"status", "results", "message"})
    assert answer.json["status"] == "completed"
    assert T3.fullmatch(answer.json["results"]["timestamp"])
    paper = answer.json["results"]["accounts"]["paper"]
    assert (paper["account_id"], paper["overall_status"]) == ("paper", "excellent")
    checks = paper["checks"]
    assert list(checks) == [
        "account_info",
        "positions",
        "order_history",
        "buy_permission",
        "sell_permission",
        "cancel_permission",
        "market_data",
        "websocket_config",
    ]
    assert checks["account_info"] == {
        "status": "success",
        "data": {
            "account_number": "PA3ABC",
            "status": "ACTIVE",
            "buying_power": 12001.0,
            "cash": 6000.5,
            "portfolio_value": 7000.0,
            "pattern_day_trader": False,
        },
        "message": "The account was read",
    }
    assert (
        checks["positions"]["data"]["total_positions"],
        len(checks["positions"]["data"]["positions"]),
    ) == (
        6,
        5,
    )
    assert checks["order_history"]["data"]["orders"][0] == {
        "id": "904837e3-3b76-47ec-b432-046db621571b",
        "symbol": "AAPL",
        "side": "buy",
        "qty": 1.0,
        "status": "filled",
        "created_at": "2025-09-18T19:53:53.783132+00:00",
    }
    assert checks["buy_permission"]["data"] == {
        "test_order_id": None,
        "order_submitted": False,
        "order_cancelled": False,
    }
    assert checks["market_data"]["data"]["timestamp"] == "2025-09-18 15:53:53 EDT"


async def test_no_check_does_more_than_read(gateway: Gateway) -> None:
    for method, path in (("GET", COMPREHENSIVE), ("GET", "/api/v1/health/account/paper"), ("POST", STARTED)):
        assert (await gateway.call(method, path)).status == 200

    assert set(gateway.services.requests) == READS - {"GetMarketClock"}


async def test_a_disabled_account_is_not_read(gateway: Gateway) -> None:
    gateway.on("ListAccounts", listed(account("off", enabled=False, reason="disabled by accounts.off")))

    answer = await gateway.call("GET", "/api/v1/health/account/off")

    assert answer.json["result"] == {
        "account_id": "off",
        "timestamp": answer.json["result"]["timestamp"],
        "status": "disabled",
        "error": "disabled by accounts.off",
    }
    assert gateway.times_asked("GetAccount") == 0


async def test_what_fails_is_named_and_lowers_the_grade(gateway: Gateway) -> None:
    gateway.on("GetAccount", AWAY)
    gateway.on("GetStockQuotes", reasoned(FailedPrecondition("keys refused"), "BROKER_CREDENTIALS_REFUSED"))

    answer = await gateway.call("GET", "/api/v1/health/account/paper")

    result = answer.json["result"]
    assert result["checks"]["account_info"] == {"status": "error", "error": "no answer"}
    assert result["checks"]["market_data"] == {"status": "error", "error": "keys refused"}
    assert result["overall_status"] == "error"


async def test_blocked_trading_and_nothing_to_sell_are_told_apart(gateway: Gateway) -> None:
    blocked = accounts.AccountSnapshot()
    blocked.CopyFrom(SNAPSHOT)
    blocked.trading_blocked = True
    gateway.on("GetAccount", account_service.GetAccountResponse(snapshot=blocked))
    gateway.on("ListPositions", account_service.ListPositionsResponse())

    checks = (await gateway.call("GET", "/api/v1/health/account/paper")).json["result"]["checks"]

    assert (checks["buy_permission"]["status"], checks["buy_permission"]["error"]) == (
        "error",
        "trading is blocked",
    )
    assert checks["sell_permission"]["status"] == "skip"
    assert checks["account_info"]["warnings"] == ["trading is blocked"]


@pytest.mark.parametrize("path", [COMPREHENSIVE, PERMISSIONS, "/api/v1/health/account/paper"])
async def test_an_outage_is_a_200_that_says_error(gateway: Gateway, path: str) -> None:
    gateway.on("ListAccounts", AWAY)

    answer = await gateway.call("GET", path)

    assert (answer.status, set(answer.json)) == (200, {"status", "error", "message"})
    assert (answer.json["status"], answer.json["error"]) == ("error", "no answer")


async def test_an_unknown_account_is_a_404(gateway: Gateway) -> None:
    answer = await gateway.call("GET", "/api/v1/health/account/zz")

    assert (answer.status, answer.json) == (404, {"detail": "Account 'zz' not found"})


async def test_permissions_show_what_the_exchange_says(gateway: Gateway) -> None:
    answer = await gateway.call("GET", PERMISSIONS)

    assert answer.json == {
        "status": "completed",
        "accounts": {
            "paper": {
                "status": "success",
                "permissions": {
                    "account_active": True,
                    "trading_allowed": True,
                    "account_unblocked": True,
                    "transfers_allowed": True,
                    "buying_power": 12001.0,
                    "pattern_day_trader": False,
                },
                "overall_trading_enabled": True,
            }
        },
        "message": "The permissions were read",
    }


async def test_a_permission_that_cannot_be_read_says_why(gateway: Gateway) -> None:
    gateway.on("GetAccount", AWAY)

    answer = await gateway.call("GET", PERMISSIONS)

    assert answer.json["accounts"] == {"paper": {"status": "error", "error": "no answer"}}


async def test_a_stranger_learns_of_no_account(gateway: Gateway) -> None:
    await gateway.call("GET", COMPREHENSIVE)

    comprehensive = await gateway.call("GET", COMPREHENSIVE, outside=True)
    last = await gateway.call("GET", LAST, outside=True)
    permissions = await gateway.call("GET", PERMISSIONS, outside=True)
    one = await gateway.call("GET", "/api/v1/health/account/paper", outside=True)

    assert comprehensive.json["results"]["accounts"] == {}
    assert last.json["cached_results"]["accounts"] == {}
    assert permissions.json["accounts"] == {}
    assert (one.status, one.json) == (401, {"detail": MISSING})


async def test_a_token_sees_every_account_as_on_the_other_routes(gateway: Gateway) -> None:
    token = token_of(user_id="u", account_id="mine")

    answer = await gateway.call("GET", COMPREHENSIVE, outside=True, token=token)

    assert set(answer.json["results"]["accounts"]) == {"paper", "off"}


async def test_with_legacy_any_account_off_a_token_sees_its_own_account_only() -> None:
    token = token_of(user_id="u", account_id="mine")
    async with running_gateway(auth={"legacy_any_account": False}) as gateway:
        gateway.on("ListAccounts", listed(account("mine"), account("other")))

        answer = await gateway.call("GET", COMPREHENSIVE, outside=True, token=token)
        other = await gateway.call("GET", "/api/v1/health/account/other", outside=True, token=token)

    assert set(answer.json["results"]["accounts"]) == {"mine"}
    assert other.status == 403


async def test_a_young_check_is_shown_again_instead_of_another(gateway: Gateway) -> None:
    first = await gateway.call("GET", COMPREHENSIVE)
    again = await gateway.call("GET", COMPREHENSIVE)
    gateway.clock.advance(10)
    later = await gateway.call("GET", COMPREHENSIVE)

    assert first.json == again.json
    assert later.json["results"]["timestamp"] != first.json["results"]["timestamp"]
    assert gateway.times_asked("ListPositions") == 2


async def test_the_last_check_is_empty_before_the_first_and_then_the_background_one() -> None:
    async with running_gateway() as gateway:
        before = await gateway.call("GET", LAST)
        gateway.on("ListAccounts", listed(account("off", enabled=False, reason="disabled")))
        started = await gateway.call("POST", STARTED, outside=True)
        while (after := await gateway.call("GET", LAST)).json["status"] == "no_data":
            pass

    assert before.json == {"status": "no_data", "message": "There was no check yet"}
    assert started.json["status"] == "started"
    assert (after.json["status"], set(after.json["cached_results"]["accounts"])) == ("success", {"off"})


async def test_the_stream_s_status_says_that_nothing_is_connected(gateway: Gateway) -> None:
    answer = await gateway.call("GET", "/api/v1/health/websocket-status", outside=True)

    assert answer.json["status"] == "success"
    assert answer.json["websocket_manager"] == {
        "connected": False,
        "stock_connected": False,
        "option_connected": False,
    }
    assert set(answer.json["endpoints"]) == {"stocks", "options", "test"}


@pytest.mark.parametrize(
    ("known", "tested"),
    [
        ([account("paper"), account("option_ws")], "option_ws"),
        ([account("off", enabled=False), account("paper")], "paper"),
        ([], "option_ws"),
    ],
    ids=["the usual account", "the first enabled", "none"],
)
async def test_the_connection_is_tried_with_the_options_account_or_the_first(
    gateway: Gateway, known: list[accounts.Account], tested: str
) -> None:
    gateway.on("ListAccounts", listed(*known))

    answer = await gateway.call("GET", "/api/v1/test-connection?account_id=x", outside=True)

    assert (answer.status, answer.json) == (
        200,
        {
            "status": "success",
            "message": "Connection to Alpaca API successful",
            "account_tested": tested,
        },
    )
    assert gateway.asked("GetMarketClock", market.GetMarketClockRequest).account_id == tested


async def test_an_exchange_that_does_not_answer_is_no_wrapped_500(gateway: Gateway) -> None:
    gateway.on("GetMarketClock", AWAY)

    answer = await gateway.call("GET", "/api/v1/test-connection")

    assert (answer.status, answer.json) == (503, {"detail": "no answer"})


NEVER = int(time.time()) + 10_000
VERIFIED: list[tuple[str, str | None, int, Any]] = [
    ("no header", None, 403, "Not authenticated"),
    ("no token", "Bearer", 403, "Not authenticated"),
    ("other scheme", "Basic abc", 403, "Invalid authentication credentials"),
    ("garbage", "Bearer abc", 401, "Invalid token"),
    ("expired", f"Bearer {token_of(user_id='u', valid_for=-1)}", 401, "Token expired"),
    (
        "a user that is a number",
        f"Bearer {token_of(user_id=7)}",
        400,
        "Token validation failed: user_id is not a text",
    ),
    (
        "permissions that are no list",
        f"Bearer {token_of(permissions='admin')}",
        400,
        "Token validation failed: permissions is not a list",
    ),
]


@pytest.mark.parametrize(
    ("authorization", "status", "detail"), [row[1:] for row in VERIFIED], ids=[row[0] for row in VERIFIED]
)
async def test_a_token_that_is_not_valid_is_refused_in_the_old_words(
    gateway: Gateway, authorization: str | None, status: int, detail: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}

    answer = await gateway.call("POST", VERIFY, headers=headers, outside=True)

    assert (answer.status, answer.json) == (status, {"detail": detail})


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_a_valid_token_is_read_out(gateway: Gateway, scheme: str) -> None:
    token = token_of(user_id="u-1", permissions=["trading"], valid_for=None, exp=NEVER)

    answer = await gateway.call("POST", VERIFY, headers={"Authorization": f"{scheme} {token}"}, outside=True)

    assert (answer.status, answer.text) == (
        200,
        f'{{"valid":true,"user_id":"u-1","permissions":["trading"],"exp":{NEVER},"message":"Token is valid"}}',
    )


async def test_a_token_without_user_and_permissions_is_valid_too(gateway: Gateway) -> None:
    answer = await gateway.call("POST", VERIFY, token=token_of())

    assert (answer.json["user_id"], answer.json["permissions"]) == (None, [])


def read(token: str) -> dict[str, Any]:
    """The payload; the gateway's clock is not this test's."""
    options: Any = {"verify_exp": False, "verify_iat": False}
    claims: dict[str, Any] = jwt.decode(token, SECRET, algorithms=["HS512"], options=options)
    return claims


async def test_an_admin_s_token_is_issued_inside_only_and_has_the_role(gateway: Gateway) -> None:
    refused = await gateway.call("GET", ADMIN_TOKEN, outside=True)
    issued = await gateway.call("GET", ADMIN_TOKEN)

    assert (refused.status, refused.json) == (
        403,
        {"detail": "Admin token generation is only allowed from internal network"},
    )
    token = issued.json["access_token"]
    assert (issued.json["token_type"], issued.json["expires_in"]) == ("bearer", 86400)
    assert (issued.json["client_ip"], len(issued.json["permissions"])) == ("127.0.0.1", 4)
    claims = read(token)
    assert claims["exp"] - claims["iat"] == 86400
    assert claims["role"] == claims["permission_group"] == issued.json["user_info"]["role"] == "admin"


async def test_a_private_address_that_v1_does_not_trust_gets_a_token_without_the_role(
    gateway: Gateway,
) -> None:
    issued = await gateway.call("GET", ADMIN_TOKEN, headers={"X-Forwarded-For": "10.1.2.3"})

    claims = read(issued.json["access_token"])
    assert (issued.json["client_ip"], claims["role"]) == ("10.1.2.3", "user")
    assert "admin" in claims["permissions"]


async def test_without_a_secret_no_token_is_issued() -> None:
    async with running_gateway(jwt={}) as gateway:
        answer = await gateway.call("GET", ADMIN_TOKEN)

    assert answer.status == 503
    assert "jwt.secret_key" in answer.json["detail"]


async def test_the_pool_counts_all_and_shows_those_that_may_trade(gateway: Gateway) -> None:
    gateway.on(
        "ListAccounts",
        listed(account("a", paper_trading=True), account("b", tradable=False), account("c", enabled=False)),
    )

    stats = await gateway.call("GET", STATS)
    system = await gateway.call("GET", SYSTEM)

    assert stats.json == {
        "total_accounts": 3,
        "active_accounts": 1,
        "total_connections": 1,
        "account_stats": {
            "a": {
                "account_name": "A",
                "tier": "standard",
                "connection_count": 1,
                "is_available": True,
                "paper_trading": True,
                "connection_details": {},
            }
        },
    }
    assert system.json == {
        "status": "healthy",
        "account_pool": stats.json,
        "system_info": {"timestamp": "placeholder", "active_accounts": 1, "total_connections": 1},
    }


@pytest.mark.parametrize("path", [STATS, SYSTEM])
async def test_from_outside_the_admin_routes_ask_for_the_role(gateway: Gateway, path: str) -> None:
    user = token_of(user_id="u", permissions=["admin"])
    admin = token_of(user_id="u", permission_group="admin")

    stranger = await gateway.call("GET", path, outside=True)
    refused = await gateway.call("GET", path, outside=True, token=user)
    served = await gateway.call("GET", path, outside=True, token=admin)

    assert (stranger.status, stranger.json) == (401, {"detail": MISSING})
    assert (refused.status, refused.json) == (
        403,
        {"detail": "You need one of roles: ['admin']. Current role: user"},
    )
    assert served.status == 200
