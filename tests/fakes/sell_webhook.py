"""A webhook as a real HTTP server: keeps what it is sent, and can be slow, busy or broken."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from fakes.sell_world import Visits


class Webhook:
    """What was posted and how to answer."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[Any] = []
        self.answers: list[web.Response] = []
        """Taken one by one; 204 when there is none."""
        self.gate = asyncio.Event()
        self.gate.set()
        self.visits = Visits()

    @property
    def titles(self) -> list[str]:
        """Of every notice that came, in order."""
        return [one["title"] for body in self.bodies for one in body["embeds"]]

    async def answer(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        await self.visits.note("post")
        await self.gate.wait()
        return self.answers.pop(0) if self.answers else web.Response(status=204)


@asynccontextmanager
async def webhook() -> AsyncIterator[Webhook]:
    """Listens on loopback."""
    made = Webhook()
    application = web.Application()
    application.router.add_post("/hook", made.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        made.url = f"http://{host}:{port}/hook"
        yield made
    finally:
        made.gate.set()
        await runner.cleanup()
