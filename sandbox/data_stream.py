"""The market-data WebSockets: /v2/{feed} for stocks and /v1beta1/{feed} for options."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgpack  # type: ignore[import-untyped] # the package has no types
from aiohttp import WSMsgType, web

from sandbox import market_json
from sandbox.accounts import Account
from sandbox.errors import AlpacaError
from sandbox.instant import SECOND, Instant, rfc3339
from sandbox.instruments import OptionContract
from sandbox.quotes import Quote
from sandbox.state import Sandbox
from sandbox.stream_hub import Connection, Frame, Message, StampedEvent, StreamKind
from sandbox.trade_stream import decoded

_AUTH_WITHIN_S = 10.0
_WRONG_KEY = 401
_STOCK_CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
_OPTION_CHANNELS = ("trades", "quotes")

Json = dict[str, object]


@dataclass(slots=True, kw_only=True)
class _Subscription:
    channels: tuple[str, ...]
    symbols: dict[str, set[str]] = field(default_factory=dict)

    def wants(self, channel: str, symbol: str) -> bool:
        wanted = self.symbols.get(channel, ())
        return symbol in wanted or "*" in wanted

    def change(self, message: Json, *, add: bool) -> None:
        for channel in self.channels:
            named = message.get(channel)
            if isinstance(named, list):
                known = self.symbols.setdefault(channel, set())
                symbols = {str(each) for each in named}
                known |= symbols if add else set()
                known -= set() if add else symbols

    def shown(self) -> Json:
        return {
            "T": "subscription",
            **{channel: sorted(self.symbols.get(channel, ())) for channel in self.channels},
        }


def announce_quotes(sandbox: Sandbox) -> Callable[[str, Quote, Quote | None], None]:
    """A listener that tells the data streams of new quotes and trades."""
    hub, exchange = sandbox.streams, sandbox.exchange

    def tell(symbol: str, quote: Quote, old: Quote | None) -> None:
        if hub.is_idle:
            return
        option = isinstance(exchange.instrument(symbol), OptionContract)
        kind = StreamKind.OPTIONS if option else StreamKind.STOCKS
        trade = market_json.option_trade_json if option else market_json.stock_trade_json
        touch = market_json.option_quote_json if option else market_json.stock_quote_json
        if old is None or quote.last != old.last:
            event = StampedEvent(fields={"T": "t", "S": symbol, **trade(quote, quote.at)}, at=quote.at)
            hub.publish(kind, event, channel="trades", symbol=symbol)
        if old is None or (quote.bid, quote.ask) != (old.bid, old.ask):
            event = StampedEvent(fields={"T": "q", "S": symbol, **touch(quote, quote.at)}, at=quote.at)
            hub.publish(kind, event, channel="quotes", symbol=symbol)

    return tell


def data_stream(
    sandbox: Sandbox, kind: StreamKind
) -> Callable[[web.Request], Awaitable[web.WebSocketResponse]]:
    """The aiohttp handler of one data stream. Options speak msgpack only, stocks what the client's header says."""
    channels = _OPTION_CHANNELS if kind is StreamKind.OPTIONS else _STOCK_CHANNELS

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        packed = kind is StreamKind.OPTIONS or request.headers.get("Content-Type") == "application/msgpack"
        encode = _packed if packed else _text
        await _send(socket, encode([{"T": "success", "msg": "connected"}]))
        account = await _authenticated(sandbox, request, socket, encode)
        if account is not None:
            await _serve_account(sandbox, account, socket, kind=kind, encode=encode, channels=channels)
        await socket.close()
        return socket

    return serve


async def _serve_account(
    sandbox: Sandbox,
    account: Account,
    socket: web.WebSocketResponse,
    *,
    kind: StreamKind,
    encode: Callable[[Message], Frame],
    channels: tuple[str, ...],
) -> None:
    hub, name = sandbox.streams, account.terms.name
    if any(True for _ in hub.connections(kind, name)):
        await _send(socket, encode([_error(406, "connection limit exceeded")]))
        return
    subscription = _Subscription(channels=channels)
    connection = Connection(kind=kind, account=name, socket=socket, encode=encode, wants=subscription.wants)
    hub.add(connection)
    sender = asyncio.create_task(connection.send_all())
    try:
        while (message := await _receive(socket)) is not None:
            # The minutes that are over by now are not what is being subscribed to.
            sandbox.now()
            connection.put(encode([_answer(message, subscription)]))
            hub.stir()
    finally:
        hub.remove(connection)
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)


async def _authenticated(
    sandbox: Sandbox, request: web.Request, socket: web.WebSocketResponse, encode: Callable[[Message], Frame]
) -> Account | None:
    """The account that the headers or the first message name; None after an answer that says why not."""
    door = sandbox.authenticate(request.headers)
    if isinstance(door, AlpacaError):
        try:
            async with asyncio.timeout(_AUTH_WITHIN_S):
                message = await _receive(socket)
        except TimeoutError:
            await _send(socket, encode([_error(404, "auth timeout")]))
            return None
        if message is None:
            return None
        door = _account_of(sandbox, message)
    if isinstance(door, AlpacaError):
        code, words = (402, "auth failed") if door.status == _WRONG_KEY else (401, "not authenticated")
        await _send(socket, encode([_error(code, words)]))
        return None
    await _send(socket, encode([{"T": "success", "msg": "authenticated"}]))
    return door


def _account_of(sandbox: Sandbox, message: Json) -> Account | AlpacaError:
    keys = message if message.get("action") == "auth" else {}
    return sandbox.authenticate(
        {
            "APCA-API-KEY-ID": str(keys.get("key") or ""),
            "APCA-API-SECRET-KEY": str(keys.get("secret") or ""),
        }
    )


def _answer(message: Json, subscription: _Subscription) -> Json:
    match message.get("action"):
        case "subscribe":
            subscription.change(message, add=True)
            return subscription.shown()
        case "unsubscribe":
            subscription.change(message, add=False)
            return subscription.shown()
        case "auth":
            return _error(403, "already authenticated")
        case _:
            return _error(400, "invalid syntax")


def _error(code: int, words: str) -> Json:
    return {"T": "error", "code": code, "msg": words}


def _packed(message: Message) -> bytes:
    return bytes(msgpack.packb(_stamped(message, lambda at: msgpack.Timestamp(at // SECOND, at % SECOND))))


def _text(message: Message) -> str:
    return json.dumps(_stamped(message, rfc3339), separators=(",", ":"))


def _stamped(message: Message, written: Callable[[Instant], object]) -> list[object]:
    """The frame's array, the time of each event in the codec's form."""
    events = message if isinstance(message, list) else [message]
    return [
        {**each.fields, "t": written(each.at)} if isinstance(each, StampedEvent) else each for each in events
    ]


async def _send(socket: web.WebSocketResponse, frame: Frame) -> None:
    if isinstance(frame, str):
        await socket.send_str(frame)
    else:
        await socket.send_bytes(frame)


async def _receive(socket: web.WebSocketResponse) -> Json | None:
    received = await socket.receive()
    if received.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
        return None
    return decoded(received.data)
