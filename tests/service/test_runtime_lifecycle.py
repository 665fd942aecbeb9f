"""A real process with real signals: it drains, ends at once when asked twice, and says why it cannot start."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from loguru import logger

from runtime.errors import StartupError
from runtime.lifecycle import serve
from runtime.server import GrpcServer

WAIT_SECONDS = 20.0

PROGRAM = """
import asyncio, sys
from contextlib import asynccontextmanager
from runtime.lifecycle import run

class Running:
    async def stop(self, grace_seconds):
        print("draining", flush=True)
        await {drain}
        print("drained", flush=True)

@asynccontextmanager
async def app():
    {opening}
    print("open", flush=True)
    try:
        yield Running()
    finally:
        print("closed", flush=True)

sys.exit(run(app(), service="test"))
"""


@asynccontextmanager
async def program(
    *, drain: str = "asyncio.sleep(0)", opening: str = "pass"
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM.format(drain=drain, opening=opening),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), WAIT_SECONDS)).decode().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_first_signal_drains_closes_and_exits_with_0(number: signal.Signals) -> None:
    async with program() as process:
        assert await line(process) == "open"
        process.send_signal(number)

        assert [await line(process) for _ in range(3)] == ["draining", "drained", "closed"]
        assert await asyncio.wait_for(process.wait(), WAIT_SECONDS) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_second_signal_ends_at_once(number: signal.Signals) -> None:
    async with program(drain="asyncio.Event().wait()") as process:
        assert await line(process) == "open"
        process.send_signal(number)
        assert await line(process) == "draining"
        process.send_signal(number)

        assert await asyncio.wait_for(process.wait(), WAIT_SECONDS) == 128 + number


async def test_the_second_signal_ends_a_process_whose_loop_hangs() -> None:
    async with program(drain="asyncio.sleep(0, __import__('time').sleep(600))") as process:
        assert await line(process) == "open"
        process.send_signal(signal.SIGTERM)
        assert await line(process) == "draining"
        process.send_signal(signal.SIGTERM)

        assert await asyncio.wait_for(process.wait(), WAIT_SECONDS) == 128 + signal.SIGTERM


async def test_a_signal_while_opening_ends_the_opening() -> None:
    async with program(opening="print('opening', flush=True); await asyncio.Event().wait()") as process:
        assert await line(process) == "opening"
        process.send_signal(signal.SIGTERM)

        assert await asyncio.wait_for(process.wait(), WAIT_SECONDS) == 0


async def test_a_port_in_use_is_one_clear_line_and_exit_code_1() -> None:
    taken = GrpcServer(listen="127.0.0.1:0", listen_key="services.test.listen", services=[])

    @asynccontextmanager
    async def app() -> AsyncIterator[GrpcServer]:
        async with GrpcServer(
            listen=f"127.0.0.1:{taken.port}", listen_key="services.test.listen", services=[]
        ) as second:
            yield second

    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(str(message)), level="ERROR", format="{message}")
    async with taken:
        code = await serve(app(), service="test", stop=asyncio.Event())
    logger.remove(sink)

    assert code == 1
    assert len(lines) == 1
    assert lines[0].startswith("test cannot start: services.test.listen: cannot listen on 127.0.0.1:")
    assert "Traceback" not in lines[0]


async def fail(error: Exception) -> None:
    raise error


class Quiet:
    """A service that stops without a word."""

    def __init__(self) -> None:
        self.stopped_with: list[float] = []

    async def stop(self, grace_seconds: float) -> None:
        self.stopped_with.append(grace_seconds)


async def test_a_failing_task_of_the_service_ends_it_with_1_after_closing() -> None:
    closed: list[str] = []

    @asynccontextmanager
    async def app() -> AsyncIterator[Quiet]:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail(RuntimeError("the loop ended")))
                yield Quiet()
        finally:
            closed.append("closed")

    code = await asyncio.wait_for(serve(app(), service="test"), WAIT_SECONDS)

    assert code == 1
    assert closed == ["closed"]


async def test_a_timeout_of_the_service_itself_is_a_failure_and_no_stop() -> None:
    @asynccontextmanager
    async def app() -> AsyncIterator[Quiet]:
        await fail(TimeoutError("the database did not answer"))
        yield Quiet()

    assert await serve(app(), service="test") == 1


async def test_the_old_signal_handlers_are_back_afterwards() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    quiet, stop = Quiet(), asyncio.Event()

    @asynccontextmanager
    async def app() -> AsyncIterator[Quiet]:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)
        yield quiet

    code = await asyncio.wait_for(serve(app(), service="test", stop=stop, grace_seconds=7.0), WAIT_SECONDS)

    assert code == 0
    assert quiet.stopped_with == [7.0]
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


async def test_a_startup_error_is_exit_code_1_and_restores_the_handlers() -> None:
    @asynccontextmanager
    async def app() -> AsyncIterator[Quiet]:
        await fail(StartupError("storage.url: is in use"))
        yield Quiet()

    before = signal.getsignal(signal.SIGTERM)

    assert await serve(app(), service="test") == 1
    assert signal.getsignal(signal.SIGTERM) == before
