"""Ends the work for a client that has gone away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from gateway.transcoding.asgi import Receive
from gateway.transcoding.failure import ClientGoneError


@asynccontextmanager
async def cancelled_on_disconnect(receive: Receive) -> AsyncIterator[None]:
    """Cancel the block when the client closes its connection, and raise ClientGoneError in its place.

    Use it once the request's body is read: it takes whatever `receive` has next.
    """
    working = asyncio.current_task()
    if working is None:
        raise AssertionError("runs inside a task")
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        working.cancel()

    watcher = asyncio.create_task(watch(), name="watch for disconnect")
    try:
        yield
    except asyncio.CancelledError:
        if gone and working.uncancel() == 0:
            raise ClientGoneError from None
        raise
    finally:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher
