"""Several programs in one terminal: their lines side by side, one Ctrl-C for all.

One program's end never takes the others down: the services are built to live
without each other, and this is where a newcomer sees it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Longer than the services' own drain, so that nothing is killed that would have ended by itself.
STOP_SECONDS = 30.0
# Start-up is looked for among these; what a program says later is shown and forgotten.
FIRST_LINES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program to run."""

    name: str
    command: Sequence[str]
    again: str = ""
    """What to type to start it alone; empty where it cannot be."""


@dataclass(slots=True)
class Terminal:
    """Runs programs until they end or a signal asks for the end.

    The first SIGINT or SIGTERM asks every program to stop, a second one kills them.
    """

    folder: Path
    environment: Mapping[str, str]
    width: int = 8
    _lines: dict[str, list[str]] = field(default_factory=dict)
    _printed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def say(self, name: str, line: str) -> None:
        """Print one line under a program's name."""
        print(f"{name:>{self.width}} | {line}", flush=True)  # noqa: T201 - printing is its work

    async def start(self, program: Program) -> asyncio.Task[None]:
        """Start a program; the task ends when the program has."""
        process = await asyncio.create_subprocess_exec(
            *program.command,
            cwd=self.folder,
            env=dict(self.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # Ctrl-C reaches the whole foreground group; only this program may act on it.
            start_new_session=True,
            limit=2**20,
        )
        self._running[program.name] = process
        self.say(program.name, f"started, pid {process.pid}")
        return asyncio.create_task(self._follow(program, process), name=program.name)

    async def _follow(self, program: Program, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            raise RuntimeError("the program was started without a pipe")
        async for line in process.stdout:
            await self._heard(program.name, line.decode(errors="replace").rstrip("\n"))
        status = await process.wait()
        del self._running[program.name]
        self.say(program.name, f"ended, {_status_text(status)}")
        if program.again and self._running and not self._stopping.is_set():
            self.say("run", f"the others go on; start it again with: {program.again}")

    async def _heard(self, name: str, line: str) -> None:
        self.say(name, line)
        if len(first := self._lines.setdefault(name, [])) < FIRST_LINES:
            async with self._printed:
                first.append(line)
                self._printed.notify_all()

    async def line(self, name: str, word: str) -> None:
        """Return once the program has said `word` among its first lines."""
        async with self._printed:
            await self._printed.wait_for(lambda: any(word in line for line in self._lines.get(name, ())))

    async def run(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Return when every program has ended."""
        stopper = asyncio.create_task(self._stop_when_asked())
        try:
            await asyncio.gather(*tasks)
        finally:
            stopper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await stopper

    async def _stop_when_asked(self) -> None:
        await self._stopping.wait()
        self.say("run", "stopping: waiting for orders under way (Ctrl-C again kills)")
        self._signal_all(signal.SIGTERM)
        await asyncio.sleep(STOP_SECONDS)
        self._signal_all(signal.SIGKILL)

    def asked_to_stop(self) -> None:
        """Drain on the first call, kill on the second."""
        if self._stopping.is_set():
            self._signal_all(signal.SIGKILL)
        self._stopping.set()

    def _signal_all(self, number: signal.Signals) -> None:
        for process in list(self._running.values()):
            # Not send_signal: that polls, and takes the status from asyncio when the program has just ended.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)


def _status_text(status: int) -> str:
    return f"status {status}" if status >= 0 else f"signal {signal.Signals(-status).name}"


def python_environment() -> dict[str, str]:
    """Return this environment with output unbuffered and this interpreter's programs first on the PATH."""
    programs = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}",
    }
