"""The client and the pool against the sandbox exchange as a real process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from broker.account_type import AccountType
from broker.client import BrokerClient
from broker.credentials import AccountCredentials, BrokerUrls
from broker.outcomes import Accepted, CancelRequested, DuplicateClientOrderId, Refused, Unknown
from broker.pool import AccountPool
from broker.rate_budget import RateLimits
from broker.reports import OrderSide, OrderStatus, OrderType, PositionIntent, TimeInForce
from broker.requests import OrderRequest
from broker.transport import AsyncTransport
from sandbox_process import SandboxProcess

OPTION = "AAPL301220C00200000"
IN_TIME = 10.0

SCENARIO: dict[str, Any] = {
    "clock": {"at": "session"},
    "rate_limit": None,
    "accounts": [
        {
            "name": "demo",
            "key": "PKDEMO",
            "secret": "demo-made-up-secret",
            "account_number": "PA1000001",
            "cash": "100000",
        },
        {
            "name": "real",
            "key": "AKREAL",
            "secret": "real-made-up-secret",
            "account_number": "900000001",
            "cash": "7000.01",
        },
    ],
    "quotes": {
        "AAPL": {"bid": "189.98", "ask": "190.02", "last": "190.00"},
        OPTION: {"bid": "9.95", "ask": "10.00", "last": "10.00"},
    },
}

ACCOUNTS = (
    AccountCredentials(
        account_id="demo",
        name="Demo",
        api_key=SecretStr("PKDEMO"),
        secret_key=SecretStr("demo-made-up-secret"),
        paper_trading=True,
    ),
    AccountCredentials(
        account_id="real",
        name="Real",
        api_key=SecretStr("AKREAL"),
        secret_key=SecretStr("real-made-up-secret"),
        paper_trading=False,
    ),
)


# One exchange serves every test; each gets accounts of its own, as new as at the start.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_exchange() -> AsyncIterator[SandboxProcess]:
    async with SandboxProcess(SCENARIO) as sandbox:
        yield sandbox


@pytest_asyncio.fixture(loop_scope="module")
async def exchange(running_exchange: SandboxProcess) -> SandboxProcess:
    for account in SCENARIO["accounts"]:
        await running_exchange.add_account(account)
    await running_exchange.set_matching(auto=True)
    await running_exchange.clear_faults()
    return running_exchange


@pytest_asyncio.fixture(loop_scope="module")
async def pool(exchange: SandboxProcess) -> AsyncIterator[AccountPool]:
    async with (
        AsyncTransport() as transport,
        AccountPool(
            ACCOUNTS,
            transport=transport,
            urls=BrokerUrls(trading_url=exchange.url, data_url=exchange.url),
        ) as opened,
    ):
        yield opened


@pytest.fixture
def client(pool: AccountPool) -> BrokerClient:
    return pool.resolve("demo").client


def an_order(
    client_order_id: str,
    symbol: str = "AAPL",
    qty: str = "2",
    side: OrderSide = OrderSide.BUY,
    limit_price: str | None = None,
    position_intent: PositionIntent | None = None,
) -> OrderRequest:
    return OrderRequest(
        symbol=symbol,
        side=side,
        order_type=OrderType.MARKET if limit_price is None else OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        client_order_id=client_order_id,
        qty=Decimal(qty),
        limit_price=None if limit_price is None else Decimal(limit_price),
        position_intent=position_intent,
    )


async def requests_so_far(exchange: SandboxProcess) -> int:
    """The index to count later requests from."""
    return max((request["index"] for request in await exchange.requests()), default=0)


async def orders_at(exchange: SandboxProcess, client_order_id: str) -> list[Any]:
    ledger = await exchange.ledger()
    return [order for order in ledger["orders"] if order["client_order_id"] == client_order_id]


async def test_a_stock_and_an_option_are_bought_held_and_sold(
    exchange: SandboxProcess, pool: AccountPool, client: BrokerClient
) -> None:
    assert [handle.standing.account_type for handle in pool.all()] == [AccountType.PAPER, AccountType.LIVE]
    stock = await client.submit_order(an_order("op-stock", qty="1.5"), timeout=IN_TIME)
    option = await client.submit_order(
        an_order("op-option", OPTION, position_intent=PositionIntent.BUY_TO_OPEN), timeout=IN_TIME
    )
    assert isinstance(stock, Accepted)
    assert isinstance(option, Accepted)

    held = await client.list_positions(timeout=IN_TIME)
    assert held.complete
    assert {position.symbol: position.qty for position in held.items} == {"AAPL": Decimal("1.5"), OPTION: 2}
    filled = await client.find_order(stock.order_id, timeout=IN_TIME)
    assert filled is not None
    assert (filled.status, filled.filled_qty) == (OrderStatus.FILLED, Decimal("1.5"))
    assert filled.filled_avg_price == Decimal("190.02")

    sold = await client.submit_order(
        an_order("op-exit", OPTION, "2", OrderSide.SELL, position_intent=PositionIntent.SELL_TO_CLOSE),
        timeout=IN_TIME,
    )
    assert isinstance(sold, Accepted)
    assert await client.find_position(OPTION, timeout=IN_TIME) is None


async def test_prices_the_clock_and_the_contract_come_from_the_exchange(client: BrokerClient) -> None:
    quotes = await client.latest_stock_quotes(["AAPL", "NOSUCH"], timeout=IN_TIME)
    option_quotes = await client.latest_option_quotes([OPTION], timeout=IN_TIME)
    trades = await client.latest_stock_trades(["AAPL"], timeout=IN_TIME)
    contract = await client.find_option_contract(OPTION, timeout=IN_TIME)
    clock = await client.market_clock(timeout=IN_TIME)
    days = await client.calendar(clock.at.date(), clock.next_close.date(), timeout=IN_TIME)

    assert (quotes.found["AAPL"].bid, quotes.found["AAPL"].ask) == (Decimal("189.98"), Decimal("190.02"))
    assert quotes.missing.keys() == {"NOSUCH"}
    assert option_quotes.found[OPTION].ask == Decimal("10.00")
    assert trades.found["AAPL"].price == 190
    assert contract is not None
    assert (contract.multiplier, contract.underlying_symbol) == (Decimal(100), "AAPL")
    assert clock.is_open
    assert days[-1].closes_at == clock.next_close


async def test_a_working_order_is_listed_and_cancelled(client: BrokerClient) -> None:
    placed = await client.submit_order(an_order("op-working", limit_price="1"), timeout=IN_TIME)
    assert isinstance(placed, Accepted)
    working = await client.list_open_orders(timeout=IN_TIME)
    assert [order.client_order_id for order in working.items] == ["op-working"]

    assert isinstance(await client.cancel_order(placed.order_id, timeout=IN_TIME), CancelRequested)

    canceled = await client.find_order_by_client_order_id("op-working", timeout=IN_TIME)
    assert canceled is not None
    assert canceled.status in (OrderStatus.CANCELED, OrderStatus.PENDING_CANCEL)


async def test_an_order_beyond_the_buying_power_is_refused_with_the_figures(client: BrokerClient) -> None:
    outcome = await client.submit_order(an_order("op-huge", qty="100000"), timeout=IN_TIME)

    assert isinstance(outcome, Refused)
    assert (outcome.http_status, outcome.code) == (403, 40310000)
    assert "buying power" in outcome.message


@pytest.mark.parametrize(
    ("fault", "placed"),
    [
        pytest.param({"action": "cut_before"}, 0, id="cut-before-it-was-processed"),
        pytest.param({"action": "cut_after"}, 1, id="answer-lost"),
        pytest.param({"action": "truncate"}, 1, id="answer-truncated"),
        pytest.param({"action": "hang"}, 0, id="hang-before"),
        pytest.param({"action": "hang_after"}, 1, id="hang-after"),
        pytest.param({"action": "status", "status": 504}, 0, id="504-not-processed"),
        pytest.param({"action": "body", "status": 504, "body": "<html>"}, 1, id="504-but-processed"),
        pytest.param({"action": "body", "status": 200, "body": "<html>"}, 1, id="html-but-processed"),
    ],
)
async def test_an_order_without_a_readable_answer_is_unknown_sent_once_and_settled_by_reading(
    exchange: SandboxProcess,
    client: BrokerClient,
    request: pytest.FixtureRequest,
    fault: dict[str, object],
    placed: int,
) -> None:
    name = f"op-{request.node.callspec.id}"
    start = await requests_so_far(exchange)
    await exchange.add_fault({"match": {"method": "POST", "path": "/v2/orders"}, **fault})

    outcome = await client.submit_order(an_order(name), timeout=1.0)

    assert isinstance(outcome, Unknown)
    assert len(await exchange.requests(method="POST", path="/v2/orders", after=start)) == 1
    found = await client.find_order_by_client_order_id(name, timeout=IN_TIME)
    assert (found is not None) == bool(placed)
    assert len(await orders_at(exchange, name)) == placed

    again = await client.submit_order(an_order(name), timeout=IN_TIME)
    assert isinstance(again, DuplicateClientOrderId if placed else Accepted)
    assert len(await orders_at(exchange, name)) == 1


async def test_an_order_whose_task_is_cancelled_was_sent_at_most_once(
    exchange: SandboxProcess, client: BrokerClient
) -> None:
    start = await requests_so_far(exchange)
    await exchange.add_fault({"match": {"method": "POST"}, "action": "hang_after"})
    task = asyncio.create_task(client.submit_order(an_order("op-cancelled"), timeout=60.0))
    await exchange.wait_for_requests(method="POST", path="/v2/orders", after=start)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    assert task.cancelled()
    assert len(await exchange.requests(method="POST", path="/v2/orders", after=start)) == 1
    assert await client.find_order_by_client_order_id("op-cancelled", timeout=IN_TIME) is not None


async def test_more_open_orders_than_fit_a_page_are_all_read(exchange: SandboxProcess) -> None:
    await exchange.set_matching(auto=False)
    await exchange.change_account("demo", cash="10000000")
    async with AsyncTransport() as transport:
        client = BrokerClient(
            ACCOUNTS[0],
            transport=transport,
            urls=BrokerUrls(trading_url=exchange.url, data_url=exchange.url),
            trading_limits=RateLimits(requests=10_000),
        )
        wanted = [f"op-page-{number}" for number in range(510)]
        for start in range(0, len(wanted), 30):
            batch = wanted[start : start + 30]
            orders = (an_order(one, qty="1", limit_price="1") for one in batch)
            outcomes = await asyncio.gather(
                *(client.submit_order(order, timeout=IN_TIME) for order in orders)
            )
            assert all(isinstance(outcome, Accepted) for outcome in outcomes)

        start = await requests_so_far(exchange)
        listed = await client.list_open_orders(timeout=IN_TIME)

    assert sorted(order.client_order_id for order in listed.items) == sorted(wanted)
    assert listed.complete
    assert len(await exchange.requests(method="GET", path="/v2/orders", after=start)) == 2
