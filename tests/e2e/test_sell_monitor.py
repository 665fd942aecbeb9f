"""FR-006 end to end: what is sold, what is kept, what is cancelled, whatever the host's time zone."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from scenarios import OPTION, OTHER_OPTION, THIRD_OPTION, configured_account, exchange_account, scenario
from stack_process import Plan, Stack, running

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.e2e]

INTERVAL = {"enabled": True, "check_interval": 0.3, "order_cancel_minutes": 3}
HELD = {"qty": "2", "avg_entry_price": "10"}
ZONES = ["Asia/Shanghai", "America/Los_Angeles"]


def plan(auto_sell: str, zone: str) -> Plan:
    return Plan(
        scenario=scenario(
            exchange_account(
                "holder",
                "PA3000001",
                positions=[{"symbol": OPTION, **HELD}, {"symbol": OTHER_OPTION, **HELD}],
            ),
            exchange_account("empty", "PA3000002"),
            exchange_account("stopper", "PA3000003", positions=[{"symbol": THIRD_OPTION, **HELD}]),
        ),
        accounts={name: configured_account(name) for name in ("holder", "empty", "stopper")},
        config={"sell_module": {**INTERVAL, "auto_sell": auto_sell}},
        environment={"TZ": zone},
    )


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=ZONES)
async def everything(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    """auto_sell: all."""
    async with running(plan("all", request.param), tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def tracked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """auto_sell: tracked, the default."""
    async with running(plan("tracked", "UTC"), tmp_path_factory.mktemp("stack")) as stack:
        yield stack


async def ticks(system: Stack, account: str, count: int) -> None:
    """Return when the monitor has read the account's positions `count` more times."""
    seen = len(await system.sandbox.requests(method="GET", path="^/v2/positions$", account=account))
    await system.sandbox.wait_for_requests(
        method="GET", path="^/v2/positions$", account=account, count=seen + count
    )


async def orders_of(system: Stack, account: str, symbol: str, side: str) -> list[dict[str, Any]]:
    ledger = await system.sandbox.ledger()
    return [
        order
        for order in ledger["orders"]
        if (order["account"], order["symbol"], order["side"]) == (account, symbol, side)
    ]


async def sold(system: Stack, count: int) -> None:
    """Return when the exchange has had `count` orders of the holder."""
    await system.sandbox.wait_for_requests(method="POST", path="^/v2/orders$", account="holder", count=count)


async def test_with_auto_sell_all_exactly_ten_percent_is_sold_once_and_a_cent_less_is_kept(
    everything: Stack,
) -> None:
    await everything.sandbox.set_quotes(
        {
            OTHER_OPTION: {"bid": "10.99", "ask": "11.10", "last": "10.99"},
            OPTION: {"bid": "11.00", "ask": "11.10"},
        }
    )

    await sold(everything, 1)
    await ticks(everything, "holder", 4)

    (exit_order,) = await orders_of(everything, "holder", OPTION, "sell")
    assert exit_order["qty"] == "2"
    assert exit_order["position_intent"] == "sell_to_close"
    assert await orders_of(everything, "holder", OTHER_OPTION, "sell") == []
    decisions = await everything.rest("GET", f"/v1/sell/decisions?symbol={OPTION}")
    assert "TAKE_PROFIT" in [decision["rule"] for decision in decisions.json["decisions"]]
    line = next(
        line for line in everything.log("order_svc") if f"Order placed: SELL {OPTION} qty=2 |" in line
    )
    assert f"order_id={exit_order['id']}" in line


async def test_a_stale_order_of_an_account_without_positions_is_cancelled_in_the_next_tick_not_before(
    everything: Stack,
) -> None:
    body = {"option_symbol": OPTION, "qty": 1, "side": "buy", "type": "limit", "limit_price": 1}
    await everything.sandbox.set_clock(freeze=True)
    placed = await everything.rest("POST", "/api/v1/options/order?account_id=empty", body=body)
    order_id = placed.json["id"]

    await everything.sandbox.advance_clock(seconds=179)
    await ticks(everything, "empty", 3)
    early = await everything.sandbox.requests(method="DELETE", path="^/v2/orders/")
    await everything.sandbox.advance_clock(seconds=1)
    await everything.sandbox.wait_for_requests(method="DELETE", path=f"^/v2/orders/{order_id}$", count=1)
    await ticks(everything, "empty", 2)
    read = await everything.rest("GET", f"/v1/accounts/empty/orders/{order_id}")

    assert early == []
    assert read.json["state"] == "ORDER_STATE_CANCELED"
    assert [line for line in everything.log("order_svc") if "Order cancelled:" in line and order_id in line]


async def test_tracked_sells_only_what_was_bought_with_auto_sell_enabled(tracked: Stack) -> None:
    await tracked.sandbox.set_quotes(
        {OPTION: {"bid": "9.95", "ask": "10.00"}, OTHER_OPTION: {"bid": "4.95", "ask": "5.00"}}
    )
    bought = {"option_symbol": OPTION, "qty": 1, "side": "buy", "type": "market", "auto_sell_enabled": True}
    answer = await tracked.rest("POST", "/api/v1/options/order?account_id=holder", body=bought)
    assert answer.status == 200, answer.text
    manual = {**bought, "option_symbol": OTHER_OPTION, "auto_sell_enabled": False}
    answer = await tracked.rest("POST", "/api/v1/options/order?account_id=holder", body=manual)
    assert answer.status == 200, answer.text

    await tracked.sandbox.set_quotes(
        {OPTION: {"bid": "20.00", "ask": "20.10"}, OTHER_OPTION: {"bid": "20.00", "ask": "20.10"}}
    )
    await sold(tracked, 3)
    await ticks(tracked, "holder", 4)

    # Three contracts are held; the two that were there before nobody allowed the monitor to sell.
    (exit_order,) = await orders_of(tracked, "holder", OPTION, "sell")
    assert exit_order["qty"] == "1"
    assert await orders_of(tracked, "holder", OTHER_OPTION, "sell") == []
    decisions = await tracked.rest("GET", f"/v1/sell/decisions?symbol={OTHER_OPTION}")
    assert "NOT_TRACKED" in [decision["rule"] for decision in decisions.json["decisions"]]


async def test_a_stop_loss_is_sold_at_exactly_twenty_percent_down_and_kept_a_cent_above(
    everything: Stack,
) -> None:
    await everything.sandbox.set_quotes({THIRD_OPTION: {"bid": "8.01", "ask": "8.10"}})
    await ticks(everything, "stopper", 4)
    kept = await orders_of(everything, "stopper", THIRD_OPTION, "sell")

    await everything.sandbox.set_quotes({THIRD_OPTION: {"bid": "8.00", "ask": "8.10"}})
    await everything.sandbox.wait_for_requests(method="POST", path="^/v2/orders$", account="stopper", count=1)
    await ticks(everything, "stopper", 3)

    assert kept == []
    assert len(await orders_of(everything, "stopper", THIRD_OPTION, "sell")) == 1
