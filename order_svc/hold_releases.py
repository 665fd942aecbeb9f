"""Gives holds back in the background, so that a refused caller need not wait for it."""

import asyncio

from order_svc.identifiers import OrderKey
from order_svc.owned_tasks import OwnedTasks
from order_svc.ports import Guard


class HoldReleases:
    """At most one release a key under way; whoever takes a hold anew waits for it."""

    def __init__(self, *, guard: Guard, tasks: OwnedTasks) -> None:
        self._guard = guard
        self._tasks = tasks
        self._under_way: dict[OrderKey, asyncio.Task[None]] = {}

    def release_later(self, key: OrderKey, reason: str) -> None:
        """Starts telling the guard that the order will never use its hold."""
        task = self._tasks.spawn(self._guard.release(key, reason), name=f"release {key.client_order_id}")
        self._under_way[key] = task
        task.add_done_callback(lambda _: self._under_way.pop(key, None))

    async def settled(self, key: OrderKey) -> None:
        """Returns when no release of this key is under way."""
        task = self._under_way.get(key)
        if task is not None:
            await asyncio.wait({task})
