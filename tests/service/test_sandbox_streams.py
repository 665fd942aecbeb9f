"""The unmodified stream clients of alpaca-py listen to the sandbox; faults cut, repeat, swap and drop what they hear."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgpack  # type: ignore[import-untyped] # the package has no types
import pytest
import pytest_asyncio
from alpaca.data.live import OptionDataStream, StockDataStream
from alpaca.data.models import Bar, Quote, Trade
from alpaca.trading.enums import OrderStatus, TradeEvent
from alpaca.trading.models import TradeUpdate
from alpaca.trading.stream import TradingStream

from sandbox_process import SandboxProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY, SECRET = "PKSTREAM", "a-made-up-secret"
KEYS = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
CONTRACT = "AAPL301220C00200000"
ACCOUNT = {"name": "s", "key": KEY, "secret": SECRET, "account_number": "PA7", "cash": "1000000"}
QUOTES = {
    "AAPL": {"bid": "189.98", "ask": "190.02", "last": "190.00"},
    CONTRACT: {"bid": "9.95", "ask": "10.05", "last": "10.00"},
}
SCENARIO = {
    "clock": {"at": "2026-11-24T15:00:00Z"},
    "rate_limit": None,
    "accounts": [ACCOUNT],
    "quotes": QUOTES,
}
WITHIN_S = 20.0

Json = dict[str, Any]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sandbox() -> AsyncIterator[SandboxProcess]:
    async with SandboxProcess(SCENARIO) as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def clean_slate(sandbox: SandboxProcess) -> None:
    """Every test begins with the same account without orders, the same market and the same clock."""
    await sandbox.set_clock(at="2026-11-24T15:00:00Z", speed=1)
    await sandbox.add_account(ACCOUNT)
    await sandbox.set_quotes(QUOTES)


def ws_url(sandbox: SandboxProcess, path: str) -> str:
    return sandbox.url.replace("http", "ws", 1) + path


async def order(sandbox: SandboxProcess, **changes: Any) -> Json:
    body = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day", **changes}
    async with (
        aiohttp.ClientSession(sandbox.url, headers=KEYS) as http,
        http.post("/v2/orders", json=body) as answer,
    ):
        assert answer.status == 200
        placed: Json = await answer.json()
        return placed


class Heard:
    """What an alpaca-py stream gave its handler."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[Any] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    async def handler(self, event: Any) -> None:
        self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    async def next(self) -> Any:
        async with asyncio.timeout(WITHIN_S):
            return await self._events.get()


async def connected(sandbox: SandboxProcess, stream: str, *, count: int = 1) -> None:
    """Wait until the exchange knows of so many connections."""
    async with asyncio.timeout(WITHIN_S):
        while [each["stream"] for each in await sandbox.streams()].count(stream) != count:
            await asyncio.to_thread(lambda: None)


@asynccontextmanager
async def running(sandbox: SandboxProcess, stream: Any, kind: str) -> AsyncIterator[None]:
    """The client in its own thread and loop, as its users run it."""
    thread = asyncio.create_task(asyncio.to_thread(stream.run))
    await connected(sandbox, kind)
    try:
        yield
    finally:
        await asyncio.to_thread(stream.stop)
        await sandbox.add_stream_fault({"action": "cut", "stream": kind})
        await thread


@asynccontextmanager
async def listening(sandbox: SandboxProcess) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A bare client on /stream that has authenticated and listens."""
    async with aiohttp.ClientSession() as http, http.ws_connect(ws_url(sandbox, "/stream")) as socket:
        await socket.send_json({"action": "authenticate", "data": {"key_id": KEY, "secret_key": SECRET}})
        await receive(socket)
        await socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
        await receive(socket)
        yield socket


async def receive(socket: aiohttp.ClientWebSocketResponse) -> Json:
    message = await socket.receive(timeout=WITHIN_S)
    assert message.type is aiohttp.WSMsgType.BINARY, message
    value: Json = json.loads(message.data)
    return value


async def events(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[str]:
    return [(await receive(socket))["data"]["event"] for _ in range(count)]


async def test_alpaca_pys_trading_stream_hears_an_order_fill_without_any_request(
    sandbox: SandboxProcess,
) -> None:
    heard = Heard()
    client = TradingStream(KEY, SECRET, url_override=ws_url(sandbox, "/stream"))
    client.subscribe_trade_updates(heard.handler)
    async with running(sandbox, client, "trade_updates"):
        # The subscription follows the connection; a second message proves that it has been taken.
        async with asyncio.timeout(WITHIN_S):
            placed = await order(sandbox, type="limit", limit_price="1")
            first: TradeUpdate = await heard.next()
            while first.event != TradeEvent.NEW:
                first = await heard.next()
        filled = await order(sandbox)
        updates = [await heard.next() for _ in range(3)]

    assert str(first.order.id) == placed["id"]
    assert [update.event for update in updates] == [TradeEvent.PENDING_NEW, TradeEvent.NEW, TradeEvent.FILL]
    assert {str(update.order.id) for update in updates} == {filled["id"]}
    fill = updates[-1]
    assert (fill.price, fill.qty, fill.order.status) == (190.02, 1.0, OrderStatus.FILLED)
    assert fill.position_qty is not None
    assert fill.position_qty >= 1


async def test_alpaca_pys_stock_stream_hears_quotes_and_trades(sandbox: SandboxProcess) -> None:
    heard = Heard()
    client = StockDataStream(KEY, SECRET, url_override=ws_url(sandbox, "/v2/iex"))
    client.subscribe_quotes(heard.handler, "AAPL")
    client.subscribe_trades(heard.handler, "AAPL")
    async with running(sandbox, client, "stocks"):
        trade, quote = await moved(sandbox, heard, "AAPL", bid="191.98", ask="192.02", last="192.00")

    assert isinstance(trade, Trade)
    assert isinstance(quote, Quote)
    assert (quote.symbol, quote.bid_price, quote.ask_price) == ("AAPL", 191.98, 192.02)
    assert (trade.price, trade.timestamp.year) == (192.0, 2026)


async def test_alpaca_pys_option_stream_hears_quotes_and_trades(sandbox: SandboxProcess) -> None:
    heard = Heard()
    client = OptionDataStream(KEY, SECRET, url_override=ws_url(sandbox, "/v1beta1/indicative"))
    client.subscribe_quotes(heard.handler, CONTRACT)
    client.subscribe_trades(heard.handler, CONTRACT)
    async with running(sandbox, client, "options"):
        trade, quote = await moved(sandbox, heard, CONTRACT, bid="10.95", ask="11.05", last="11.00")

    assert (quote.symbol, quote.bid_price, quote.ask_price) == (CONTRACT, 10.95, 11.05)
    assert trade.price == 11.0


async def test_alpaca_pys_stock_stream_hears_a_bar_when_a_minute_is_over(sandbox: SandboxProcess) -> None:
    heard = Heard()
    client = StockDataStream(KEY, SECRET, url_override=ws_url(sandbox, "/v2/iex"))
    client.subscribe_bars(heard.handler, "AAPL")
    await sandbox.set_clock(at="2026-11-24T15:00:30Z", freeze=True)
    async with running(sandbox, client, "stocks"):
        async with asyncio.timeout(WITHIN_S):
            while heard._events.empty():  # until the subscription is in force
                await sandbox.advance_clock(seconds=60)
        bar = await heard.next()

    assert isinstance(bar, Bar)
    assert (bar.symbol, bar.open, bar.close) == ("AAPL", 190.0, 190.0)
    assert (bar.timestamp.hour, bar.timestamp.second) == (15, 0)


async def moved(sandbox: SandboxProcess, heard: Heard, symbol: str, **quote: str) -> tuple[Any, Any]:
    """The trade and quote that a change of the market gives; sent again until the subscription is in force."""
    elsewhere = {"bid": "1", "ask": "2", "last": "1.5"}
    async with asyncio.timeout(WITHIN_S):
        while heard._events.empty():
            await sandbox.set_quotes({symbol: elsewhere})
            await sandbox.set_quotes({symbol: quote})
    while True:
        trade, then = await heard.next(), await heard.next()
        if isinstance(trade, Quote):
            trade, then = then, await heard.next()
        if then.bid_price == float(quote["bid"]):
            return trade, then


@asynccontextmanager
async def subscribed(
    sandbox: SandboxProcess, path: str = "/v2/iex", **channels: list[str]
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A bare client of the stock stream whose subscription is in force."""
    async with (
        aiohttp.ClientSession(headers=KEYS) as http,
        http.ws_connect(ws_url(sandbox, path)) as socket,
    ):
        for _ in range(2):
            await socket.receive(timeout=WITHIN_S)
        await socket.send_json({"action": "subscribe", **channels})
        (answer,) = await socket.receive_json(timeout=WITHIN_S)
        assert answer["T"] == "subscription"
        yield socket
    await connected(sandbox, "stocks", count=0)


async def bar_times(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[str]:
    """The minutes that so many bars are of, as hours and minutes of UTC."""
    frames = [await socket.receive_json(timeout=WITHIN_S) for _ in range(count)]
    assert [bar["T"] for (bar,) in frames] == ["b"] * count
    return [bar["t"][11:16] for (bar,) in frames]


async def test_a_bar_tells_what_its_minute_traded_at(sandbox: SandboxProcess) -> None:
    await sandbox.set_clock(at="2026-11-25T15:00:30Z", freeze=True)
    async with subscribed(sandbox, bars=["AAPL"]) as socket:
        for last in ("191", "195", "189", "192"):
            await sandbox.set_quotes({"AAPL": {"bid": last, "ask": last, "last": last}})
        await sandbox.set_quotes({"MSFT": {"bid": "300", "ask": "301"}})
        await sandbox.advance_clock(seconds=30)
        (bar,) = await socket.receive_json(timeout=WITHIN_S)

    assert (bar["T"], bar["S"], bar["t"]) == ("b", "AAPL", "2026-11-25T15:00:00Z")
    assert [bar[key] for key in ("o", "h", "l", "c")] == [191, 195, 189, 192]


async def test_a_jump_of_the_clock_sends_every_minute_of_the_session_that_it_completes(
    sandbox: SandboxProcess,
) -> None:
    await sandbox.set_clock(at="2026-11-25T20:57:30Z", freeze=True)
    async with subscribed(sandbox, bars=["AAPL"], quotes=["AAPL"]) as socket:
        await sandbox.advance_clock(seconds=15)
        await sandbox.advance_clock(seconds=60)
        first = await bar_times(socket, 1)
        await sandbox.advance_clock(seconds=3_600)
        rest = await bar_times(socket, 2)
        await sandbox.set_quotes({"AAPL": {"bid": "180"}})
        (quote,) = await socket.receive_json(timeout=WITHIN_S)

    assert first == ["20:57"]
    assert rest == ["20:58", "20:59"]
    assert quote["T"] == "q", "nothing trades after the close, so there is no bar"


async def test_bars_of_all_symbols_come_in_one_frame_and_end_with_the_subscription(
    sandbox: SandboxProcess,
) -> None:
    await sandbox.set_quotes({"MSFT": {"bid": "300", "ask": "301"}})
    await sandbox.set_clock(at="2026-11-25T16:00:00Z", freeze=True)
    async with subscribed(sandbox, bars=["*"], quotes=["AAPL"]) as socket:
        await sandbox.advance_clock(seconds=60)
        bars = await socket.receive_json(timeout=WITHIN_S)
        await socket.send_json({"action": "unsubscribe", "bars": ["*"]})
        await socket.receive_json(timeout=WITHIN_S)
        await sandbox.advance_clock(seconds=60)
        await sandbox.set_quotes({"AAPL": {"bid": "180"}})
        (quote,) = await socket.receive_json(timeout=WITHIN_S)

    assert {bar["S"] for bar in bars} == {"AAPL", "MSFT"}
    assert quote["T"] == "q"


async def test_a_running_clock_sends_bars_by_itself_and_a_clock_set_back_sends_none_twice(
    sandbox: SandboxProcess,
) -> None:
    await sandbox.set_clock(at="2026-11-25T17:00:50Z", freeze=True)
    async with subscribed(sandbox, bars=["AAPL"]) as socket:
        await sandbox.set_clock(speed=60)
        running = await bar_times(socket, 2)
        await sandbox.set_clock(at="2026-11-25T16:30:00Z", freeze=True)
        await sandbox.advance_clock(seconds=60)
        back = None
        while back != "16:30":  # some more minutes may have passed before the clock was set back
            (back,) = await bar_times(socket, 1)
            assert back == "16:30" or back > "17:01"

    assert running == ["17:00", "17:01"]


async def test_the_frames_of_the_trading_stream_are_binary_json_and_carry_the_whole_order(
    sandbox: SandboxProcess,
) -> None:
    async with listening(sandbox) as socket:
        placed = await order(sandbox)
        message = await receive(socket)

    assert message["stream"] == "trade_updates"
    assert message["data"]["order"]["id"] == placed["id"]
    assert message["data"]["order"]["client_order_id"] == placed["client_order_id"]


async def test_a_wrong_key_is_unauthorized_and_may_be_corrected(sandbox: SandboxProcess) -> None:
    async with aiohttp.ClientSession() as http, http.ws_connect(ws_url(sandbox, "/stream")) as socket:
        await socket.send_json({"action": "authenticate", "data": {"key_id": KEY, "secret_key": "wrong"}})
        refused = await receive(socket)
        await socket.send_json({"action": "auth", "key": KEY, "secret": SECRET})
        taken = await receive(socket)

    assert refused["data"] == {"status": "unauthorized", "action": "authenticate"}
    assert taken == {"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}}


async def test_a_second_connection_of_an_account_ends_the_first(sandbox: SandboxProcess) -> None:
    async with listening(sandbox) as first, listening(sandbox) as second:
        ended = await first.receive(timeout=WITHIN_S)
        await order(sandbox)
        heard = await events(second, 1)

    assert ended.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    assert heard == ["pending_new"]


async def test_a_second_data_connection_is_refused_with_406(sandbox: SandboxProcess) -> None:
    url = ws_url(sandbox, "/v2/iex")
    async with aiohttp.ClientSession(headers=KEYS) as http, http.ws_connect(url) as first:
        greeting = [await first.receive_json(timeout=WITHIN_S) for _ in range(2)]
        async with http.ws_connect(url) as second:
            answers = [await second.receive_json(timeout=WITHIN_S) for _ in range(3)]

    assert greeting == [
        [{"T": "success", "msg": "connected"}],
        [{"T": "success", "msg": "authenticated"}],
    ]
    assert answers[2] == [{"T": "error", "code": 406, "msg": "connection limit exceeded"}]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"action": "auth", "key": KEY, "secret": "wrong"}, 402),
        ({"action": "subscribe", "trades": ["AAPL"]}, 401),
        ("no object", 401),
    ],
    ids=["wrong secret", "no auth", "nonsense"],
)
async def test_who_does_not_authenticate_is_told_so(
    sandbox: SandboxProcess, message: object, code: int
) -> None:
    async with aiohttp.ClientSession() as http, http.ws_connect(ws_url(sandbox, "/v2/iex")) as socket:
        await socket.receive_json(timeout=WITHIN_S)
        await socket.send_json(message)
        answer = await socket.receive_json(timeout=WITHIN_S)

    assert answer[0]["code"] == code


async def test_option_frames_are_msgpack_with_time_stamps(sandbox: SandboxProcess) -> None:
    url = ws_url(sandbox, "/v1beta1/opra")
    async with aiohttp.ClientSession(headers=KEYS) as http, http.ws_connect(url) as socket:
        for _ in range(2):
            await socket.receive_bytes(timeout=WITHIN_S)
        await socket.send_bytes(msgpack.packb({"action": "subscribe", "quotes": ["*"]}))
        subscribed = msgpack.unpackb(await socket.receive_bytes(timeout=WITHIN_S))
        await sandbox.set_quotes({CONTRACT: {"bid": "12.00"}})
        (quote,) = msgpack.unpackb(await socket.receive_bytes(timeout=WITHIN_S))

    assert subscribed == [{"T": "subscription", "trades": [], "quotes": ["*"]}]
    assert (quote["T"], quote["S"], quote["bp"]) == ("q", CONTRACT, 12)
    assert isinstance(quote["t"], msgpack.Timestamp)


@pytest.mark.parametrize(
    ("fault", "heard"),
    [
        (None, ["pending_new", "new", "fill"]),
        ("duplicate", ["pending_new", "pending_new", "new", "fill"]),
        ("swap", ["new", "pending_new", "fill"]),
        ("drop", ["new", "fill"]),
    ],
    ids=["none", "duplicate", "swap", "drop"],
)
async def test_events_come_twice_in_the_wrong_order_or_never_on_demand(
    sandbox: SandboxProcess, fault: str | None, heard: list[str]
) -> None:
    async with listening(sandbox) as socket:
        if fault is not None:
            await sandbox.add_stream_fault({"action": fault, "account": "s"})
        await order(sandbox)

        assert await events(socket, len(heard)) == heard


async def test_a_cut_ends_the_connection_without_a_closing_handshake(sandbox: SandboxProcess) -> None:
    async with listening(sandbox) as socket:
        answer = await sandbox.add_stream_fault({"action": "cut", "account": "s"})
        ended = await socket.receive(timeout=WITHIN_S)

    assert answer == {"cut": 1}
    assert ended.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    assert socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE


async def test_a_bracket_tells_of_its_exits_by_their_group(sandbox: SandboxProcess) -> None:
    async with listening(sandbox) as socket:
        placed = await order(
            sandbox,
            order_class="bracket",
            take_profit={"limit_price": "200"},
            stop_loss={"stop_price": "180"},
        )
        messages = [await receive(socket) for _ in range(4)]

    roles = [message["data"]["order"]["group_role"] for message in messages]
    assert roles == ["entry", "entry", "entry", "take_profit"]
    assert {message["data"]["order"]["group_id"] for message in messages} == {placed["group_id"]}
    assert messages[0]["data"]["order"]["legs"] is None
