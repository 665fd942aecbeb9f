import asyncio
from collections.abc import Iterator

import pytest
from loguru import logger

from runtime.context import Deadline, deadline, use_deadline
from runtime.tasks import Periodic

WAIT_SECONDS = 10.0
NEVER = 3600.0


@pytest.fixture
def logged() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(str(message)), level="ERROR", format="{message}")
    yield lines
    logger.remove(sink)


class Work:
    """Counts its runs, and holds each until released when told to."""

    def __init__(self, *, held: bool = False, fails: bool = False) -> None:
        self.runs = 0
        self.under_way = 0
        self.most_under_way = 0
        self.finished = 0
        self._ran: asyncio.Condition = asyncio.Condition()
        self.release = asyncio.Event()
        self._fails = fails
        if not held:
            self.release.set()

    async def __call__(self) -> None:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        async with self._ran:
            self.runs += 1
            self._ran.notify_all()
        await self.release.wait()
        self.under_way -= 1
        self.finished += 1
        if self._fails:
            raise RuntimeError("one bad run")

    async def wait_for(self, runs: int) -> None:
        async with self._ran:
            await asyncio.wait_for(self._ran.wait_for(lambda: self.runs >= runs), WAIT_SECONDS)


async def test_the_first_run_comes_at_once_and_others_follow_by_the_interval() -> None:
    work = Work()
    async with Periodic(work, name="test", interval_seconds=0.001):
        await work.wait_for(3)


async def test_nothing_runs_before_its_time_unless_woken() -> None:
    work = Work()
    async with Periodic(work, name="test", interval_seconds=NEVER) as periodic:
        await work.wait_for(1)
        assert work.runs == 1
        periodic.wake()
        await work.wait_for(2)
        # Turns of the loop in which a wake that was not used up would run it again.
        for _ in range(20):
            await asyncio.sleep(0)
        assert work.runs == 2


async def test_runs_never_overlap_and_wakes_during_one_count_once() -> None:
    work = Work(held=True)
    async with Periodic(work, name="test", interval_seconds=NEVER) as periodic:
        await work.wait_for(1)
        periodic.wake()
        periodic.wake()
        assert work.runs == 1
        work.release.set()
        await work.wait_for(2)

    assert work.most_under_way == 1
    assert work.runs == 2


async def test_a_failing_run_is_logged_once_and_the_next_one_goes_on(logged: list[str]) -> None:
    work = Work(fails=True)
    async with Periodic(work, name="the monitor", interval_seconds=NEVER) as periodic:
        await work.wait_for(1)
        periodic.wake()
        await work.wait_for(2)

    assert len(logged) == 2
    assert all("the monitor failed" in line for line in logged)


async def test_stop_waits_for_the_run_under_way() -> None:
    work = Work(held=True)
    periodic = Periodic(work, name="test", interval_seconds=NEVER)
    periodic.start()
    await work.wait_for(1)
    stopping = asyncio.gather(periodic.stop(), periodic.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    work.release.set()

    await asyncio.wait_for(stopping, WAIT_SECONDS)

    assert (work.finished, work.runs, periodic.is_running) == (1, 1, False)


async def test_a_cancelled_stop_does_not_cut_the_run() -> None:
    work = Work(held=True)
    periodic = Periodic(work, name="test", interval_seconds=NEVER)
    periodic.start()
    await work.wait_for(1)
    stopping = asyncio.create_task(periodic.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    await asyncio.wait([stopping])
    work.release.set()

    await asyncio.wait_for(periodic.stop(), WAIT_SECONDS)

    assert work.finished == 1


async def test_it_can_be_started_again_and_stopped_before_it_ran() -> None:
    work = Work()
    periodic = Periodic(work, name="test", interval_seconds=NEVER)
    await periodic.stop()
    periodic.start()
    periodic.start()
    await work.wait_for(1)
    await periodic.stop()
    periodic.start()
    await work.wait_for(2)
    await periodic.stop()

    assert work.runs == 2


async def test_a_run_does_not_inherit_the_deadline_of_the_call_that_started_it() -> None:
    seen: list[Deadline | None] = []
    ran = asyncio.Event()

    async def work() -> None:
        seen.append(deadline.get())
        ran.set()

    with use_deadline(Deadline(at=0.0)):
        periodic = Periodic(work, name="test", interval_seconds=NEVER)
        periodic.start()
    await asyncio.wait_for(ran.wait(), WAIT_SECONDS)
    await periodic.stop()

    assert seen == [None]


async def test_many_wakes_cost_few_runs_where_a_rest_is_asked_for() -> None:
    work = Work()
    periodic = Periodic(work, name="test", interval_seconds=NEVER, rest_seconds=NEVER)
    periodic.start()
    await work.wait_for(1)

    for _ in range(100):
        periodic.wake()
        await asyncio.sleep(0)
    await asyncio.wait_for(periodic.stop(), WAIT_SECONDS)

    assert work.runs == 1


async def test_a_wake_during_the_rest_is_served_after_it() -> None:
    work = Work()
    async with Periodic(work, name="test", interval_seconds=NEVER, rest_seconds=0.01) as periodic:
        await work.wait_for(1)
        periodic.wake()
        await work.wait_for(2)
