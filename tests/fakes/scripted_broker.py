"""A server on a loopback socket that answers, byte for byte, what a test tells it to."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

__all__ = ["ReceivedRequest", "ScriptedBroker", "cut", "hang", "reply", "truncated"]

_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """One request as it came over the wire."""

    method: str
    target: str
    """Path and query, still encoded."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    connection: int
    """Which connection it came on, counted from 0."""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server does with one request."""

    data: bytes = b""
    keep_open: bool = True
    hang: bool = False


Script = Callable[[ReceivedRequest], Answer]


def reply(
    status: int = 200, body: object = None, headers: Iterable[tuple[str, str]] = (), *, keep_open: bool = True
) -> Answer:
    """A complete answer; a body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Answer(data=_head(status, len(content), headers) + content, keep_open=keep_open)


def truncated(status: int, body: object) -> Answer:
    """Announces a whole body and ends the connection half way through it."""
    content = json.dumps(body).encode()
    return Answer(data=_head(status, len(content), ()) + content[: len(content) // 2], keep_open=False)


def cut() -> Answer:
    """Ends the connection without a byte of answer."""
    return Answer(keep_open=False)


def hang() -> Answer:
    """Keeps the connection open and never answers."""
    return Answer(hang=True)


def _head(status: int, length: int, headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {length}", *(f"{k}: {v}" for k, v in headers)]
    return "\r\n".join([*lines, "", ""]).encode()


@dataclass
class ScriptedBroker:
    """Answers each request by `script`, and keeps what it received."""

    script: Script = field(default=lambda _request: reply(404, {"code": 40410000, "message": "not found"}))
    received: list[ReceivedRequest] = field(default_factory=list)
    url: str = ""
    _connections: int = 0
    _handlers: set[asyncio.Task[None]] = field(default_factory=set)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for handler in self._handlers:
            handler.cancel()
        if self._handlers:
            await asyncio.wait(self._handlers)
        await self._server.wait_closed()

    def answers(self, *answers: Answer) -> None:
        """One answer a request, in this order; a request beyond them gets a 500."""
        rest = iter(answers)
        self.script = lambda _request: next(rest, reply(500, {"message": "no answer left in the script"}))

    def of(self, method: str) -> list[ReceivedRequest]:
        """The requests received with this method."""
        return [request for request in self.received if request.method == method]

    async def wait_for_requests(self, count: int) -> None:
        """Returns once so many have arrived."""
        async with asyncio.timeout(_PATIENCE_SECONDS), self._news:
            await self._news.wait_for(lambda: len(self.received) >= count)

    def json_of(self, index: int) -> Any:
        """The decoded body of one request."""
        return json.loads(self.received[index].body)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        number, self._connections = self._connections, self._connections + 1
        try:
            while await self._answer_one(number, reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            self._handlers.discard(task)
            writer.close()

    async def _answer_one(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        request = await _read_request(number, reader)
        self.received.append(request)
        answer = self.script(request)
        async with self._news:
            self._news.notify_all()
        if answer.hang:
            await reader.read()  # until the client leaves
            return False
        writer.write(answer.data)
        await writer.drain()
        return answer.keep_open


async def _read_request(number: int, reader: asyncio.StreamReader) -> ReceivedRequest:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _version = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return ReceivedRequest(method=method, target=target, headers=headers, body=body, connection=number)
