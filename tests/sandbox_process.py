"""The sandbox exchange as a real process on a free loopback port, for tests of what talks to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 20.0
_GREETING = "sandbox listening on "

JsonObject = dict[str, Any]


class SandboxProcess:
    """`python -m sandbox` for as long as the context lasts; `url` is both trading and data URL.

    `scenario` is a file, or the scenario itself as a mapping; None starts the built-in one. The control
    methods return what the control API answers, decoded, and raise `SandboxRefusal` when it says no.
    """

    def __init__(self, scenario: Path | str | Mapping[str, Any] | None = None) -> None:
        self._scenario = scenario
        self._process: asyncio.subprocess.Process | None = None
        self._url: str | None = None
        self._cleanup = contextlib.AsyncExitStack()
        self._http: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """Where the exchange answers."""
        assert self._url is not None, "the sandbox is not started"
        return self._url

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None, "the sandbox is not started"
        return self._process.pid

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._cleanup.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._cleanup.aclose()

    async def _start(self) -> None:
        arguments = self._scenario_arguments()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "sandbox", "--port", "0", *arguments),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        self._process = process
        self._cleanup.push_async_callback(self._stop)
        assert process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            line = (await process.stdout.readline()).decode().strip()
        assert line.startswith(_GREETING), (
            f"the sandbox did not start, it said {line!r}; see its standard error"
        )
        self._url = line.removeprefix(_GREETING)
        self._http = await self._cleanup.enter_async_context(aiohttp.ClientSession())

    def _scenario_arguments(self) -> tuple[str, ...]:
        if self._scenario is None:
            return ()
        if not isinstance(self._scenario, Mapping):
            return ("--scenario", str(self._scenario))
        folder = self._cleanup.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-"))
        path = Path(folder) / "scenario.yml"
        # JSON is YAML; `default=str` writes a Decimal as its digits.
        path.write_text(json.dumps(self._scenario, default=str))
        return ("--scenario", str(path))

    async def _stop(self) -> None:
        process = self._process
        assert process is not None
        if process.returncode is None:
            # Not terminate(): that polls, and takes the status from asyncio when the process has just ended.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.communicate()
        except TimeoutError:
            process.kill()
            await process.communicate()
            raise AssertionError("the sandbox did not end on SIGTERM") from None

    async def control(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, object] | None = None,
    ) -> JsonObject:
        """Call the control API; `path` is what follows /_sandbox/."""
        assert self._http is not None, "the sandbox is not started"
        sent = None if body is None else json.dumps(body, default=str).encode()
        wanted = {name: str(value) for name, value in (query or {}).items() if value is not None}
        url = f"{self.url}/_sandbox/{path}"
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._http.request(method, url, data=sent, params=wanted, timeout=timeout) as response:
            answer: JsonObject = await response.json()
        if response.status >= 400:
            raise SandboxRefusal(response.status, answer.get("problems", []))
        return answer

    async def set_quotes(self, quotes: Mapping[str, Mapping[str, object]]) -> JsonObject:
        """Change quotes, `{symbol: {bid, ask, last}}`; what is not given stays."""
        return await self.control("POST", "quotes", body=quotes)

    async def quotes(self) -> JsonObject:
        """Every symbol with its quote."""
        return await self.control("GET", "quotes")

    async def set_clock(
        self, *, at: str | None = None, speed: float | None = None, freeze: bool = False
    ) -> JsonObject:
        """Set sandbox time (ISO 8601), its speed, or stop it."""
        given = {"at": at, "speed": speed, "freeze": freeze or None}
        return await self.control("POST", "clock", body={k: v for k, v in given.items() if v is not None})

    async def advance_clock(self, *, seconds: float) -> JsonObject:
        """Jump forward in sandbox time."""
        return await self.control("POST", "clock", body={"advance_seconds": seconds})

    async def set_matching(self, *, auto: bool) -> JsonObject:
        """False keeps every order open until `fill` trades it."""
        return await self.control("POST", "matching", body={"auto": auto})

    async def set_rate_limit(self, **per_minute: int | None) -> JsonObject:
        """`trading=` and `data=` requests a minute and account; None is off."""
        return await self.control("POST", "rate_limit", body=per_minute)

    async def add_fault(self, fault: Mapping[str, object]) -> JsonObject:
        """Plant a fault: {match: {method, path, account}, action, times, seconds, status, body, headers}."""
        return await self.control("POST", "faults", body=fault)

    async def clear_faults(self) -> None:
        """Drop every fault."""
        await self.control("DELETE", "faults")

    async def add_stream_fault(self, fault: Mapping[str, object]) -> JsonObject:
        """Plant a stream fault: {action: cut|duplicate|swap|drop, stream, account, times}; `cut` acts at once."""
        return await self.control("POST", "streams", body=fault)

    async def streams(self) -> list[JsonObject]:
        """The open stream connections, {stream, account}."""
        answer = await self.control("GET", "streams")
        found: list[JsonObject] = answer["connections"]
        return found

    async def add_account(self, account: Mapping[str, object]) -> JsonObject:
        """Open an account as a scenario would, or replace the one of that name."""
        return await self.control("POST", "accounts", body=account)

    async def change_account(self, name: str, **changes: object) -> JsonObject:
        """Set cash, positions, status or flags of an account."""
        return await self.control("PATCH", f"accounts/{name}", body=changes)

    async def fill(self, order_id: str, *, qty: object = None, price: object = None) -> JsonObject:
        """Trade an open order, in full at its limit or the touch unless said."""
        given = {"qty": qty, "price": price}
        body = {name: value for name, value in given.items() if value is not None}
        return await self.control("POST", f"orders/{order_id}/fill", body=body)

    async def reject(self, order_id: str) -> JsonObject:
        """Reject an order that had been accepted."""
        return await self.control("POST", f"orders/{order_id}/reject")

    async def ledger(self) -> JsonObject:
        """{requests, orders with account and history, cash by account}, all since the start."""
        return await self.control("GET", "ledger")

    async def requests(
        self,
        *,
        method: str | None = None,
        path: str | None = None,
        account: str | None = None,
        after: int = 0,
    ) -> list[JsonObject]:
        """The requests that match, in the order of arrival; `path` is a regular expression, searched for."""
        query = {"method": method, "path": path, "account": account, "after": after}
        answer = await self.control("GET", "requests", query=query)
        found: list[JsonObject] = answer["requests"]
        return found

    async def wait_for_requests(
        self,
        *,
        count: int = 1,
        method: str | None = None,
        path: str | None = None,
        account: str | None = None,
        after: int = 0,
        answered: bool = False,
        within_seconds: int = 30,
    ) -> list[JsonObject]:
        """The first `count` matching requests since the start (or index `after`), as soon as they have arrived.

        With `answered`, as soon as they have been dealt with, also if their answer was lost on purpose.
        """
        filters = {"method": method, "path": path, "account": account}
        query = {**filters, "count": count, "after": after, "timeout_s": within_seconds}
        query["until"] = "answered" if answered else "arrived"
        answer = await self.control("GET", "wait", query=query)
        found: list[JsonObject] = answer["requests"]
        return found


class SandboxRefusal(AssertionError):
    """The control API refused a request; an assertion error, because it is the test that is wrong."""

    def __init__(self, status: int, problems: list[str]) -> None:
        super().__init__(f"{status}: {'; '.join(problems)}")
        self.status = status
        self.problems = problems
