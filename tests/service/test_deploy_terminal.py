"""Several programs in one terminal: what `make run` promises of it."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from deploy.terminal import Program, Terminal, python_environment

# Says its pid, then waits for a signal; SIGTERM ends it as asked.
WAITER = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("up", os.getpid(), flush=True)
signal.sigwait([signal.SIGTERM])
print("drained")
"""
# The same, deaf to SIGTERM.
DEAF = "import os, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', os.getpid(), flush=True); signal.pause()"


def program(name: str, source: str) -> Program:
    return Program(name=name, command=[sys.executable, "-c", source], again=f"python -m {name}")


def pid_in(output: str, name: str) -> int:
    found = re.search(rf"{name} \| started, pid (\d+)", output)
    assert found
    return int(found[1])


async def test_one_programs_end_takes_no_other_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(folder=tmp_path, environment=python_environment())
    tasks = [await terminal.start(program(name, WAITER)) for name in ("killed", "other")]
    await asyncio.gather(terminal.line("killed", "up"), terminal.line("other", "up"))
    output = capsys.readouterr().out

    os.kill(pid_in(output, "killed"), signal.SIGKILL)
    await tasks[0]

    assert not tasks[1].done()
    output = capsys.readouterr().out
    assert "killed | ended, signal SIGKILL" in output
    assert "start it again with: python -m killed" in output
    terminal.asked_to_stop()
    await terminal.run(tasks)


async def test_the_first_interrupt_lets_every_program_drain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(folder=tmp_path, environment=python_environment())
    tasks = [await terminal.start(program(name, WAITER)) for name in ("one", "two")]
    await asyncio.gather(terminal.line("one", "up"), terminal.line("two", "up"))

    terminal.asked_to_stop()
    await terminal.run(tasks)

    output = capsys.readouterr().out
    for name in ("one", "two"):
        assert f"{name} | drained" in output
        assert f"{name} | ended, status 0" in output


async def test_the_second_interrupt_kills_what_does_not_listen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal(folder=tmp_path, environment=python_environment())
    tasks = [await terminal.start(program("deaf", DEAF))]
    await terminal.line("deaf", "up")

    terminal.asked_to_stop()
    terminal.asked_to_stop()
    await terminal.run(tasks)

    assert "deaf | ended, signal SIGKILL" in capsys.readouterr().out
