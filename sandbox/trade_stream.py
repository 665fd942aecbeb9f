"""The trading WebSocket, /stream: what happens to an account's orders, as it happens."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from uuid import uuid4

import msgpack  # type: ignore[import-untyped] # the package has no types
from aiohttp import WSMsgType, web

from sandbox.accounts import Account
from sandbox.decimal_text import plain
from sandbox.errors import AlpacaError
from sandbox.instant import rfc3339
from sandbox.orders import Order, OrderStatus, Transition
from sandbox.state import Sandbox
from sandbox.stream_hub import Connection, Frame, Message, StreamHub, StreamKind
from sandbox.trading_json import order_json

_STREAM = StreamKind.TRADE_UPDATES.value
_AUTH_WITHIN_S = 10.0

Json = dict[str, object]


def announce_orders(sandbox: Sandbox) -> Callable[[Order, Transition], None]:
    """A listener that tells an account's connection what happens to its orders."""
    hub, exchange = sandbox.streams, sandbox.exchange

    def tell(order: Order, transition: Transition) -> None:
        if hub.is_idle or order.strategy is not None or transition.status is OrderStatus.HELD:
            return
        held = exchange.accounts[order.account].position_qty(order.symbol)
        update = {"stream": _STREAM, "data": _update(order, transition, plain(held))}
        hub.publish(
            StreamKind.TRADE_UPDATES, update, account=order.account, channel=_STREAM, symbol=order.symbol
        )

    return tell


def trade_stream(sandbox: Sandbox) -> Callable[[web.Request], Awaitable[web.WebSocketResponse]]:
    """The aiohttp handler of /stream. An account has one connection: a second one ends the first."""

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        encode = _encoder(request.headers)
        account = await _authenticated(sandbox, request, socket, encode)
        if account is None:
            await socket.close()
            return socket
        await _serve_account(sandbox.streams, account, socket, encode)
        return socket

    return serve


async def _authenticated(
    sandbox: Sandbox, request: web.Request, socket: web.WebSocketResponse, encode: Callable[[Message], Frame]
) -> Account | None:
    """The account that the headers or the first messages name; each attempt is answered."""
    door = sandbox.authenticate(request.headers)
    try:
        async with asyncio.timeout(_AUTH_WITHIN_S):
            while isinstance(door, AlpacaError):
                message = await _receive(socket)
                if message is None:
                    return None
                door = _account_of(sandbox, message)
                status = "unauthorized" if isinstance(door, AlpacaError) else "authorized"
                await _send(socket, encode(_authorization(status)))
    except TimeoutError:
        return None
    return door


async def _serve_account(
    hub: StreamHub, account: Account, socket: web.WebSocketResponse, encode: Callable[[Message], Frame]
) -> None:
    streams: set[str] = set()
    connection = Connection(
        kind=StreamKind.TRADE_UPDATES,
        account=account.terms.name,
        socket=socket,
        encode=encode,
        wants=lambda channel, _: channel in streams,
    )
    for older in hub.connections(StreamKind.TRADE_UPDATES, account.terms.name):
        older.put(None)
        hub.remove(older)
    hub.add(connection)
    sender = asyncio.create_task(connection.send_all())
    try:
        while (message := await _receive(socket)) is not None:
            _obey(message, streams, connection)
    finally:
        hub.remove(connection)
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)


def _obey(message: Json, streams: set[str], connection: Connection) -> None:
    """`listen` names the whole set of streams, an empty one stops them."""
    if message.get("action") == "listen":
        data = message.get("data")
        wanted = data.get("streams") if isinstance(data, dict) else None
        streams.clear()
        if isinstance(wanted, list):
            streams.update(str(each) for each in wanted if each == _STREAM)
        listening = {"stream": "listening", "data": {"streams": sorted(streams)}}
        connection.put(connection.encode(listening))
    elif message.get("action") in ("authenticate", "auth"):
        connection.put(connection.encode(_authorization("authorized")))
    else:
        connection.put(connection.encode({"stream": "error", "data": {"error": "invalid action"}}))


def _authorization(status: str) -> Json:
    return {"stream": "authorization", "data": {"status": status, "action": "authenticate"}}


def _account_of(sandbox: Sandbox, message: Json) -> Account | AlpacaError:
    """Both forms are in use: the keys inside `data`, or beside the action as on the data streams."""
    data = message.get("data")
    keys = data if isinstance(data, dict) else message
    return sandbox.authenticate(
        {
            "APCA-API-KEY-ID": str(keys.get("key_id") or keys.get("key") or ""),
            "APCA-API-SECRET-KEY": str(keys.get("secret_key") or keys.get("secret") or ""),
        }
    )


def _update(order: Order, transition: Transition, position_qty: str) -> Json:
    update: Json = {
        "event": _event(transition),
        # Alpaca fills `legs` here for multi-leg orders only; a group is known by its group_id.
        "order": order_json(order, nested=bool(order.strategy_legs)),
        "timestamp": rfc3339(transition.at),
        "execution_id": str(uuid4()),
    }
    if transition.qty is not None and transition.price is not None:
        update |= {
            "qty": plain(transition.qty),
            "price": plain(transition.price),
            "position_qty": position_qty,
        }
    return update


def _event(transition: Transition) -> str:
    if transition.event == "accepted" and transition.status is OrderStatus.PENDING_NEW:
        return "pending_new"
    return transition.event


def _encoder(headers: Mapping[str, str]) -> Callable[[Message], Frame]:
    """Msgpack for who asks for it; else JSON in binary frames, as the paper server sends it."""
    if headers.get("Content-Type") == "application/msgpack":
        return lambda message: bytes(msgpack.packb(message))
    return lambda message: json.dumps(message, separators=(",", ":")).encode()


async def _send(socket: web.WebSocketResponse, frame: Frame) -> None:
    if isinstance(frame, str):
        await socket.send_str(frame)
    else:
        await socket.send_bytes(frame)


async def _receive(socket: web.WebSocketResponse) -> Json | None:
    """The next message that is an object, {} for one that is none, None at the end."""
    received = await socket.receive()
    if received.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
        return None
    return decoded(received.data)


def decoded(frame: Frame) -> Json:
    """The object in a frame, JSON or msgpack; {} when there is none."""
    value: object
    try:
        value = json.loads(frame)
    except (ValueError, RecursionError):
        value = None
        if isinstance(frame, bytes):
            try:
                value = msgpack.unpackb(frame)
            except (ValueError, msgpack.exceptions.UnpackException):
                value = None
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else {}
