"""Orders that a process journalled but never sent: proven so by the journal itself."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace

from order_svc.attempt_log import AttemptLog
from order_svc.closing import close_from_order
from order_svc.journal import Journal
from order_svc.lifecycle import OrderEvent
from order_svc.records import AttemptRecord, OrderRecord, Refusal, Step
from order_svc.refusals import NeverSent
from runtime.clock import Clock

FindLogged = Callable[[], Collection[str]]
"""The ids of attempts whose line is in the log files; blocking."""


class Unsent:
    """Ends what was left NEW or HELD; SENDING is recorded before the first byte, so those never left."""

    def __init__(
        self, *, journal: Journal, attempt_log: AttemptLog, clock: Clock, find_logged: FindLogged
    ) -> None:
        self._journal = journal
        self._find_logged = find_logged
        self._attempt_log = attempt_log
        self._clock = clock

    async def read_logged(self) -> Collection[str]:
        """The ids of attempts whose line is in the log files."""
        return await asyncio.to_thread(self._find_logged)

    async def settle(self, record: OrderRecord, logged: Collection[str]) -> None:
        """NOT_PLACED, its attempt closed, and its line written where it is not among the `logged`."""
        now = self._clock.now()
        refusal = Refusal(
            reason=NeverSent.reason, text="the service stopped before it sent the order; nothing was sent"
        )
        await self._journal.advance(
            record.key,
            [Step(event=OrderEvent.FOUND_UNSENT, evidence="never sent: the journal has no sending")],
            now,
            revise=lambda advanced: replace(advanced, refusal=refusal),
        )
        for attempt in await self._journal.attempts_under_way(record.key):
            await self.close(attempt, logged)

    async def close(self, attempt: AttemptRecord, logged: Collection[str]) -> None:
        """Completes an attempt that another process, or a broken task, left open, and sees to its line."""
        closed = await self._journal.close_attempt(attempt.attempt_id, self._outcome)
        if closed is not None:
            self._attempt_log.write_if_missing(closed, logged)

    def _outcome(self, attempt: AttemptRecord, order: OrderRecord | None) -> AttemptRecord:
        now = self._clock.now()
        # The process that knew the monotonic start is gone: the wall clock must do.
        elapsed_ms = max(0, round((now - attempt.received_at).total_seconds() * 1000))
        return close_from_order(replace(attempt, duration_ms=elapsed_ms, recovered=True), order, at=now)
