"""Work that a request starts and does not wait for: owned by the process, ended with it."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Self

from loguru import logger


class Background:
    """Runs coroutines until they end or, on leaving the `async with`, are cancelled."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None], *, name: str) -> None:
        """Runs it in a context of its own: it outlives the request that asked for it."""
        task = asyncio.create_task(_logged(work, name), name=name, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)


async def _logged(work: Coroutine[None, None, None], name: str) -> None:
    try:
        await work
    except Exception:  # noqa: BLE001 - the top of a task: nobody waits for it who could hear of it
        logger.exception(f"{name} failed")
