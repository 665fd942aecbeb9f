"""From start to exit code: open, serve until a signal, drain, close."""

import asyncio
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Final, Protocol

from loguru import logger

from runtime.errors import StartupError
from runtime.signals import stop_on_signals

DEFAULT_GRACE_SECONDS: Final = 20.0
EXIT_OK: Final = 0
EXIT_FAILED: Final = 1


class Running(Protocol):
    """A started service, as far as its lifecycle is concerned; GrpcServer is one."""

    async def stop(self, grace_seconds: float) -> None:
        """NOT_SERVING, accept nothing new, return when what is under way has ended or after the grace."""
        ...


App = AbstractAsyncContextManager[Running]
"""Opens everything on enter, SERVING last; closes in reverse on exit, after the drain.

Usually an `asynccontextmanager` function holding an AsyncExitStack. A failure while serving
belongs in a TaskGroup inside it: that cancels the wait, closes everything and ends with exit code 1.
"""


def run(app: App, *, service: str, grace_seconds: float = DEFAULT_GRACE_SECONDS) -> int:
    """Runs a service in this process and returns its exit code: 0 after a drain, 1 after a failure.

    The first SIGTERM or SIGINT drains, a second one ends the process at once.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(serve(app, service=service, grace_seconds=grace_seconds))


async def serve(
    app: App,
    *,
    service: str,
    grace_seconds: float = DEFAULT_GRACE_SECONDS,
    stop: asyncio.Event | None = None,
    end_now: Callable[[int], None] = os._exit,
) -> int:
    """The same inside a loop of the caller's; `stop` ends it like a signal."""
    stopping = stop or asyncio.Event()
    try:
        with stop_on_signals(asyncio.get_running_loop(), stopping, end_now=end_now):
            await _serve_until(stopping, app, service, grace_seconds)
    except StartupError as error:
        logger.error(f"{service} cannot start: {error}")
        return EXIT_FAILED
    except Exception:  # noqa: BLE001 - the top of the process: the exit code is all that is left to tell
        logger.exception(f"{service} failed")
        return EXIT_FAILED
    logger.info(f"{service} stopped")
    return EXIT_OK


async def _serve_until(stopping: asyncio.Event, app: App, service: str, grace_seconds: float) -> None:
    logger.info(f"{service} starting")
    async with AsyncExitStack() as stack:
        running = await _open(app, stack, stopping)
        if running is None:
            logger.info(f"{service} was told to stop before it had started")
            return
        logger.info(f"{service} serving")
        await stopping.wait()
        logger.info(f"{service} draining, at most {grace_seconds:g} s")
        await running.stop(grace_seconds)


async def _open(app: App, stack: AsyncExitStack, stopping: asyncio.Event) -> Running | None:
    """The opened app, or `None` where a signal came first: a long recovery must not hold up a stop."""
    opening = asyncio.timeout(None)
    try:
        async with opening:
            watch = asyncio.create_task(_expire_on(stopping, opening))
            try:
                return await stack.enter_async_context(app)
            finally:
                watch.cancel()
    except TimeoutError:
        if not opening.expired():
            raise
        return None


async def _expire_on(stopping: asyncio.Event, opening: asyncio.Timeout) -> None:
    await stopping.wait()
    opening.reschedule(asyncio.get_running_loop().time())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        # Absent on Windows, where the standard loop does.
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
