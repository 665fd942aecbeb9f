"""Tasks that outlive the call that started them, and end with the service."""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Self, TypeVar

from loguru import logger

T = TypeVar("T")


class OwnedTasks:
    """Runs tasks until they end; `async with` waits for the rest at most `grace_seconds`, then cancels them."""

    def __init__(self, *, grace_seconds: float) -> None:
        self._grace_seconds = grace_seconds
        self._tasks: set[asyncio.Task[object]] = set()

    def spawn(self, work: Coroutine[object, object, T], *, name: str) -> asyncio.Task[T]:
        """Starts the work; whoever awaits the task gets its error, and if nobody does it is logged."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def drain(self, grace_seconds: float) -> None:
        """Returns when every task has ended, or cancels what is left after the grace and waits for that."""
        end = asyncio.get_running_loop().time() + grace_seconds
        # A task that ends may have started another, such as the release of its hold.
        while self._tasks and (left := end - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(set(self._tasks), timeout=left)
        late = set(self._tasks)
        if not late:
            return
        logger.warning(f"Leaving {len(late)} tasks to the next start: {_names(late)}")
        for task in late:
            task.cancel()
        await asyncio.wait(late)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.drain(self._grace_seconds)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)


def _names(tasks: set[asyncio.Task[object]]) -> str:
    return ", ".join(sorted(task.get_name() for task in tasks))
