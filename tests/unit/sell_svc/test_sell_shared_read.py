import asyncio

import pytest

from fakes.sell_world import ManualClock
from runtime.context import Deadline, deadline, use_deadline
from runtime.errors import Unavailable
from sell_svc.shared_read import SharedRead


class Source:
    """Counts its reads and answers when the gate is open."""

    def __init__(self) -> None:
        self.reads = 0
        self.gate = asyncio.Event()
        self.error: Exception | None = None
        self.deadlines: list[Deadline | None] = []

    async def read(self) -> int:
        self.reads += 1
        self.deadlines.append(deadline.get())
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.reads


async def test_readers_at_the_same_moment_share_one_read_and_its_answer_for_a_while() -> None:
    source, clock = Source(), ManualClock()
    read = SharedRead(source.read, max_age_seconds=1, clock=clock)
    source.gate.set()

    together = await asyncio.gather(*(read() for _ in range(3)))
    clock.advance(1)
    again = await read()
    clock.advance(0.1)
    later = await read()

    assert (together, again, later) == ([1, 1, 1], 1, 2)


async def test_a_failed_read_fails_for_all_who_wait_and_is_not_kept() -> None:
    source = Source()
    source.error = Unavailable("down")
    read = SharedRead(source.read, max_age_seconds=1, clock=ManualClock())
    source.gate.set()

    failures = await asyncio.gather(read(), read(), return_exceptions=True)
    source.error = None

    assert [type(one) for one in failures] == [Unavailable, Unavailable]
    assert await read() == 2


async def test_a_reader_that_gives_up_takes_the_answer_from_nobody() -> None:
    source = Source()
    read = SharedRead(source.read, max_age_seconds=1, clock=ManualClock())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read(), 0.01)
    other = asyncio.create_task(read())

    source.gate.set()

    assert await other == 1
    assert source.reads == 1


async def test_the_first_readers_deadline_does_not_bind_the_others() -> None:
    source = Source()
    source.gate.set()
    read = SharedRead(source.read, max_age_seconds=1, clock=ManualClock())

    with use_deadline(Deadline.after(0.1)):
        await read()

    assert source.deadlines == [None]


async def test_leaving_ends_a_read_under_way() -> None:
    source = Source()
    async with SharedRead(source.read, max_age_seconds=1, clock=ManualClock()) as read:
        reader = asyncio.create_task(read())
        await asyncio.wait({reader}, timeout=0.01)

    with pytest.raises(asyncio.CancelledError):
        await reader
