"""POST /api/v1/stocks/order and /options/order as legacy-rest.md has them, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.message import Message

from fakes.gateway_orders import STOCK_ORDER_ID, account, listed, option_order, placed, reasoned, stock_order
from fakes.gateway_services import Gateway, running_gateway, token_of
from opitios.order.v1 import order_pb2 as orders
from opitios.order.v1 import order_service_pb2 as service
from runtime.errors import (
    AlreadyExists,
    FailedPrecondition,
    FieldViolation,
    MalformedRequest,
    NotFound,
    ServiceError,
    Unavailable,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

STOCK_PATH = "/api/v1/stocks/order?account_id=paper"
OPTION_PATH = "/api/v1/options/order?account_id=paper"
STOCK: dict[str, Any] = {"symbol": "aapl", "qty": 1, "side": "buy"}
OPTION: dict[str, Any] = {
    "option_symbol": "aapl240119c00190000",
    "qty": 2,
    "side": "buy",
    "type": "limit",
    "limit_price": 10.5,
}
RAW_REFUSAL = '{"code":40310000,"message":"insufficient buying power"}'


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[Gateway]:
    async with running_gateway() as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    running.services.forget()
    running.clock.advance(61)
    running.on("ListAccounts", listed(account("paper"), account("off", enabled=False)))
    return running


async def test_a_stock_order_answers_the_legacy_json_byte_for_byte(gateway: Gateway) -> None:
    gateway.on("PlaceOrder", placed(stock_order()))

    answer = await gateway.call("POST", STOCK_PATH, body=STOCK)

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.text == (
        f'{{"id":"{STOCK_ORDER_ID}","symbol":"AAPL","qty":1.0,"side":"buy","order_type":"market",'
        '"status":"accepted","filled_qty":0.0,"filled_avg_price":null,'
        '"submitted_at":"2025-09-18T15:53:53","filled_at":null,"asset_class":null}'
    )


async def test_an_option_order_answers_the_raw_object_with_its_timing(gateway: Gateway) -> None:
    gateway.on("PlaceOrder", placed(option_order()))

    answer = await gateway.call("POST", OPTION_PATH, body=OPTION)

    assert answer.status == 200
    assert answer.text == (
        f'{{"id":"{STOCK_ORDER_ID}","symbol":"AAPL240119C00190000","qty":2.0,"side":"buy",'
        '"order_type":"limit","status":"accepted","filled_qty":0.0,"filled_avg_price":null,'
        '"submitted_at":"2025-09-18 15:53:53 EDT","filled_at":null,"limit_price":10.5,'
        '"asset_class":"option","timing":{"validation_time_ms":0.0,"prep_time_ms":0.0,'
        '"submit_time_ms":200.0,"total_time_ms":0.0}}'
    )


async def test_the_timing_of_an_option_order_adds_up(gateway: Gateway) -> None:
    async def slowly(_request: Message) -> Message:
        gateway.clock.advance(0.245)
        return placed(option_order())

    gateway.on("PlaceOrder", slowly)

    answer = await gateway.call("POST", OPTION_PATH, body=OPTION)

    assert answer.json["timing"] == {
        "validation_time_ms": 0.0,
        "prep_time_ms": 45.0,
        "submit_time_ms": 200.0,
        "total_time_ms": 245.0,
    }


async def test_an_order_the_exchange_has_not_stamped_shows_null_instead_of_failing(gateway: Gateway) -> None:
    gateway.on("PlaceOrder", placed(stock_order(submitted_at=None, qty="", filled_qty="")))

    answer = await gateway.call("POST", STOCK_PATH, body=STOCK)

    assert answer.status == 200
    assert (answer.json["submitted_at"], answer.json["qty"]) == (None, None)


async def test_a_filled_order_shows_quantity_price_and_time(gateway: Gateway) -> None:
    filled = stock_order(
        broker_status="filled",
        state=orders.ORDER_STATE_FILLED,
        filled_qty="1",
        filled_avg_price="190.25",
        filled_at="2025-01-15T14:30:26Z",
    )
    gateway.on("PlaceOrder", placed(filled))

    answer = await gateway.call("POST", STOCK_PATH, body=STOCK)

    assert '"filled_qty":1.0,"filled_avg_price":190.25' in answer.text
    assert answer.json["filled_at"] == "2025-01-15T09:30:26"


SENT = [
    ("defaults", STOCK, {"qty": "1", "order_type": orders.ORDER_TYPE_MARKET}),
    ("a fraction, digits kept", {**STOCK, "qty": 0.123456789}, {"qty": "0.123456789"}),
    ("a number as text", {**STOCK, "qty": "2.50"}, {"qty": "2.5"}),
    (
        "a limit order",
        {**STOCK, "type": "limit", "limit_price": 150.1},
        {"order_type": orders.ORDER_TYPE_LIMIT, "limit_price": "150.1"},
    ),
    (
        "a stop order",
        {**STOCK, "type": "stop", "stop_price": 140},
        {"order_type": orders.ORDER_TYPE_STOP, "stop_price": "140"},
    ),
    (
        "a market order's prices are ignored",
        {**STOCK, "limit_price": 150, "stop_price": 140},
        {"limit_price": "", "stop_price": ""},
    ),
    (
        "a limit order's stop price is ignored",
        {**STOCK, "type": "limit", "limit_price": 150, "stop_price": 140},
        {"limit_price": "150", "stop_price": ""},
    ),
    ("a sell", {**STOCK, "side": "sell"}, {"side": orders.SIDE_SELL}),
    ("ioc is ioc", {**STOCK, "time_in_force": "ioc"}, {"time_in_force": orders.TIME_IN_FORCE_IOC}),
    ("fok is fok", {**STOCK, "time_in_force": "fok"}, {"time_in_force": orders.TIME_IN_FORCE_FOK}),
    ("gtc", {**STOCK, "time_in_force": "gtc"}, {"time_in_force": orders.TIME_IN_FORCE_GTC}),
    ("unknown fields are ignored", {**STOCK, "what": [1]}, {"symbol": "AAPL"}),
    ("any strategy name", {**STOCK, "strategy_name": "MODE_X"}, {"symbol": "AAPL"}),
]


@pytest.mark.parametrize(("body", "expected"), [row[1:] for row in SENT], ids=[row[0] for row in SENT])
async def test_a_stock_order_reaches_order_svc_as_it_was_meant(
    gateway: Gateway, body: dict[str, Any], expected: dict[str, Any]
) -> None:
    gateway.on("PlaceOrder", placed(stock_order()))

    answer = await gateway.call("POST", STOCK_PATH, body=body)

    assert answer.status == 200, answer.text
    asked = gateway.asked("PlaceOrder", service.PlaceOrderRequest)
    assert asked.account_id == "paper"
    assert {name: getattr(asked, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("change", "auto_sell"),
    [
        ({"auto_sell_enabled": True}, True),
        ({"auto_sell_enabled": None}, False),
        ({}, False),
        ({"auto_sell_enabled": True, "side": "sell"}, False),
    ],
    ids=["allowed", "null", "absent", "of a sell it means nothing"],
)
async def test_the_permission_to_sell_travels_with_an_option_buy(
    gateway: Gateway, change: dict[str, Any], auto_sell: bool
) -> None:
    gateway.on("PlaceOrder", placed(option_order()))

    await gateway.call("POST", OPTION_PATH, body={**OPTION, **change})

    asked = gateway.asked("PlaceOrder", service.PlaceOrderRequest)
    assert asked.auto_sell_enabled is auto_sell
    assert (asked.symbol, asked.qty, asked.limit_price) == ("AAPL240119C00190000", "2", "10.5")


REFUSED_HERE = [
    ("no account", "/api/v1/stocks/order", STOCK, 400, "Account ID is required for order placement"),
    (
        "empty account",
        "/api/v1/stocks/order?account_id=",
        STOCK,
        400,
        "Account ID is required for order placement",
    ),
    (
        "no account for an option",
        "/api/v1/options/order",
        OPTION,
        400,
        "Account ID is required for order placement",
    ),
    (
        "limit without price",
        STOCK_PATH,
        {**STOCK, "type": "limit"},
        400,
        "Invalid order type or missing required price parameters",
    ),
    (
        "stop without price",
        STOCK_PATH,
        {**STOCK, "type": "stop", "limit_price": 1},
        400,
        "Invalid order type or missing required price parameters",
    ),
    (
        "stop_limit",
        STOCK_PATH,
        {**STOCK, "type": "stop_limit", "limit_price": 1, "stop_price": 1},
        400,
        "Invalid order type or missing required price parameters",
    ),
    (
        "option limit without price",
        OPTION_PATH,
        {**OPTION, "limit_price": None},
        400,
        "Invalid order type or missing required price parameters for options",
    ),
    (
        "option stop",
        OPTION_PATH,
        {**OPTION, "type": "stop"},
        400,
        "Invalid order type or missing required price parameters for options",
    ),
    (
        "option stop_limit",
        OPTION_PATH,
        {**OPTION, "type": "stop_limit"},
        400,
        "Invalid order type or missing required price parameters for options",
    ),
    (
        "no option symbol",
        OPTION_PATH,
        {**OPTION, "option_symbol": "aapl"},
        400,
        "Invalid option symbol format: AAPL. Expected format: SYMBOL[YY]MMDD[C/P]XXXXXXXX",
    ),
    (
        "an option that expires on no day",
        OPTION_PATH,
        {**OPTION, "option_symbol": "AAPL241399C00190000"},
        400,
        "Invalid option symbol format: AAPL241399C00190000. Expected format: SYMBOL[YY]MMDD[C/P]XXXXXXXX",
    ),
    (
        "an unknown account is noticed before a bad order",
        "/api/v1/options/order?account_id=zz",
        {**OPTION, "option_symbol": "aapl"},
        404,
        "Account 'zz' not found or not enabled",
    ),
]


@pytest.mark.parametrize(
    ("path", "body", "status", "detail"),
    [row[1:] for row in REFUSED_HERE],
    ids=[row[0] for row in REFUSED_HERE],
)
async def test_what_is_refused_before_order_svc_is_asked(
    gateway: Gateway, path: str, body: dict[str, Any], status: int, detail: str
) -> None:
    answer = await gateway.call("POST", path, body=body)

    assert (answer.status, answer.json) == (status, {"detail": detail})
    assert gateway.times_asked("PlaceOrder") == 0


REFUSED_THERE = [
    (
        "below the minimum",
        reasoned(
            FailedPrecondition(
                "the account may not trade",
                metadata={"cash": "4999.99", "holds": "0", "minimum_balance": "5000"},
            ),
            "INSUFFICIENT_BALANCE",
        ),
        403,
        "the account may not trade (cash 4999.99, holds 0, minimum 5000)",
    ),
    ("cash unknown", reasoned(Unavailable("cash is unknown"), "BALANCE_UNKNOWN"), 503, "cash is unknown"),
    (
        "the exchange refuses",
        reasoned(FailedPrecondition("refused", metadata={"broker_answer": RAW_REFUSAL}), "ORDER_REJECTED"),
        400,
        RAW_REFUSAL,
    ),
    (
        "no such account",
        reasoned(NotFound("no account paper"), "ACCOUNT_NOT_FOUND"),
        404,
        "Account 'paper' not found or not enabled",
    ),
    (
        "an account that contradicts the configuration",
        reasoned(FailedPrecondition("its number says live"), "ACCOUNT_NOT_TRADABLE"),
        403,
        "its number says live",
    ),
    (
        "a bad symbol",
        MalformedRequest([FieldViolation(field="symbol", description="is 'A B'")]),
        400,
        "symbol: is 'A B'",
    ),
    ("the key is another order's", reasoned(AlreadyExists("taken"), "CLIENT_ORDER_ID_REUSED"), 409, "taken"),
    ("order_svc drains", reasoned(Unavailable("stopping"), "DRAINING"), 503, "stopping"),
]


@pytest.mark.parametrize(
    ("error", "status", "detail"), [row[1:] for row in REFUSED_THERE], ids=[row[0] for row in REFUSED_THERE]
)
@pytest.mark.parametrize(
    ("path", "body"), [(STOCK_PATH, STOCK), (OPTION_PATH, OPTION)], ids=["stock", "option"]
)
async def test_what_order_svc_refuses_is_said_in_the_legacy_envelope(
    gateway: Gateway, path: str, body: dict[str, Any], error: ServiceError, status: int, detail: str
) -> None:
    gateway.on("PlaceOrder", error)

    answer = await gateway.call("POST", path, body=body)

    assert (answer.status, answer.json) == (status, {"detail": detail})
    assert gateway.times_asked("PlaceOrder") == 1


async def test_a_disabled_account_is_not_found(gateway: Gateway) -> None:
    gateway.on("PlaceOrder", reasoned(FailedPrecondition("it is disabled"), "ACCOUNT_NOT_TRADABLE"))

    answer = await gateway.call("POST", "/api/v1/stocks/order?account_id=off", body=STOCK)

    assert (answer.status, answer.json) == (404, {"detail": "Account 'off' not found or not enabled"})


async def test_a_bad_body_is_reported_before_a_missing_account(gateway: Gateway) -> None:
    answer = await gateway.call("POST", "/api/v1/stocks/order", body={**STOCK, "qty": 0})

    assert answer.status == 422
    assert answer.json["detail"][0]["loc"] == ["body", "qty"]


async def test_the_idempotency_key_becomes_the_client_order_id(gateway: Gateway) -> None:
    gateway.on("PlaceOrder", placed(stock_order(client_order_id="once")))

    answer = await gateway.call("POST", STOCK_PATH, body=STOCK, headers={"Idempotency-Key": "once"})

    assert gateway.asked("PlaceOrder", service.PlaceOrderRequest).client_order_id == "once"
    assert answer.headers["X-Client-Order-Id"] == "once"


@pytest.mark.parametrize(
    ("field", "header", "key"),
    [("once", None, "once"), ("once", "once", "once"), (None, "once", "once"), ("", "once", "once")],
    ids=["field", "both, equal", "null field", "empty field"],
)
@pytest.mark.parametrize(
    ("path", "body"), [(STOCK_PATH, STOCK), (OPTION_PATH, OPTION)], ids=["stock", "option"]
)
async def test_the_key_may_be_a_field_of_the_body(
    gateway: Gateway, path: str, body: dict[str, Any], field: str | None, header: str | None, key: str
) -> None:
    gateway.on("PlaceOrder", placed(option_order()))
    headers = {} if header is None else {"Idempotency-Key": header}

    answer = await gateway.call("POST", path, body={**body, "client_order_id": field}, headers=headers)

    assert answer.status == 200
    assert gateway.asked("PlaceOrder", service.PlaceOrderRequest).client_order_id == key


async def test_two_different_keys_are_refused(gateway: Gateway) -> None:
    body = {**STOCK, "client_order_id": "one"}

    answer = await gateway.call("POST", STOCK_PATH, body=body, headers={"Idempotency-Key": "two"})

    assert answer.status == 400
    assert answer.json == {
        "detail": "client_order_id: differs from the Idempotency-Key header; send one of them"
    }
    assert gateway.times_asked("PlaceOrder") == 0


async def test_without_a_key_every_order_gets_its_own(gateway: Gateway) -> None:
    gateway.on("PlaceOrder", placed(stock_order()))

    for _ in range(3):
        await gateway.call("POST", STOCK_PATH, body=STOCK)

    keys = {
        request.client_order_id
        for request in gateway.services.requests["PlaceOrder"]
        if isinstance(request, service.PlaceOrderRequest)
    }
    assert len(keys) == 3
    assert all(key.startswith("opi-") for key in keys)


async def test_an_order_whose_outcome_is_unknown_is_a_202_with_what_is_known(gateway: Gateway) -> None:
    unknown = stock_order(
        order_id="", broker_status="", state=orders.ORDER_STATE_UNKNOWN, submitted_at=None, filled_qty=""
    )
    gateway.on("PlaceOrder", placed(unknown))

    answer = await gateway.call("POST", STOCK_PATH, body=STOCK)

    assert answer.status == 202
    assert (answer.json["id"], answer.json["status"], answer.json["symbol"]) == ("", "unknown", "AAPL")
    assert answer.headers["X-Client-Order-Id"] == "key-1"


async def test_a_lost_answer_is_looked_up_by_its_key_and_never_sent_again(gateway: Gateway) -> None:
    gateway.on("PlaceOrder", Unavailable("connection reset"))
    gateway.on("GetOrder", service.GetOrderResponse(order=stock_order(client_order_id="lost")))

    answer = await gateway.call("POST", STOCK_PATH, body=STOCK, headers={"Idempotency-Key": "lost"})

    assert (answer.status, answer.json["id"]) == (200, STOCK_ORDER_ID)
    assert gateway.times_asked("PlaceOrder") == 1
    assert gateway.asked("GetOrder", service.GetOrderRequest).client_order_id == "lost"


async def test_a_lost_answer_that_cannot_be_looked_up_is_a_202_and_not_an_error(gateway: Gateway) -> None:
    gateway.on("PlaceOrder", Unavailable("connection reset"))
    gateway.on("GetOrder", reasoned(NotFound("not yet"), "ORDER_NOT_FOUND"))

    answer = await gateway.call("POST", STOCK_PATH, body=STOCK, headers={"Idempotency-Key": "lost"})

    assert (answer.status, answer.json["status"], answer.json["qty"]) == (202, "unknown", 1.0)
    assert answer.headers["X-Client-Order-Id"] == "lost"


async def test_a_lost_answer_of_a_refused_order_is_its_refusal(gateway: Gateway) -> None:
    refused = stock_order(
        order_id="",
        state=orders.ORDER_STATE_REJECTED,
        reason="ORDER_REJECTED",
        reason_text="refused",
        broker_answer=RAW_REFUSAL,
    )
    gateway.on("PlaceOrder", Unavailable("connection reset"))
    gateway.on("GetOrder", service.GetOrderResponse(order=refused))

    answer = await gateway.call("POST", STOCK_PATH, body=STOCK)

    assert (answer.status, answer.json) == (400, {"detail": RAW_REFUSAL})


async def test_a_token_without_a_user_cannot_place_orders(gateway: Gateway) -> None:
    answer = await gateway.call("POST", STOCK_PATH, body=STOCK, outside=True, token=token_of(role="admin"))

    assert answer.status == 401
    assert answer.json == {"detail": "User identification required for order placement"}
    assert "X-Process-Time" in answer.headers


async def test_any_token_reaches_any_account_as_before(gateway: Gateway) -> None:
    gateway.on("PlaceOrder", placed(stock_order()))
    token = token_of(user_id="u-1", account_id="another")

    answer = await gateway.call("POST", STOCK_PATH, body=STOCK, outside=True, token=token)

    assert answer.status == 200
    assert gateway.services.metadata["PlaceOrder"][0]["x-opitios-caller"] == "user:u-1"


async def test_the_request_id_reaches_order_svc_and_comes_back(gateway: Gateway) -> None:
    gateway.on("PlaceOrder", placed(stock_order()))

    answer = await gateway.call("POST", STOCK_PATH, body=STOCK, headers={"X-Request-Id": "r-1"})

    assert answer.headers["X-Request-Id"] == "r-1"
    assert gateway.services.metadata["PlaceOrder"][0]["x-request-id"] == "r-1"


BULK = {**STOCK, "bulk_place": True}
FOUR = listed(
    account("first"), account("off", enabled=False), account("wrong", tradable=False), account("last")
)


async def test_a_bulk_order_goes_to_every_account_that_may_trade_in_configuration_order(
    gateway: Gateway,
) -> None:
    first_may_end = asyncio.Event()

    async def place(request: Message) -> Message:
        assert isinstance(request, service.PlaceOrderRequest)
        if request.account_id == "last":
            first_may_end.set()
            raise reasoned(
                FailedPrecondition("no", metadata={"broker_answer": RAW_REFUSAL}), "ORDER_REJECTED"
            )
        # Only if both are under way at once does the first one ever end.
        await asyncio.wait_for(first_may_end.wait(), 5)
        return placed(stock_order(account_id=request.account_id))

    gateway.on("ListAccounts", FOUR)
    gateway.on("PlaceOrder", place)

    answer = await gateway.call("POST", STOCK_PATH, body=BULK)

    assert answer.status == 200
    single = json.loads(
        f'{{"id":"{STOCK_ORDER_ID}","symbol":"AAPL","qty":1.0,"side":"buy","order_type":"market",'
        '"status":"accepted","filled_qty":0.0,"filled_avg_price":null,'
        '"submitted_at":"2025-09-18T15:53:53","filled_at":null,"asset_class":null}'
    )
    assert answer.json == {
        "bulk_place": True,
        "total_accounts": 2,
        "successful_orders": 1,
        "failed_orders": 1,
        "results": [
            {"account_id": "first", "account_name": "First", "success": True, "order": single, "error": None},
            {
                "account_id": "last",
                "account_name": "Last",
                "success": False,
                "order": None,
                "error": RAW_REFUSAL,
            },
        ],
    }


async def test_a_bulk_option_order_says_option(gateway: Gateway) -> None:
    gateway.on("PlaceOrder", placed(option_order()))

    answer = await gateway.call("POST", OPTION_PATH, body={**OPTION, "bulk_place": True})

    (result,) = answer.json["results"]
    assert result["order"]["asset_class"] == "option"
    assert result["order"]["submitted_at"] == "2025-09-18T15:53:53"


async def test_a_bulk_order_without_accounts_is_an_empty_200(gateway: Gateway) -> None:
    gateway.on("ListAccounts", listed())

    answer = await gateway.call("POST", STOCK_PATH, body=BULK)

    assert answer.status == 200
    assert (answer.json["total_accounts"], answer.json["results"]) == (0, [])


async def test_a_bulk_order_that_is_wrong_in_itself_fails_everywhere_and_is_sent_nowhere(
    gateway: Gateway,
) -> None:
    gateway.on("ListAccounts", FOUR)

    answer = await gateway.call("POST", STOCK_PATH, body={**BULK, "type": "limit"})

    assert answer.status == 200
    assert {one["error"] for one in answer.json["results"]} == {
        "Invalid order type or missing required price parameters"
    }
    assert gateway.times_asked("PlaceOrder") == 0


async def test_a_bulk_order_of_unknown_outcome_is_no_success_and_names_its_key(gateway: Gateway) -> None:
    gateway.on(
        "PlaceOrder", placed(stock_order(order_id="", broker_status="", state=orders.ORDER_STATE_UNKNOWN))
    )

    answer = await gateway.call("POST", STOCK_PATH, body=BULK)

    (result,) = answer.json["results"]
    assert result["success"] is False
    assert result["order"]["status"] == "unknown"
    assert "key-1" in result["error"]


async def test_a_bulk_order_needs_its_account_list_before_anything_is_sent(gateway: Gateway) -> None:
    gateway.on("ListAccounts", reasoned(Unavailable("starting"), "RECOVERING"))

    answer = await gateway.call("POST", STOCK_PATH, body=BULK)

    assert (answer.status, answer.json) == (503, {"detail": "starting"})


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"role": "user"}, 403),
        ({"permissions": None}, 403),
        ({"permissions": ["trading"]}, 403),
        ({"permissions": ["bulk_place"]}, 200),
        ({"permissions": ["admin"]}, 200),
        ({"role": "admin"}, 200),
        ({"permission_group": "admin"}, 200),
    ],
    ids=[
        "user",
        "permissions null",
        "trading",
        "bulk_place",
        "admin permission",
        "admin role",
        "admin group",
    ],
)
async def test_from_outside_a_bulk_order_needs_its_privilege(
    gateway: Gateway, claims: dict[str, Any], status: int
) -> None:
    gateway.on("PlaceOrder", placed(stock_order()))
    token = token_of(user_id="u", **claims)

    answer = await gateway.call("POST", STOCK_PATH, body=BULK, outside=True, token=token)

    assert answer.status == status
    if status == 403:
        assert answer.json == {"detail": "Bulk order requires admin privileges"}
