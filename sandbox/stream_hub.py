"""The open WebSocket connections, what they are told, and the faults planted on the way."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from aiohttp import web

from sandbox.instant import Instant

# A client that reads so slowly is cut off, as Alpaca does (its error 407).
_LONGEST_BACKLOG = 10_000

Frame = str | bytes
Message = object


class StreamKind(Enum):
    """Which of the exchange's streams a connection is on."""

    TRADE_UPDATES = "trade_updates"
    STOCKS = "stocks"
    OPTIONS = "options"


class StreamFault(Enum):
    """What happens to an event on its way."""

    DUPLICATE = "duplicate"  # it arrives twice
    SWAP = "swap"  # it arrives after the one that follows it
    DROP = "drop"  # it never arrives


@dataclass(frozen=True, slots=True, kw_only=True)
class StampedEvent:
    """An event whose time is written as the frame's codec wants it."""

    fields: dict[str, object]
    at: Instant


@dataclass(slots=True, kw_only=True)
class StreamFaultRule:
    """A fault on the next `times` events of a stream, of one account's or all."""

    fault: StreamFault
    kind: StreamKind
    account: str | None
    times: int


@dataclass(slots=True, kw_only=True, eq=False)
class Connection:
    """One authenticated client; `encode` turns an event into the frame it understands."""

    kind: StreamKind
    account: str
    socket: web.WebSocketResponse
    encode: Callable[[Message], Frame]
    wants: Callable[[str, str], bool]
    backlog: asyncio.Queue[Frame | None] = field(
        default_factory=lambda: asyncio.Queue(maxsize=_LONGEST_BACKLOG)
    )
    swapped: Frame | None = None

    def put(self, frame: Frame | None) -> None:
        """Queue a frame; None ends the connection, as does a backlog that is too long."""
        try:
            self.backlog.put_nowait(frame)
        except asyncio.QueueFull:
            abort(self.socket)

    async def send_all(self) -> None:
        """Send what is queued until the end."""
        while (frame := await self.backlog.get()) is not None:
            if isinstance(frame, str):
                await self.socket.send_str(frame)
            else:
                await self.socket.send_bytes(frame)
        await self.socket.close()


class StreamHub:
    """Every open connection. Publishing costs nothing while there are none."""

    def __init__(self) -> None:
        self._connections: set[Connection] = set()
        self._faults: list[StreamFaultRule] = []
        self._stirred = asyncio.Event()

    @property
    def is_idle(self) -> bool:
        """Whether nobody listens."""
        return not self._connections

    def add(self, connection: Connection) -> None:
        """Take in a client that has authenticated."""
        self._connections.add(connection)
        self.stir()

    def remove(self, connection: Connection) -> None:
        """Forget a client that has gone."""
        self._connections.discard(connection)

    def connections(self, kind: StreamKind | None, account: str | None) -> Iterator[Connection]:
        """Those of a stream and an account; None means all."""
        for each in tuple(self._connections):
            if kind in (None, each.kind) and account in (None, each.account):
                yield each

    def add_fault(self, rule: StreamFaultRule) -> None:
        """Plant a fault behind those that wait."""
        self._faults.append(rule)

    def clear_faults(self) -> None:
        """Drop every fault; events that wait to be swapped are sent."""
        self._faults.clear()
        for connection in self._connections:
            _flush(connection)

    def cut(self, kind: StreamKind | None, account: str | None) -> int:
        """Cut connections without a closing handshake; how many there were."""
        cut = [*self.connections(kind, account)]
        for connection in cut:
            abort(connection.socket)
            self._connections.discard(connection)
        return len(cut)

    def publish(
        self, kind: StreamKind, message: Message, *, account: str | None = None, channel: str, symbol: str
    ) -> None:
        """Tell everybody on a stream who wants to know."""
        listeners = [each for each in self.connections(kind, account) if each.wants(channel, symbol)]
        if not listeners:
            return
        fault = self._take_fault(kind, account)
        for connection in listeners:
            _deliver(connection, connection.encode(message), fault)

    def publish_batch(self, kind: StreamKind, events: Mapping[str, Message], *, channel: str) -> None:
        """Tell everybody on a stream of the symbols they want to know about, in one frame each."""
        wanted = {
            each: [event for symbol, event in events.items() if each.wants(channel, symbol)]
            for each in self.connections(kind, None)
        }
        if not any(wanted.values()):
            return
        fault = self._take_fault(kind, None)
        for connection, told in wanted.items():
            if told:
                _deliver(connection, connection.encode(told), fault)

    def stir(self) -> None:
        """Let the pacemaker look again at what falls due next."""
        self._stirred.set()

    async def stirred(self, timeout_s: float | None) -> None:
        """Return when stirred, or after `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._stirred.wait()
        except TimeoutError:
            return
        self._stirred.clear()

    def _take_fault(self, kind: StreamKind, account: str | None) -> StreamFault | None:
        for rule in self._faults:
            if rule.kind is kind and rule.account in (None, account):
                rule.times -= 1
                if rule.times <= 0:
                    self._faults.remove(rule)
                return rule.fault
        return None


def abort(socket: web.WebSocketResponse) -> None:
    """End the connection under a WebSocket, without its closing handshake."""
    transport = socket._req.transport if socket._req is not None else None  # noqa: SLF001 - aiohttp has no public way
    if transport is not None:
        transport.abort()


def _deliver(connection: Connection, frame: Frame, fault: StreamFault | None) -> None:
    if fault is StreamFault.DROP:
        return
    if fault is StreamFault.SWAP and connection.swapped is None:
        connection.swapped = frame
        return
    connection.put(frame)
    if fault is StreamFault.DUPLICATE:
        connection.put(frame)
    _flush(connection)


def _flush(connection: Connection) -> None:
    if connection.swapped is not None:
        connection.put(connection.swapped)
        connection.swapped = None
