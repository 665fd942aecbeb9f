"""Every legacy route over the wire: who may enter, which headers it carries, which methods it knows."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from fakes.gateway_market import CALL
from fakes.gateway_orders import STOCK_ORDER_ID
from fakes.gateway_services import Gateway, running_gateway, token_of
from gateway.transcoding.http_rule import routes_of
from opitios.legacy.v1 import legacy_api_pb2
from runtime.errors import Unavailable

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

USER = token_of(user_id="u-1", role="admin")
LIMITED = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
MISSING = "Missing or invalid authorization header"
ROUTE_TEXT = "Invalid or missing JWT token"
STOCK = {"symbol": "AAPL", "qty": 1, "side": "buy"}
OPTION = {"option_symbol": CALL, "qty": 1, "side": "buy"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One route as a caller meets it."""

    method: str
    template: str
    kind: str
    """PUBLIC, ROUTE or JWT, as the contract's section 3 has them."""
    limit: int | None = None
    """Requests a minute; `None` where nothing is counted."""
    body: object = None
    outside: int | None = None
    """What a stranger gets from a public route, where that is a refusal of its own."""

    @property
    def path(self) -> str:
        """The template filled in."""
        filled = self.template.replace("{order_id}", STOCK_ORDER_ID).replace("{symbol}", "AAPL")
        return re.sub(r"\{\w+\}", "paper", filled)


def jwt(method: str, path: str, limit: int = 120, body: object = None) -> Wire:
    return Wire(method=method, template=f"/api/v1{path}", kind="JWT", limit=limit, body=body)


def public(method: str, path: str, outside: int | None = None) -> Wire:
    return Wire(method=method, template=path, kind="PUBLIC", outside=outside)


WIRES = [
    jwt("POST", "/stocks/order", 10, STOCK),
    jwt("POST", "/options/order", 200, OPTION),
    Wire(method="GET", template="/api/v1/account", kind="ROUTE"),
    Wire(method="GET", template="/api/v1/positions", kind="ROUTE"),
    jwt("GET", "/orders"),
    jwt("DELETE", "/orders/{order_id}"),
    jwt("GET", "/sell"),
    jwt("POST", "/sell/control", body={"action": "start"}),
    public("GET", "/health"),
    public("GET", "/api/v1/health"),
    public("GET", "/api/v1/stocks/{symbol}/quote"),
    jwt("POST", "/stocks/quotes", body={"symbols": ["AAPL"]}),
    jwt("GET", "/stocks/{symbol}/bars"),
    jwt("POST", "/options/chain", body={"underlying_symbol": "AAPL"}),
    jwt("GET", "/options/{underlying_symbol}/chain"),
    jwt("POST", "/options/quote", 60, {"option_symbol": CALL}),
    jwt("POST", "/options/quotes/batch", 20, {"option_symbols": [CALL]}),
    public("GET", "/api/v1/health/comprehensive"),
    public("GET", "/api/v1/health/account/{account_id}", outside=401),
    public("GET", "/api/v1/health/trading-permissions"),
    public("GET", "/api/v1/health/websocket-status"),
    public("GET", "/api/v1/health/last-check"),
    public("POST", "/api/v1/health/background-check"),
    public("GET", "/api/v1/test-connection"),
    public("POST", "/api/v1/auth/verify-token", outside=403),
    public("GET", "/api/v1/auth/admin-token", outside=403),
    jwt("GET", "/admin/account-pool/stats"),
    jwt("GET", "/admin/system/health"),
    jwt("GET", "/dashboard/{account_name}"),
]
IDS = [f"{wire.method} {wire.template}" for wire in WIRES]
METHODS = (
    "ListAccounts",
    "GetAccount",
    "ListPositions",
    "PlaceOrder",
    "GetOrder",
    "ListOrders",
    "CancelOrder",
    "GetStatus",
    "StartMonitoring",
    "GetStockQuotes",
    "GetStockBars",
    "GetOptionChain",
    "GetOptionQuotes",
    "GetMarketClock",
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[Gateway]:
    async with running_gateway() as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    """Before services that are all away: what is left to see is the gateway's own."""
    running.services.forget()
    running.clock.advance(61)
    for method in METHODS:
        running.on(method, Unavailable("away"))
    return running


async def test_the_table_has_every_route_that_is_served_and_no_other() -> None:
    service = legacy_api_pb2.DESCRIPTOR.services_by_name["LegacyApi"]
    served = {
        f"{route.http_method} {route.template.text}"
        for method in service.methods
        for route in routes_of(method)
    }

    assert set(IDS) == served


@pytest.mark.parametrize("wire", WIRES, ids=IDS)
async def test_a_stranger_meets_the_rule_of_the_route_s_class(gateway: Gateway, wire: Wire) -> None:
    answer = await gateway.call(wire.method, wire.path, body=wire.body, outside=True)

    if wire.kind == "JWT":
        assert (answer.status, answer.json) == (401, {"detail": MISSING})
    elif wire.kind == "ROUTE":
        assert (answer.status, answer.json) == (401, {"detail": ROUTE_TEXT})
    elif wire.outside is not None:
        assert answer.status == wire.outside
    else:
        assert answer.status not in {401, 403}
    assert ("X-Process-Time" in answer.headers) == (wire.kind != "JWT")
    assert not LIMITED & set(answer.headers)


@pytest.mark.parametrize("wire", WIRES, ids=IDS)
@pytest.mark.parametrize("outside", [False, True], ids=["inside", "with a token"])
async def test_who_is_let_in_is_timed_and_counted_by_the_route_s_limit(
    gateway: Gateway, wire: Wire, outside: bool
) -> None:
    token = USER if outside else None

    answer = await gateway.call(wire.method, wire.path, body=wire.body, outside=outside, token=token)

    assert re.fullmatch(r"\d+\.\d{4}", answer.headers["X-Process-Time"])
    if wire.limit is None:
        assert not LIMITED & set(answer.headers)
    else:
        assert {name: answer.headers[name] for name in LIMITED} == {
            "X-RateLimit-Limit": str(wire.limit),
            "X-RateLimit-Remaining": str(wire.limit - 1),
            "X-RateLimit-Reset": str(int(gateway.clock.now().timestamp() + 60)),
        }


@pytest.mark.parametrize("wire", WIRES, ids=IDS)
async def test_services_that_are_away_are_no_5xx_but_503(gateway: Gateway, wire: Wire) -> None:
    answer = await gateway.call(wire.method, f"{wire.path}?account_id=paper", body=wire.body)

    # An order that was sent into silence is neither placed nor refused: 202 until that is known.
    assert answer.status in ({202} if wire.template.endswith("/order") else {200, 403, 503})
    if answer.status == 503:
        detail = answer.json["detail"]
        text = detail["error"] if isinstance(detail, dict) else detail
        assert "does not answer" in text or "away" in text or "client_order_id" in text


@pytest.mark.parametrize("wire", WIRES, ids=IDS)
async def test_another_method_is_a_405_that_names_the_right_one(gateway: Gateway, wire: Wire) -> None:
    answer = await gateway.call("PATCH", wire.path)

    assert (answer.status, answer.json) == (405, {"detail": "Method Not Allowed"})
    assert wire.method in answer.headers["Allow"].split(", ")


@pytest.mark.parametrize(
    "wire",
    [wire for wire in WIRES if wire.method == "GET"],
    ids=[name for name, wire in zip(IDS, WIRES, strict=True) if wire.method == "GET"],
)
async def test_head_is_not_get(gateway: Gateway, wire: Wire) -> None:
    assert (await gateway.call("HEAD", wire.path)).status == 405


@pytest.mark.parametrize("wire", WIRES, ids=IDS)
async def test_a_browser_s_preflight_needs_no_token(gateway: Gateway, wire: Wire) -> None:
    headers = {"Origin": "https://example.org", "Access-Control-Request-Method": wire.method}

    answer = await gateway.call("OPTIONS", wire.path, headers=headers, outside=True)

    assert (answer.status, answer.text) == (200, "OK")
    assert answer.headers["Access-Control-Allow-Origin"] == "https://example.org"
    assert "X-Process-Time" not in answer.headers


@pytest.mark.parametrize(
    ("wire", "name"),
    [(wire, name) for name, wire in zip(IDS, WIRES, strict=True) if wire.body is not None],
    ids=[name for name, wire in zip(IDS, WIRES, strict=True) if wire.body is not None],
)
async def test_a_body_that_is_no_json_is_a_422_that_says_where(
    gateway: Gateway, wire: Wire, name: str
) -> None:
    broken = await gateway.call(wire.method, wire.path, raw=b'{"a":')
    missing = await gateway.call(wire.method, wire.path, body={})

    assert (broken.status, broken.json["detail"][0]["type"]) == (422, "json_invalid"), name
    assert missing.status == 422
    assert {one["type"] for one in missing.json["detail"]} == {"missing"}
    assert all(one["loc"][0] == "body" for one in missing.json["detail"])


UNSERVED = [
    ("POST", "/stocks/quote", 404),
    ("POST", "/stocks/quotes/batch", 404),
    ("POST", "/stocks/AAPL/buy", 404),
    ("POST", "/stocks/AAPL/sell", 404),
    ("GET", "/auth/demo-token", 404),
    ("GET", "/auth/alpaca-credentials", 404),
    ("POST", "/auth/token", 404),
    ("GET", "/stats", 404),
    ("GET", "/stocks/quote/AAPL", 404),
    ("POST", "/options/quotes", 404),
    ("GET", f"/orders/{STOCK_ORDER_ID}", 405),
    ("GET", "/positions/AAPL", 404),
    ("GET", "/ws/account-updates", 404),
]


@pytest.mark.parametrize(
    ("method", "path", "status"), UNSERVED, ids=[f"{row[0]} {row[1]}" for row in UNSERVED]
)
async def test_what_was_only_documented_is_not_served(
    gateway: Gateway, method: str, path: str, status: int
) -> None:
    inside = await gateway.call(method, f"/api/v1{path}")
    outside = await gateway.call(method, f"/api/v1{path}", outside=True)

    assert (inside.status, outside.status) == (status, 401)
