"""Ends the work for a client that has gone away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from types import TracebackType

from gateway.transcoding.asgi import Receive
from gateway.transcoding.failure import ClientGoneError

ON_DISCONNECT = "transcoding.on_disconnect"
"""The ASGI extension by which a server tells of a lost connection without being asked by a task."""

Watch = Callable[[Callable[[], None]], Callable[[], None]]
"""Calls back, from the loop, when the client has gone; what it returns ends that."""


def cancelled_on_disconnect(
    receive: Receive, watch: Watch | None = None
) -> AbstractAsyncContextManager[None]:
    """Cancel the block when the client closes its connection, and raise ClientGoneError in its place.

    Use it once the request's body is read: without a `watch` it takes whatever `receive` has next.
    """
    return _asked(receive) if watch is None else _Told(watch)


class _Told:
    """The block of a server that calls back; costs no task."""

    __slots__ = ("_gone", "_unwatch", "_watch", "_working")

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._gone = False

    async def __aenter__(self) -> None:
        self._working = _current_task()
        self._unwatch = self._watch(self._cancel)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unwatch()
        if self._gone and isinstance(error, asyncio.CancelledError) and self._working.uncancel() == 0:
            raise ClientGoneError from None

    def _cancel(self) -> None:
        self._gone = True
        self._working.cancel()


@asynccontextmanager
async def _asked(receive: Receive) -> AsyncIterator[None]:
    working = _current_task()
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


def _current_task() -> asyncio.Task[object]:
    working = asyncio.current_task()
    if working is None:
        raise AssertionError("runs inside a task")
    return working
