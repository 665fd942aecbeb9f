"""The whole system as real processes on free loopback ports, against a real sandbox exchange."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import yaml

from sandbox_process import SandboxProcess

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("account_svc", "order_svc", "sell_svc", "gateway")
START_SECONDS = 60.0
HTTP_UNAVAILABLE = 503


class ServiceProcess:
    """One service, started from the checkout; its output is kept to be waited on and shown."""

    def __init__(self, module: str, config: Path, folder: Path, environment: Mapping[str, str]) -> None:
        self.module = module
        self.lines: list[str] = []
        self._config = config
        self._folder = folder
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment}
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._printed = asyncio.Condition()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self, *, until: str = "serving") -> None:
        self.lines.clear()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            self.module,
            "--config",
            str(self._config),
            cwd=self._folder,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=2**20,
        )
        self._reader = asyncio.create_task(self._read(self._process))
        await self.line(until)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            async with self._printed:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self._printed.notify_all()
        async with self._printed:
            self.lines.append(f"<{self.module} ended>")
            self._printed.notify_all()

    async def line(self, word: str, *, within_seconds: float = START_SECONDS) -> str:
        """Return the first line that holds `word`, waiting for it; fail with the output when it never comes."""

        def found() -> bool:
            return any(word in line or line == f"<{self.module} ended>" for line in self.lines)

        async with self._printed:
            try:
                async with asyncio.timeout(within_seconds):
                    await self._printed.wait_for(found)
            except TimeoutError:
                raise AssertionError(self.story(f"never said {word!r}")) from None
        for line in self.lines:
            if word in line:
                return line
        raise AssertionError(self.story(f"ended without saying {word!r}"))

    def story(self, what: str) -> str:
        return f"{self.module} {what}; its output:\n" + "\n".join(self.lines[-60:])

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, return the exit status."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            # Not send_signal: that polls, and takes the status from asyncio when the process has just ended.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)
        async with asyncio.timeout(40):
            status = await self._process.wait()
        assert self._reader is not None
        await self._reader
        self._process = None
        return status

    async def kill(self) -> None:
        """Kill -9."""
        await self.end(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One REST answer."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(slots=True, kw_only=True)
class Stack:
    """A running system; services can be ended and started again one by one."""

    folder: Path
    sandbox: SandboxProcess
    ports: Mapping[str, int]
    services: Mapping[str, ServiceProcess]
    http: aiohttp.ClientSession
    channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)

    async def rest(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call the gateway; `body` is sent as JSON, `raw` as it is."""
        sent = raw if raw is not None else None if body is None else json.dumps(body).encode()
        wanted = {"Content-Type": "application/json", **(headers or {})}
        url = f"http://127.0.0.1:{self.ports['gateway']}{path}"
        async with self.http.request(method, url, data=sent, headers=wanted) as response:
            return Answer(status=response.status, headers=response.headers, text=await response.text())

    async def rest_once_back(
        self, method: str, path: str, *, body: object = None, within_seconds: float = 10
    ) -> Answer:
        """Call the gateway until the service behind it is connected again after a restart."""
        async with asyncio.timeout(within_seconds):
            while (answer := await self.rest(method, path, body=body)).status == HTTP_UNAVAILABLE:
                pass
        return answer

    def address(self, service: str) -> str:
        return f"127.0.0.1:{self.ports[service]}"

    def channel(self, service: str) -> grpc.aio.Channel:
        if service not in self.channels:
            self.channels[service] = grpc.aio.insecure_channel(self.address(service))
        return self.channels[service]

    def log(self, service: str, kind: str = "app") -> list[str]:
        path = self.folder / "logs" / kind / f"{service}.log"
        return path.read_text().splitlines() if path.exists() else []

    async def grpcurl(self, service: str, *arguments: str) -> tuple[int, str]:
        """Run the real grpcurl; return its status and its whole output."""
        options = [item for item in arguments if item.startswith(("-", "{"))]
        words = [item for item in arguments if item not in options]
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "grpcurl"),
            "-plaintext",
            *options,
            self.address(service),
            *words,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to start: exchange scenario, configuration on top of the usual, environment, services."""

    scenario: Mapping[str, Any]
    accounts: Mapping[str, Mapping[str, Any]]
    config: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    services: Sequence[str] = SERVICES


@contextlib.asynccontextmanager
async def running(plan: Plan, folder: Path) -> AsyncIterator[Stack]:
    """The planned system, serving; everything ended, and its ends checked, on exit."""
    ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
    async with contextlib.AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(SandboxProcess(dict(plan.scenario)))
        config = folder / "secrets.yml"
        config.write_text(yaml.safe_dump(configuration(plan, sandbox.url, ports)))
        config.chmod(0o600)
        services = {name: ServiceProcess(name, config, folder, plan.environment) for name in SERVICES}
        http = await stack.enter_async_context(aiohttp.ClientSession())
        system = Stack(folder=folder, sandbox=sandbox, ports=ports, services=services, http=http)
        stack.push_async_callback(_end_all, system)
        await asyncio.gather(*(services[name].start() for name in plan.services))
        yield system


async def _end_all(system: Stack) -> None:
    for channel in system.channels.values():
        await channel.close()
    await asyncio.gather(*(service.end() for service in system.services.values()))


def configuration(plan: Plan, exchange: str, ports: Mapping[str, int]) -> dict[str, Any]:
    """The usual test configuration with the plan's on top, section by section."""
    names = {"account": "account_svc", "order": "order_svc", "sell": "sell_svc", "gateway": "gateway"}
    usual: dict[str, Any] = {
        "alpaca": {"trading_url": exchange, "data_url": exchange},
        "accounts": {name: dict(entry) for name, entry in plan.accounts.items()},
        "services": {short: {"listen": f"127.0.0.1:{ports[name]}"} for short, name in names.items()},
        "storage": {"url": "sqlite:///data/opitios.db"},
        "logging": {"directory": "logs"},
        "app": {"debug": True},
    }
    for section, values in plan.config.items():
        usual[section] = {**usual.get(section, {}), **values} if isinstance(values, Mapping) else values
    return usual


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
