"""Serves a sandbox on a socket, as a context or until a signal ends the process."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from sandbox.app import create_app
from sandbox.state import Sandbox

_SHUTDOWN_S = 1.0


@asynccontextmanager
async def serving(sandbox: Sandbox, *, host: str, port: int) -> AsyncIterator[str]:
    """The URL at which the sandbox answers for as long as the context lasts; port 0 takes a free one.

    Raises:
        OSError: the address cannot be bound.
    """
    runner = web.AppRunner(
        create_app(sandbox), access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_S
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, reuse_port=False)
        await site.start()
        name = runner.addresses[0]
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{name[1]}"
    finally:
        await runner.cleanup()


async def serve_until_signal(sandbox: Sandbox, *, host: str, port: int) -> None:
    """Serve, say where on standard output, and return after SIGTERM or SIGINT."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with serving(sandbox, host=host, port=port) as url:
        print(f"sandbox listening on {url}", flush=True)
        await ended.wait()
