from __future__ import annotations

import asyncio

from fakes.order_values import KEY
from order_svc.content import OrderContent
from order_svc.hold_releases import HoldReleases
from order_svc.identifiers import OrderKey
from order_svc.owned_tasks import OwnedTasks
from order_svc.ports import Authorization


class SlowGuard:
    """Releases when it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.released: list[tuple[OrderKey, str]] = []

    async def authorize(self, key: OrderKey, content: OrderContent) -> Authorization:
        raise NotImplementedError

    async def release(self, key: OrderKey, reason: str) -> None:
        await self.let.wait()
        self.released.append((key, reason))


async def test_whoever_takes_a_hold_anew_waits_for_its_release() -> None:
    guard = SlowGuard()
    async with OwnedTasks(grace_seconds=5) as tasks:
        holds = HoldReleases(guard=guard, tasks=tasks)
        holds.release_later(KEY, "BALANCE_UNKNOWN")
        waiting = asyncio.ensure_future(holds.settled(KEY))
        done, _ = await asyncio.wait({waiting}, timeout=0.02)
        assert not done
        guard.let.set()
        await waiting

        assert guard.released == [(KEY, "BALANCE_UNKNOWN")]


async def test_without_a_release_under_way_nobody_waits() -> None:
    async with OwnedTasks(grace_seconds=5) as tasks:
        async with asyncio.timeout(1):
            await HoldReleases(guard=SlowGuard(), tasks=tasks).settled(KEY)


async def test_owned_tasks_end_with_their_owner() -> None:
    guard = SlowGuard()
    async with OwnedTasks(grace_seconds=0) as tasks:
        late = tasks.spawn(guard.release(KEY, "never let"), name="late")
        guard_done = asyncio.Event()
        prompt = tasks.spawn(_done(guard_done), name="prompt")
        await prompt

    assert late.cancelled()
    assert guard.released == []


async def test_owned_tasks_are_waited_for_within_the_grace() -> None:
    guard = SlowGuard()
    async with OwnedTasks(grace_seconds=5) as tasks:
        kept = tasks.spawn(guard.release(KEY, "in time"), name="kept")
        asyncio.get_running_loop().call_soon(guard.let.set)

    assert kept.done()
    assert guard.released == [(KEY, "in time")]


async def _done(event: asyncio.Event) -> None:
    event.set()


async def test_a_task_started_by_an_ending_one_is_waited_for_too() -> None:
    ended: list[str] = []
    async with OwnedTasks(grace_seconds=5) as tasks:

        async def second() -> None:
            await asyncio.sleep(0)
            ended.append("second")

        async def first() -> None:
            await asyncio.sleep(0)
            tasks.spawn(second(), name="second")

        tasks.spawn(first(), name="first")

    assert ended == ["second"]
