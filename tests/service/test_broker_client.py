"""The client against a server that answers byte for byte what the test says."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pydantic import SecretStr

from broker.client import BrokerClient
from broker.credentials import AccountCredentials, BrokerUrls
from broker.faults import BrokerRefused, BrokerUnreachable, CredentialsRefused, RateLimited
from broker.outcomes import (
    Accepted,
    CancelRefused,
    CancelRequested,
    CancelUnknown,
    DuplicateClientOrderId,
    RefusalKind,
    Refused,
    Unknown,
)
from broker.rate_budget import RateLimits
from broker.rate_gate import RateBudgetExhausted
from broker.raw_json import UnreadableAnswer
from broker.reports import OrderSide, OrderType, PositionIntent, TimeInForce
from broker.requests import OrderRequest
from broker.transport import AsyncTransport, TransportLimits
from fakes.scripted_broker import Answer, ReceivedRequest, ScriptedBroker, cut, hang, reply, truncated
from runtime.errors import InvalidArgument, MalformedRequest, ServiceError

KEY, SECRET = "PKSEEDEDKEY", "seeded-secret-value"
ORDER_ID = "61e69015-8549-4bfd-b9c3-01e75843f47d"
OPTION = "AAPL301220C00200000"
IN_TIME = 5.0


@pytest.fixture
async def broker() -> AsyncIterator[ScriptedBroker]:
    async with ScriptedBroker() as scripted:
        yield scripted


@pytest.fixture
async def transport() -> AsyncIterator[AsyncTransport]:
    async with AsyncTransport() as opened:
        yield opened


def client_for(
    url: str, transport: AsyncTransport, *, name: str = "main", limits: RateLimits | None = None
) -> BrokerClient:
    credentials = AccountCredentials(
        account_id=name,
        name=name,
        api_key=SecretStr(KEY),
        secret_key=SecretStr(SECRET),
        paper_trading=True,
    )
    return BrokerClient(
        credentials,
        transport=transport,
        urls=BrokerUrls(trading_url=url, data_url=url + "/"),
        trading_limits=limits,
    )


@pytest.fixture
def client(broker: ScriptedBroker, transport: AsyncTransport) -> BrokerClient:
    return client_for(broker.url, transport)


def an_order(client_order_id: str = "op-1", qty: str = "0.123456789") -> OrderRequest:
    return OrderRequest(
        symbol="AAPL",
        side=OrderSide.BUY,
        order_type=OrderType.STOP_LIMIT,
        time_in_force=TimeInForce.DAY,
        client_order_id=client_order_id,
        qty=Decimal(qty),
        limit_price=Decimal("190.1"),
        stop_price=Decimal("189.05"),
        position_intent=PositionIntent.BUY_TO_OPEN,
    )


def order_body(client_order_id: str = "op-1", order_id: str = ORDER_ID) -> dict[str, object]:
    return {
        "id": order_id,
        "client_order_id": client_order_id,
        "status": "accepted",
        "filled_qty": "0",
        "qty": "0.123456789",
        "symbol": "AAPL",
        "side": "buy",
        "time_in_force": "day",
        "submitted_at": "2026-11-24T15:22:03.337711497Z",
    }


def account_body(number: str = "PA1") -> dict[str, object]:
    return {
        "account_number": number,
        "status": "ACTIVE",
        "cash": "7000.01",
        "buying_power": "7000.01",
        "equity": "7000.01",
        "trading_blocked": False,
        "account_blocked": False,
    }


# ---- what goes over the wire


async def test_an_order_goes_out_as_alpaca_wants_it_with_exact_decimals_in_strings(
    broker: ScriptedBroker, client: BrokerClient
) -> None:
    broker.answers(reply(200, order_body()))

    outcome = await client.submit_order(an_order(), timeout=IN_TIME)

    assert isinstance(outcome, Accepted)
    assert outcome.order is not None
    assert outcome.order.submitted_at == datetime(2026, 11, 24, 15, 22, 3, 337711, UTC)
    [request] = broker.received
    assert (request.method, request.target) == ("POST", "/v2/orders")
    assert json.loads(request.body, parse_float=pytest.fail) == {
        "symbol": "AAPL",
        "side": "buy",
        "type": "stop_limit",
        "time_in_force": "day",
        "client_order_id": "op-1",
        "qty": "0.123456789",
        "limit_price": "190.1",
        "stop_price": "189.05",
        "position_intent": "buy_to_open",
    }


async def test_a_request_carries_the_accounts_keys_and_alpaca_pys_agent(
    broker: ScriptedBroker, client: BrokerClient
) -> None:
    broker.answers(reply(200, account_body()))

    await client.read_account(timeout=IN_TIME)

    headers = broker.received[0].headers
    assert (headers["apca-api-key-id"], headers["apca-api-secret-key"]) == (KEY, SECRET)
    assert headers["user-agent"].startswith("APCA-PY/")


async def test_proxies_and_netrc_of_the_environment_are_not_used(
    broker: ScriptedBroker, client: BrokerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    for exception in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(exception, raising=False)
    broker.answers(reply(200, account_body()))

    assert (await client.read_account(timeout=IN_TIME)).account_number == "PA1"


async def test_cookies_of_one_account_never_reach_the_broker_again(
    broker: ScriptedBroker, client: BrokerClient
) -> None:
    broker.script = lambda _: reply(200, account_body(), [("Set-Cookie", "session=one; Path=/")])
    await client.read_account(timeout=IN_TIME)
    await client.read_account(timeout=IN_TIME)

    assert "cookie" not in broker.received[1].headers


@pytest.mark.parametrize(
    ("client_order_id", "encoded"),
    [
        pytest.param("op-1", "op-1", id="plain"),
        pytest.param("a b&c=d+e/f?#%", "a+b%26c%3Dd%2Be%2Ff%3F%23%25", id="every-special-character"),
    ],
)
async def test_a_client_order_id_arrives_as_it_is(
    broker: ScriptedBroker, client: BrokerClient, client_order_id: str, encoded: str
) -> None:
    broker.answers(reply(200, order_body(client_order_id)))

    order = await client.find_order_by_client_order_id(client_order_id, timeout=IN_TIME)

    assert order is not None
    assert broker.received[0].target == f"/v2/orders:by_client_order_id?client_order_id={encoded}"


async def test_a_listing_asks_for_exactly_what_was_said(broker: ScriptedBroker, client: BrokerClient) -> None:
    broker.answers(reply(200, []))

    await client.list_orders(
        limit=7, after=datetime(2026, 11, 24, 15, 0, 0, 1, UTC), symbols=["AAPL", OPTION], timeout=IN_TIME
    )

    assert broker.received[0].target == (
        "/v2/orders?status=open&limit=7&after=2026-11-24T15%3A00%3A00.000001%2B00%3A00"
        f"&direction=desc&symbols=AAPL%2C{OPTION}"
    )


async def test_a_symbol_stays_one_segment_of_the_path(broker: ScriptedBroker, client: BrokerClient) -> None:
    assert await client.find_position("BTC/USD", timeout=IN_TIME) is None

    assert broker.received[0].target == "/v2/positions/BTC%2FUSD"


# ---- what comes back


async def test_an_account_reading_says_when_it_was_asked_for(
    broker: ScriptedBroker, client: BrokerClient
) -> None:
    broker.answers(reply(200, account_body()))
    before = time.monotonic(), datetime.now(UTC)

    reading = await client.read_account(timeout=IN_TIME)

    assert before[0] <= reading.requested_monotonic <= time.monotonic()
    assert before[1] <= reading.requested_at <= datetime.now(UTC)
    assert reading.cash == Decimal("7000.01")


async def test_json_numbers_stay_exact(broker: ScriptedBroker, client: BrokerClient) -> None:
    quote = b'{"t": "2026-11-24T15:22:03Z", "bp": 189.9800000000000000001, "bs": 1, "ap": 190.1, "as": 2}'
    broker.answers(reply(200, b'{"quotes": {"AAPL": ' + quote + b"}}"))

    quotes = await client.latest_stock_quotes(["AAPL"], timeout=IN_TIME)

    assert quotes.found["AAPL"].bid == Decimal("189.9800000000000000001")
    assert quotes.found["AAPL"].ask == Decimal("190.1")


async def test_what_the_broker_does_not_know_is_none_and_what_a_proxy_does_not_know_is_an_error(
    broker: ScriptedBroker, client: BrokerClient
) -> None:
    known = reply(404, {"code": 40410000, "message": "order not found"})
    broker.answers(known, known, reply(404, b"<html>404</html>"))

    assert await client.find_order(ORDER_ID, timeout=IN_TIME) is None
    assert await client.find_order_by_client_order_id("op-1", timeout=IN_TIME) is None
    with pytest.raises(BrokerRefused):
        await client.find_order(ORDER_ID, timeout=IN_TIME)


async def test_the_clock_the_calendar_the_asset_and_the_contract_are_read(
    broker: ScriptedBroker, client: BrokerClient
) -> None:
    broker.answers(
        reply(
            200,
            {
                "timestamp": "2026-11-24T10:22:03.337711497-05:00",
                "is_open": True,
                "next_open": "2026-11-25T09:30:00-05:00",
                "next_close": "2026-11-24T16:00:00-05:00",
            },
        ),
        reply(200, [{"date": "2026-11-27", "open": "09:30", "close": "13:00"}]),
        reply(200, {"id": "1", "symbol": "AAPL", "status": "active", "tradable": True}),
        reply(
            200,
            {
                "id": "2",
                "symbol": OPTION,
                "status": "active",
                "tradable": True,
                "underlying_symbol": "AAPL",
                "type": "call",
                "expiration_date": "2030-12-20",
                "strike_price": "200",
                "multiplier": "100",
            },
        ),
        reply(404, {"code": 40410000, "message": "option contract not found"}),
    )

    assert (await client.market_clock(timeout=IN_TIME)).is_open
    [day] = await client.calendar(date(2026, 11, 27), date(2026, 11, 28), timeout=IN_TIME)
    asset = await client.find_asset("AAPL", timeout=IN_TIME)
    contract = await client.find_option_contract(OPTION, timeout=IN_TIME)

    assert day.closes_at == datetime(2026, 11, 27, 18, 0, tzinfo=UTC)
    assert asset is not None
    assert contract is not None
    assert contract.multiplier == 100
    assert await client.find_option_contract(OPTION, timeout=IN_TIME) is None
    assert [request.target for request in broker.received] == [
        "/v2/clock",
        "/v2/calendar?start=2026-11-27&end=2026-11-28",
        "/v2/assets/AAPL",
        f"/v2/options/contracts/{OPTION}",
        f"/v2/options/contracts/{OPTION}",
    ]


async def test_many_options_are_asked_for_in_hundreds_and_each_symbol_is_found_or_missing(
    broker: ScriptedBroker, client: BrokerClient
) -> None:
    symbols = [f"AAPL301220C{strike:05d}000" for strike in range(1, 251)]
    quote = {"t": "2026-11-24T15:22:03Z", "bp": 1, "bs": 1, "ap": 2, "as": 2}

    def answer(request: ReceivedRequest) -> Answer:
        asked = request.target.partition("symbols=")[2].partition("&")[0].split("%2C")
        return reply(200, {"quotes": {symbol: quote for symbol in asked if symbol != symbols[7]}})

    broker.script = answer
    quotes = await client.latest_option_quotes([*symbols, symbols[0]], timeout=IN_TIME)

    assert len(broker.received) == 3
    assert quotes.found.keys() == set(symbols) - {symbols[7]}
    assert quotes.missing == {symbols[7]: "the broker has no price for it"}


async def test_one_symbol_that_the_broker_calls_invalid_does_not_cost_the_others_their_price(
    broker: ScriptedBroker, client: BrokerClient
) -> None:
    trade = {"t": "2026-11-24T15:22:03Z", "p": 1, "s": 1}
    broker.answers(
        reply(400, {"message": "invalid symbol: XX.YY"}),
        reply(200, {"trades": {"AAPL": trade, "MSFT": trade}}),
    )

    trades = await client.latest_stock_trades(["AAPL", "XX.YY", "MSFT"], timeout=IN_TIME)

    assert trades.found.keys() == {"AAPL", "MSFT"}
    assert trades.missing == {"XX.YY": "the broker calls it invalid"}


async def test_no_symbols_are_no_request(broker: ScriptedBroker, client: BrokerClient) -> None:
    quotes = await client.latest_stock_quotes([], timeout=IN_TIME)

    assert (quotes.found, quotes.missing, broker.received) == ({}, {}, [])


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b"null", b"", b'{"quotes": []}', b'{"quotes": {}, "trades": {}}']
)
async def test_an_answer_of_another_form_is_unreadable_and_not_a_crash(
    broker: ScriptedBroker, client: BrokerClient, body: bytes
) -> None:
    broker.answers(reply(200, body, [("X-Request-ID", "req-7")]))

    with pytest.raises(UnreadableAnswer) as raised:
        await client.latest_stock_quotes(["AAPL"], timeout=IN_TIME)
    assert raised.value.metadata == {"http_status": "200", "x_request_id": "req-7"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(reply(200, b"<html>login</html>"), UnreadableAnswer, id="html-200"),
        pytest.param(reply(200, b""), UnreadableAnswer, id="empty-200"),
        pytest.param(reply(302, None, [("Location", "/elsewhere")]), UnreadableAnswer, id="redirect"),
        pytest.param(reply(401, {"message": "unauthorized."}), CredentialsRefused, id="401"),
        pytest.param(reply(429, {"message": "slow down"}, [("Retry-After", "3")]), RateLimited, id="429"),
        pytest.param(reply(504, b"<html>"), BrokerUnreachable, id="504"),
        pytest.param(truncated(200, account_body()), BrokerUnreachable, id="truncated"),
        pytest.param(
            Answer(data=b"\x00\x01 no http\r\n\r\n", keep_open=False), BrokerUnreachable, id="garbage"
        ),
        pytest.param(
            Answer(data=b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{", keep_open=False),
            BrokerUnreachable,
            id="cut-in-the-body",
        ),
    ],
)
async def test_a_read_that_fails_is_one_of_our_errors(
    broker: ScriptedBroker, client: BrokerClient, answer: Answer, expected: type[ServiceError]
) -> None:
    broker.answers(answer)

    with pytest.raises(expected) as raised:
        await client.read_account(timeout=IN_TIME)

    assert type(raised.value) is expected
    assert len(broker.received) == 1


# ---- orders whose answer is lost, and no order twice


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(reply(200, order_body()), Accepted, id="accepted"),
        pytest.param(reply(200, order_body() | {"status": None}), Accepted, id="accepted-but-odd"),
        pytest.param(reply(200, b"<html>fine</html>"), Unknown, id="html-200"),
        pytest.param(reply(200, b""), Unknown, id="empty-200"),
        pytest.param(truncated(200, order_body()), Unknown, id="truncated"),
        pytest.param(reply(403, {"code": 40310000, "message": "insufficient"}), Refused, id="403"),
        pytest.param(reply(429, {}, [("Retry-After", "3")]), Refused, id="429"),
        pytest.param(reply(504, b"<html>gateway</html>"), Unknown, id="504"),
        pytest.param(reply(500, {"code": 50010000, "message": "internal"}), Unknown, id="500"),
        pytest.param(reply(307, None, [("Location", "/v2/orders2")]), Unknown, id="redirect"),
        pytest.param(
            reply(422, {"code": 40010001, "message": "client_order_id must be unique"}),
            DuplicateClientOrderId,
            id="duplicate",
        ),
        pytest.param(cut(), Unknown, id="cut-before-the-answer"),
        pytest.param(Answer(data=b"HTT", keep_open=False), Unknown, id="cut-in-the-status-line"),
        pytest.param(Answer(data=b"garbage\r\n\r\n", keep_open=False), Unknown, id="garbage"),
    ],
)
async def test_an_order_is_sent_once_whatever_the_answer(
    broker: ScriptedBroker, client: BrokerClient, answer: Answer, expected: type[object]
) -> None:
    broker.answers(answer)

    outcome = await client.submit_order(an_order(), timeout=IN_TIME)

    assert isinstance(outcome, expected)
    assert len(broker.received) == 1


async def test_an_order_without_an_answer_in_time_is_unknown_and_sent_once(
    broker: ScriptedBroker, client: BrokerClient
) -> None:
    broker.script = lambda _: hang()

    outcome = await client.submit_order(an_order(), timeout=0.2)

    assert isinstance(outcome, Unknown)
    assert "deadline" in outcome.problem
    assert 200 <= outcome.call.duration_ms < 5000
    assert len(broker.received) == 1


async def test_an_order_on_a_connection_that_dies_is_unknown_and_not_repeated_but_a_read_is(
    broker: ScriptedBroker, client: BrokerClient
) -> None:
    broker.answers(reply(200, account_body()), cut(), reply(200, account_body()), cut(), reply(200, []))
    await client.read_account(timeout=IN_TIME)
    lost = await client.submit_order(an_order(), timeout=IN_TIME)

    assert isinstance(lost, Unknown)
    assert len(broker.of("POST")) == 1
    assert [request.connection for request in broker.received] == [0, 0]

    await client.read_account(timeout=IN_TIME)
    assert (await client.list_positions(timeout=IN_TIME)).items == ()
    assert [request.method for request in broker.received] == ["GET", "POST", "GET", "GET", "GET"]


async def test_without_a_connection_the_order_was_definitely_not_sent(transport: AsyncTransport) -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        client = client_for(f"http://127.0.0.1:{nobody_listens.getsockname()[1]}", transport)

        outcome = await client.submit_order(an_order(), timeout=IN_TIME)
        cancelled = await client.cancel_order(ORDER_ID, timeout=IN_TIME)
        with pytest.raises(BrokerUnreachable):
            await client.read_account(timeout=IN_TIME)

    assert isinstance(outcome, Refused)
    assert outcome.kind is RefusalKind.NOT_SENT
    assert isinstance(cancelled, CancelRefused)


async def test_without_tls_at_the_other_end_the_order_was_definitely_not_sent(broker: ScriptedBroker) -> None:
    async with AsyncTransport(limits=TransportLimits(connect_seconds=0.3)) as impatient:
        client = client_for(broker.url.replace("http:", "https:"), impatient)

        outcome = await client.submit_order(an_order(), timeout=IN_TIME)

    assert isinstance(outcome, Refused)
    assert outcome.kind is RefusalKind.NOT_SENT


async def test_an_order_that_finds_no_free_connection_was_definitely_not_sent(broker: ScriptedBroker) -> None:
    broker.script = lambda _: hang()
    async with AsyncTransport(limits=TransportLimits(connections=1, connect_seconds=0.2)) as narrow:
        client = client_for(broker.url, narrow)
        hanging = asyncio.create_task(client.read_account(timeout=IN_TIME))
        await broker.wait_for_requests(1)

        outcome = await client.submit_order(an_order(), timeout=IN_TIME)

        hanging.cancel()
        with suppress(asyncio.CancelledError):
            await hanging
    assert isinstance(outcome, Refused)
    assert outcome.kind is RefusalKind.NOT_SENT
    assert broker.of("POST") == []


async def test_cancelling_the_task_drops_the_connection_and_sends_nothing_again(
    broker: ScriptedBroker, client: BrokerClient
) -> None:
    broker.script = lambda _: hang()
    task = asyncio.create_task(client.submit_order(an_order(), timeout=60.0))
    await broker.wait_for_requests(1)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(broker.received) == 1

    broker.answers(reply(200, account_body()))
    await client.read_account(timeout=IN_TIME)
    assert broker.received[1].connection == 1


async def test_an_answer_beyond_the_limit_is_dropped(broker: ScriptedBroker) -> None:
    broker.script = lambda _: reply(200, order_body() | {"padding": "x" * 100_000})
    async with AsyncTransport(limits=TransportLimits(answer_bytes=50_000)) as small:
        client = client_for(broker.url, small)

        with pytest.raises(BrokerUnreachable, match="too large"):
            await client.find_order(ORDER_ID, timeout=IN_TIME)
        assert isinstance(await client.submit_order(an_order(), timeout=IN_TIME), Unknown)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(reply(204), CancelRequested, id="204"),
        pytest.param(reply(422, {"code": 42210000, "message": "order is filled"}), CancelRefused, id="422"),
        pytest.param(reply(404, {"code": 40410000, "message": "order not found"}), CancelRefused, id="404"),
        pytest.param(reply(500, {"message": "internal"}), CancelUnknown, id="500"),
    ],
)
async def test_a_cancel_says_what_became_of_it(
    broker: ScriptedBroker, client: BrokerClient, answer: Answer, expected: type[object]
) -> None:
    broker.answers(answer)

    assert isinstance(await client.cancel_order(ORDER_ID, timeout=IN_TIME), expected)
    assert [(one.method, one.target) for one in broker.received] == [("DELETE", f"/v2/orders/{ORDER_ID}")]


# ---- nothing wrong gets out, nothing secret either


async def test_ids_and_symbols_that_cannot_be_meant_send_nothing(
    broker: ScriptedBroker, client: BrokerClient
) -> None:
    with pytest.raises(MalformedRequest):
        await client.cancel_order("../account", timeout=IN_TIME)
    with pytest.raises(MalformedRequest):
        await client.find_order("17", timeout=IN_TIME)
    with pytest.raises(MalformedRequest):
        await client.find_order_by_client_order_id("", timeout=IN_TIME)
    with pytest.raises(MalformedRequest):
        await client.list_orders(limit=501, timeout=IN_TIME)
    with pytest.raises(InvalidArgument):
        await client.find_position("../orders", timeout=IN_TIME)
    with pytest.raises(InvalidArgument):
        await client.latest_option_quotes(["AAPL"], timeout=IN_TIME)

    assert broker.received == []


async def test_keys_that_an_error_page_echoes_do_not_come_back(
    broker: ScriptedBroker, client: BrokerClient
) -> None:
    echo = {"code": 42210000, "message": f"key {KEY} is bad", "headers": f"{KEY}:{SECRET}"}
    broker.script = lambda _: reply(422, echo)

    outcome = await client.submit_order(an_order(), timeout=IN_TIME)
    assert isinstance(outcome, Refused)
    with pytest.raises(BrokerRefused) as refused:
        await client.read_account(timeout=IN_TIME)

    shown = f"{outcome!r} {outcome.raw} {outcome.extra} {refused.value!r} {refused.value.metadata}"
    assert KEY not in shown
    assert SECRET not in shown


async def test_no_error_carries_the_request_with_its_keys(
    broker: ScriptedBroker, client: BrokerClient
) -> None:
    broker.script = lambda _: Answer(data=b"garbage\r\n\r\n", keep_open=False)

    with pytest.raises(BrokerUnreachable) as raised:
        await client.read_account(timeout=IN_TIME)

    error: BaseException | None = raised.value
    while error is not None:
        assert SECRET not in f"{error!r} {error} {vars(error)}"
        assert error.__suppress_context__ or error.__context__ is error.__cause__
        error = error.__cause__


# ---- the loop, the budget, and many at once


async def test_the_loop_is_never_blocked_and_no_thread_is_used(
    broker: ScriptedBroker, client: BrokerClient
) -> None:
    broker.script = lambda _: hang()
    threads = threading.active_count()
    calls = [asyncio.create_task(client.read_account(timeout=1.5)) for _ in range(20)]
    await broker.wait_for_requests(20)

    loop = asyncio.get_running_loop()
    turns, longest, last = 0, 0.0, loop.time()
    while not all(call.done() for call in calls):
        await asyncio.sleep(0)
        turns, longest, last = turns + 1, max(longest, loop.time() - last), loop.time()

    assert turns > 100
    assert longest < 1.2
    assert threading.active_count() == threads
    for call in calls:
        assert isinstance(call.exception(), BrokerUnreachable)


async def test_two_accounts_calls_run_at_the_same_time(
    broker: ScriptedBroker, transport: AsyncTransport
) -> None:
    arrived = asyncio.Event()

    def answer(request: ReceivedRequest) -> Answer:
        if len(broker.received) == 2:
            arrived.set()
        return hang()

    broker.script = answer
    one, two = client_for(broker.url, transport), client_for(broker.url, transport, name="other")
    calls = [asyncio.create_task(client.submit_order(an_order(), timeout=60.0)) for client in (one, two)]
    async with asyncio.timeout(IN_TIME):
        await arrived.wait()

    assert not any(call.done() for call in calls)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)


async def test_each_of_many_concurrent_calls_gets_its_own_answer(
    broker: ScriptedBroker, client: BrokerClient
) -> None:
    def answer(request: ReceivedRequest) -> Answer:
        return reply(200, order_body(request.target.rpartition("=")[2]))

    broker.script = answer
    wanted = [f"op-{number}" for number in range(60)]
    orders = await asyncio.gather(
        *(client.find_order_by_client_order_id(one, timeout=IN_TIME) for one in wanted)
    )

    assert [order and order.client_order_id for order in orders] == wanted


async def test_over_budget_nothing_is_sent(broker: ScriptedBroker, transport: AsyncTransport) -> None:
    client = client_for(broker.url, transport, limits=RateLimits(requests=2))
    broker.script = lambda _: reply(200, account_body())
    await client.read_account(timeout=IN_TIME)

    with pytest.raises(RateBudgetExhausted):
        await client.read_account(timeout=IN_TIME)
    broker.script = lambda _: reply(200, order_body("op-1"))
    assert await client.find_order_by_client_order_id("op-1", timeout=IN_TIME) is not None
    with pytest.raises(RateBudgetExhausted) as refused:
        await client.submit_order(an_order(), timeout=IN_TIME)

    assert refused.value.retry_after is not None
    assert len(broker.received) == 2


async def test_the_wait_for_the_budget_counts_against_the_calls_time(
    broker: ScriptedBroker, transport: AsyncTransport
) -> None:
    client = client_for(broker.url, transport, limits=RateLimits(requests=1, window_seconds=1.0))
    broker.answers(reply(200, account_body()), hang())
    await client.read_account(timeout=IN_TIME)

    outcome = await client.submit_order(an_order(), timeout=1.2)

    assert isinstance(outcome, Unknown)
    assert outcome.call.duration_ms < 700


async def test_an_order_whose_turn_comes_too_late_never_leaves(
    broker: ScriptedBroker, transport: AsyncTransport
) -> None:
    client = client_for(broker.url, transport, limits=RateLimits(requests=1, window_seconds=1.0))
    broker.answers(reply(200, account_body()))
    await client.read_account(timeout=IN_TIME)

    with pytest.raises(RateBudgetExhausted):
        await client.submit_order(an_order(), timeout=IN_TIME, start_within=0.2)

    assert len(broker.received) == 1


async def test_after_a_429_the_account_keeps_quiet(broker: ScriptedBroker, client: BrokerClient) -> None:
    broker.script = lambda _: reply(429, {"message": "too many requests."}, [("Retry-After", "30")])

    with pytest.raises(RateLimited) as limited:
        await client.read_account(timeout=IN_TIME)
    with pytest.raises(RateBudgetExhausted):
        await client.submit_order(an_order(), timeout=IN_TIME)

    assert limited.value.retry_after is not None
    assert len(broker.received) == 1


async def test_a_transport_that_is_not_open_says_so_and_one_that_is_closed_ends_its_connections(
    broker: ScriptedBroker,
) -> None:
    transport = AsyncTransport()
    client = client_for(broker.url, transport)

    with pytest.raises(RuntimeError, match="not open"):
        await client.read_account(timeout=IN_TIME)
    async with transport:
        broker.answers(reply(200, account_body()))
        await client.read_account(timeout=IN_TIME)
    with pytest.raises(RuntimeError, match="not open"):
        await client.read_account(timeout=IN_TIME)
