import asyncio
from collections.abc import Awaitable
from contextvars import ContextVar

import pytest

from broker import bridge
from broker.bridge import BridgeError, await_only

seen: ContextVar[str] = ContextVar("seen", default="nothing")


async def value_of(value: int) -> int:
    await asyncio.sleep(0)
    return value


def add(left: Awaitable[int], right: Awaitable[int]) -> int:
    return await_only(left) + await_only(right)


async def test_synchronous_code_waits_for_awaitables_and_returns_its_result() -> None:
    assert await bridge.run(add, value_of(2), right=value_of(3)) == 5


async def test_code_that_never_waits_returns_its_result() -> None:
    assert await bridge.run(divmod, 7, 2) == (3, 1)


async def test_an_exception_of_the_awaited_reaches_the_code_and_one_of_the_code_the_caller() -> None:
    async def fail() -> int:
        raise LookupError("inner")

    def translate() -> None:
        try:
            await_only(fail())
        except LookupError as e:
            raise ValueError("outer") from e

    with pytest.raises(ValueError, match="outer") as raised:
        await bridge.run(translate)

    assert isinstance(raised.value.__cause__, LookupError)


async def test_context_variables_are_the_tasks_own_in_both_directions() -> None:
    async def read() -> str:
        return seen.get()

    def change() -> tuple[str, str]:
        before = await_only(read())
        seen.set("by the code")
        return before, await_only(read())

    seen.set("by the task")

    assert await bridge.run(change) == ("by the task", "by the code")
    assert seen.get() == "by the code"


async def test_many_waits_run_at_the_same_time() -> None:
    everybody_is_here = asyncio.Barrier(50)

    def meet() -> int:
        return await_only(everybody_is_here.wait())

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        tasks = [group.create_task(bridge.run(meet)) for _ in range(50)]

    assert sorted(task.result() for task in tasks) == list(range(50))


async def test_cancelling_reaches_the_code_which_can_clean_up() -> None:
    waiting, cleaned = asyncio.Event(), []

    async def wait_for_ever() -> None:
        waiting.set()
        await asyncio.Event().wait()

    def code() -> None:
        try:
            await_only(wait_for_ever())
        finally:
            cleaned.append(await_only(value_of(1)))

    task = asyncio.create_task(bridge.run(code))
    await waiting.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == [1]


async def test_a_deadline_around_the_bridge_ends_the_code() -> None:
    def code() -> None:
        await_only(asyncio.Event().wait())

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await bridge.run(code)


async def test_waiting_without_a_bridge_is_an_error_and_leaves_no_coroutine_behind() -> None:
    with pytest.raises(BridgeError):
        await_only(value_of(1))


async def test_code_under_one_bridge_may_start_another() -> None:
    def outer() -> int:
        return await_only(bridge.run(add, value_of(1), value_of(2))) + await_only(value_of(4))

    assert await bridge.run(outer) == 7
