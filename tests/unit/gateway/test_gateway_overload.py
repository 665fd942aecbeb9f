"""How many requests may be under way at once, and what the next one is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from gateway.overload import BUSY, AtMost
from gateway.transcoding.asgi import Event, Receive, Scope, Send
from gateway.visit import Visit, use_visit


@dataclass(slots=True)
class SlowApp:
    """Answers nothing until it is told to go on."""

    arrived: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        self.arrived.release()
        await self.go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


async def ask(app: AtMost, path: str) -> list[Event]:
    sent: list[Event] = []

    async def send(event: Event) -> None:
        sent.append(event)

    async def receive() -> Event:
        return {"type": "http.request"}

    with use_visit(Visit(started=0.0)):
        await app({"type": "http", "method": "GET", "path": path}, receive, send)
    return sent


@asynccontextmanager
async def full(slow: SlowApp, app: AtMost) -> AsyncIterator[None]:
    """Two requests are under way until the block ends, and are answered then."""
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        asking = [group.create_task(ask(app, "/api/v1/orders")) for _ in range(2)]
        for _ in asking:
            await slow.arrived.acquire()
        yield
        slow.go_on.set()
    assert [events[0]["status"] for events in map(asyncio.Task.result, asking)] == [200, 200]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/orders", {"detail": BUSY}),
        ("/v1/accounts", {"code": 14, "message": BUSY, "details": []}),
    ],
    ids=["legacy", "v1"],
)
async def test_one_too_many_is_told_to_come_back(path: str, body: object) -> None:
    slow = SlowApp()
    app = AtMost(slow, limit=2)
    async with full(slow, app):
        start, end = await ask(app, path)

    assert start["status"] == 503
    assert (b"retry-after", b"1") in start["headers"]
    assert json.loads(end["body"]) == body


async def test_a_place_is_free_again_once_its_request_has_ended() -> None:
    slow = SlowApp()
    app = AtMost(slow, limit=2)
    async with full(slow, app):
        pass

    assert (await ask(app, "/api/v1/orders"))[0]["status"] == 200


async def test_a_place_is_free_again_after_a_failure() -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ConnectionResetError

    app = AtMost(broken, limit=1)
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            await ask(app, "/v1/accounts")


async def test_a_busy_process_is_still_alive() -> None:
    slow = SlowApp()
    app = AtMost(slow, limit=2, always={"/livez"})
    async with full(slow, app):
        probe = asyncio.create_task(ask(app, "/livez"))
        await slow.arrived.acquire()

    assert (await probe)[0]["status"] == 200
