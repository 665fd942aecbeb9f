"""GET /dashboard/{account_name} as legacy-rest.md section 8 has it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from fakes.gateway_market import CALL
from fakes.gateway_orders import option_order, reasoned, stock_order
from fakes.gateway_services import Gateway, running_gateway, token_of
from opitios.account.v1 import account_pb2 as accounts
from opitios.account.v1 import account_service_pb2 as account_service
from opitios.order.v1 import order_pb2 as orders
from opitios.order.v1 import order_service_pb2 as service
from runtime.errors import NotFound, Unavailable

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

PATH = "/api/v1/dashboard/anyone"
AWAY = reasoned(Unavailable("no answer"), "BROKER_UNREACHABLE")
SNAPSHOT = accounts.AccountSnapshot(
    account=accounts.Account(account_id="paper", account_number="PA3ABC"),
    cash="6000.50",
    portfolio_value="7000",
)
POSITIONS = accounts.AccountPositions(
    account_id="paper",
    positions=[
        accounts.Position(
            symbol="AAPL",
            qty="10",
            side="long",
            avg_entry_price="180",
            current_price="190.25",
            market_value="1902.5",
            unrealized_pl="102.5",
        ),
        accounts.Position(symbol=CALL, qty="0", side="long"),
    ],
)


def filled(side: orders.Side.ValueType, at: str, price: str, qty: str = "2", **changes: Any) -> orders.Order:
    return stock_order(
        side=side,
        state=orders.ORDER_STATE_FILLED,
        broker_status="filled",
        filled_qty=qty,
        filled_avg_price=price,
        filled_at=at,
        **changes,
    )


def trades() -> service.ListOrdersResponse:
    """Bought on 20 November in New York; sold yesterday late and today, which is the 24th."""
    return service.ListOrdersResponse(
        orders=[
            filled(orders.SIDE_SELL, "2026-11-24T15:00:00Z", "12", "1"),
            filled(orders.SIDE_SELL, "2026-11-24T04:30:00Z", "11", "1"),
            filled(orders.SIDE_BUY, "2026-11-20T15:00:00Z", "10"),
            stock_order(state=orders.ORDER_STATE_CANCELED, broker_status="canceled"),
        ]
    )


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[Gateway]:
    async with running_gateway() as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    running.services.forget()
    running.on("GetAccount", account_service.GetAccountResponse(snapshot=SNAPSHOT))
    running.on("ListPositions", account_service.ListPositionsResponse(accounts=[POSITIONS]))
    running.on("ListOrders", trades())
    return running


HISTORY = (
    '{"overall_profit":3.0,"overall_commission":0.0,"daily_summary":['
    '{"date":"2026-11-24","net_profit":2.0,"sold_qty":1,"commission":0.0,"avg_sold_price":12.0},'
    '{"date":"2026-11-23","net_profit":1.0,"sold_qty":1,"commission":0.0,"avg_sold_price":11.0},'
    '{"date":"2026-11-20","net_profit":0.0,"sold_qty":0,"commission":0.0,"avg_sold_price":0.0}],'
    '"has_data":true}'
)


async def test_a_dashboard_shows_account_holdings_history_and_profit(gateway: Gateway) -> None:
    answer = await gateway.call("GET", f"{PATH}?account_id=paper")

    assert answer.status == 200
    assert answer.text == (
        '{"account_details":{"account_name":"anyone","real_account":null,"real_tiger_id":null,'
        '"sandbox_account":null,"sandbox_tiger_id":null,"key_path":null,"permission_group":"user",'
        '"paper_trading":1,"currency":"USD","cash":6000.5,"net_liquidation":7000.0},'
        '"holdings":[{"quantity":10.0,"average_cost":180.0,"market_value":1902.5,"market_price":190.25,'
        '"unrealized_pnl":102.5,"realized_pnl":0.0,"contract":{"symbol":"AAPL","currency":"USD",'
        '"sec_type":"STK","expiry":null,"strike":null,"right":null,"identifier":"AAPL"}},'
        '{"quantity":0.0,"average_cost":null,"market_value":null,"market_price":null,'
        '"unrealized_pnl":null,"realized_pnl":0.0,"contract":{"symbol":"AAPL","currency":"USD",'
        f'"sec_type":"OPT","expiry":"2030-12-20","strike":"200.0","right":"CALL","identifier":"{CALL}"}}}}],'
        f'"trading_history":{HISTORY},'
        '"profit_report":{"daily":{"profit":2.0,"commission":0.0,"has_data":true},'
        '"weekly":{"profit":3.0,"commission":0.0,"has_data":true},'
        f'"total_for_chart":{HISTORY}}},"recent_orders":null}}'
    )


async def test_holdings_of_nothing_can_be_left_out(gateway: Gateway) -> None:
    answer = await gateway.call("GET", f"{PATH}?account_id=paper&all_holdings=false")

    assert [one["contract"]["identifier"] for one in answer.json["holdings"]] == ["AAPL"]


async def test_fewer_days_know_fewer_buys(gateway: Gateway) -> None:
    answer = await gateway.call("GET", f"{PATH}?account_id=paper&days=2")

    history = answer.json["trading_history"]
    assert (history["overall_profit"], len(history["daily_summary"])) == (0.0, 2)


async def test_an_option_s_profit_counts_a_hundred_units(gateway: Gateway) -> None:
    terms = {"symbol": CALL, "asset_class": "us_option"}
    found = [
        filled(orders.SIDE_SELL, "2026-11-24T15:00:00Z", "3.1", "1", **terms),
        filled(orders.SIDE_BUY, "2026-11-23T15:00:00Z", "2.5", "1", **terms),
    ]
    gateway.on("ListOrders", service.ListOrdersResponse(orders=found))

    answer = await gateway.call("GET", f"{PATH}?account_id=paper")

    assert answer.json["trading_history"]["overall_profit"] == 60.0


async def test_recent_orders_have_wall_clock_times_and_are_null_when_there_are_none(
    gateway: Gateway,
) -> None:
    shown = await gateway.call("GET", f"{PATH}?account_id=paper&include_recent_orders=true&days=60")
    limits = {
        (one.scope, one.limit)
        for one in gateway.services.requests["ListOrders"]
        if isinstance(one, service.ListOrdersRequest)
    }
    gateway.on("ListOrders", service.ListOrdersResponse())
    none = await gateway.call("GET", f"{PATH}?account_id=paper&include_recent_orders=true")

    assert len(shown.json["recent_orders"]) == 4
    assert shown.json["recent_orders"][0]["filled_at"] == "2026-11-24T10:00:00"
    assert limits == {(service.ORDER_SCOPE_CLOSED, 500), (service.ORDER_SCOPE_ALL, 500)}
    assert none.json["recent_orders"] is None


async def test_without_orders_the_dashboard_has_no_data_and_no_error(gateway: Gateway) -> None:
    gateway.on("ListOrders", AWAY)

    answer = await gateway.call("GET", f"{PATH}?account_id=paper&include_recent_orders=true")

    empty = {"overall_profit": 0.0, "overall_commission": 0.0, "daily_summary": [], "has_data": False}
    nothing = {"profit": 0.0, "commission": 0.0, "has_data": False}
    assert (answer.status, answer.json["trading_history"], answer.json["recent_orders"]) == (200, empty, None)
    assert answer.json["profit_report"] == {"daily": nothing, "weekly": nothing, "total_for_chart": empty}


@pytest.mark.parametrize("rpc", ["GetAccount", "ListPositions"])
async def test_without_account_or_positions_there_is_no_dashboard(gateway: Gateway, rpc: str) -> None:
    gateway.on(rpc, AWAY)

    answer = await gateway.call("GET", f"{PATH}?account_id=paper")

    assert (answer.status, answer.json) == (503, {"detail": "no answer"})


async def test_an_unknown_account_is_a_404(gateway: Gateway) -> None:
    gateway.on("GetAccount", reasoned(NotFound("none"), "ACCOUNT_NOT_FOUND"))

    answer = await gateway.call("GET", f"{PATH}?account_id=zz")

    assert (answer.status, answer.json) == (404, {"detail": "Account ID 'zz' not found."})


async def test_a_number_of_days_that_is_none_is_a_422(gateway: Gateway) -> None:
    answer = await gateway.call("GET", f"{PATH}?account_id=paper&days=x&all_holdings=maybe")

    assert (answer.status, [one["loc"] for one in answer.json["detail"]]) == (
        422,
        [["query", "all_holdings"], ["query", "days"]],
    )


OWN = "You can only access your own account dashboard"
CALLERS: list[tuple[str, dict[str, Any] | None, str, int, Any]] = [
    ("inside without token", None, "?account_id=paper", 200, None),
    ("inside without account", None, "", 400, "account_id parameter is required"),
    ("own account", {"account_id": "paper"}, "?account_id=paper", 200, None),
    ("another's account", {"account_id": "mine"}, "?account_id=paper", 403, OWN),
    ("no account anywhere", {}, "", 400, "account_id parameter is required"),
    ("no account in the token", {}, "?account_id=paper", 403, OWN),
    ("admin by role", {"role": "admin"}, "?account_id=paper", 200, None),
    ("admin by permission", {"permissions": ["admin"]}, "?account_id=paper", 200, None),
    ("bulk is not admin", {"permissions": ["bulk_place"]}, "?account_id=paper", 403, OWN),
]


@pytest.mark.parametrize(
    ("claims", "query", "status", "detail"), [row[1:] for row in CALLERS], ids=[row[0] for row in CALLERS]
)
async def test_from_outside_a_dashboard_is_its_owner_s_or_an_admin_s(
    gateway: Gateway, claims: dict[str, Any] | None, query: str, status: int, detail: Any
) -> None:
    token = None if claims is None else token_of(user_id="u", **claims)

    answer = await gateway.call("GET", f"{PATH}{query}", outside=token is not None, token=token)

    assert answer.status == status
    if detail is not None:
        assert answer.json == {"detail": detail}


async def test_a_new_option_order_is_not_a_fill(gateway: Gateway) -> None:
    gateway.on("ListOrders", service.ListOrdersResponse(orders=[option_order(filled_qty="1")]))

    answer = await gateway.call("GET", f"{PATH}?account_id=paper")

    assert answer.json["trading_history"]["has_data"] is False
