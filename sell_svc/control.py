"""Start, stop and restart: what was asked last is durable and holds after a restart of the process (I12)."""

import asyncio
from collections.abc import Coroutine
from typing import ClassVar, TypeVar

from loguru import logger

from runtime.clock import Clock
from runtime.errors import FailedPrecondition
from sell_svc.monitor import Monitor
from sell_svc.ports import DesiredState

T = TypeVar("T")


class MonitorDisabled(FailedPrecondition):
    """The configuration forbids the monitor to run; nothing was changed."""

    reason: ClassVar[str] = "MONITOR_DISABLED"


class Control:
    """Brings the monitor where it is asked to be; one request at a time, each finished even if its caller leaves."""

    def __init__(self, *, monitor: Monitor, state: DesiredState, enabled: bool, clock: Clock) -> None:
        self._monitor = monitor
        self._state = state
        self._clock = clock
        self._lock = asyncio.Lock()
        self._under_way: set[asyncio.Task[object]] = set()
        self.enabled = enabled
        """What `sell_module.enabled` says; false refuses a start."""
        self.desired_running = False
        """What was asked last."""

    @property
    def is_as_desired(self) -> bool:
        """Whether the monitor is where it was asked to be."""
        return self._monitor.is_running == self.desired_running

    async def resume(self) -> None:
        """At the start of the process: as was asked last, or as `enabled` says when nobody ever asked.

        Raises StoreUnreachable.
        """
        asked = await self._state.read()
        self.desired_running = self.enabled if asked is None else asked
        if self.desired_running and not self.enabled:
            logger.warning("Sell monitor does not start: sell_module.enabled is false")
        elif self.desired_running:
            self._monitor.start()

    async def start(self) -> bool:
        """Runs the monitor; says whether that changed anything. Raises MonitorDisabled, StoreUnreachable."""
        return await self._finish(self._start())

    async def stop(self) -> bool:
        """Returns when the last action has drained; says whether that changed anything. Raises StoreUnreachable.

        The loops stop even if the wish cannot be stored: then only a restart of the process would forget it.
        """
        return await self._finish(self._stop())

    async def restart(self) -> None:
        """Stops, then starts. Raises MonitorDisabled before anything is stopped, StoreUnreachable."""
        await self._finish(self._restart())

    async def close(self) -> None:
        """Ends the loops with the process; what was asked stays as it is."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._monitor.stop()

    async def _start(self) -> bool:
        async with self._lock:
            return await self._run()

    async def _stop(self) -> bool:
        async with self._lock:
            return await self._halt()

    async def _restart(self) -> None:
        self._require_enabled()
        async with self._lock:
            await self._halt()
            await self._run()

    async def _run(self) -> bool:
        self._require_enabled()
        changed = not (self.desired_running and self._monitor.is_running)
        await self._state.save(running=True, at=self._clock.now())
        self.desired_running = True
        self._monitor.start()
        return changed

    async def _halt(self) -> bool:
        changed = self.desired_running or self._monitor.is_running
        self.desired_running = False
        try:
            await self._state.save(running=False, at=self._clock.now())
        finally:
            await self._monitor.stop()
        return changed

    def _require_enabled(self) -> None:
        if not self.enabled:
            raise MonitorDisabled(
                "sell_module.enabled is false: set it to true and start sell_svc again",
                metadata={"key": "sell_module.enabled"},
            )

    async def _finish(self, work: Coroutine[object, object, T]) -> T:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)
