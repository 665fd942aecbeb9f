"""Fresh readings of one account's cash, shared by everyone who asks at the same time."""

import asyncio
import uuid
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Final, Self

from account_svc.holds import Holds
from account_svc.ports import Account
from account_svc.settle import SettleRules
from account_svc.sightings import OrderLookout
from account_svc.snapshot import Snapshot
from broker.rate_budget import Priority
from broker.reports import AccountReading
from runtime.clock import Clock
from runtime.context import use_deadline
from runtime.errors import ServiceError, Unavailable

SNAPSHOT_SECONDS: Final = 1.4
"""For the whole of one reading; AuthorizeOrder has 1.5 s (reliability.md, section 6)."""


class CashUnreadable(Unavailable):
    """The account's cash is not known well enough; nothing was sent, a retry is safe."""

    reason: ClassVar[str] = "BALANCE_UNKNOWN"


_Outcome = Snapshot | ServiceError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flight:
    """One reading under way."""

    task: asyncio.Task[_Outcome]
    priority: Priority


class CashReader:
    """Reads one account. Open it with `async with`; closing it stops the reading under way.

    One request serves all who wait, and the answer serves those who come while it is young
    enough. A caller that gives up does not take the reading away from the others.
    """

    def __init__(
        self, account: Account, holds: Holds, *, rules: SettleRules, max_age_seconds: float, clock: Clock
    ) -> None:
        self._account = account
        self._holds = holds
        self._rules = rules
        self._lookout = OrderLookout(account, rules=rules, clock=clock)
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        self._latest: Snapshot | None = None
        self._flight: _Flight | None = None

    async def __aenter__(self) -> Self:
        """Opens nothing: the first reading comes with the first question."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops the reading under way and waits for its end."""
        if self._flight is not None:
            self._flight.task.cancel()
            await asyncio.wait([self._flight.task])

    @property
    def latest(self) -> Snapshot | None:
        """The last snapshot, however old; for what was seen of orders, not for cash."""
        return self._latest

    def prefetch(self, priority: Priority = Priority.OPEN) -> None:
        """Starts a reading now, where none is usable or under way, for a `fresh` that comes soon."""
        if self._usable(0.0, None) is None:
            self._start(priority)

    async def fresh(
        self,
        *,
        deadline: float,
        not_before: float = 0.0,
        other_than: Snapshot | None = None,
        priority: Priority = Priority.OPEN,
    ) -> Snapshot:
        """A snapshot whose cash was asked for at most `balance_max_age_ms` ago, and not before `not_before`.

        `deadline` and `not_before` are moments of the monotonic clock; `other_than` is a snapshot
        found to be outdated. Raises CashUnreadable with the cause in words, StoreUnreachable, both no
        later than `deadline`.
        """
        while (snapshot := self._usable(not_before, other_than)) is None:
            left = deadline - self._clock.monotonic()
            if left <= 0:
                raise self._unreadable("the time for the answer is over")
            flight = self._start(priority)
            outcome = await self._wait(flight.task, left)
            # One that failed for want of room in the request budget may have had less right to it.
            if isinstance(outcome, ServiceError) and flight.priority <= priority:
                raise outcome
        return snapshot

    def _usable(self, not_before: float, other_than: Snapshot | None) -> Snapshot | None:
        snapshot = self._latest
        if snapshot is None or snapshot is other_than or snapshot.requested_at < not_before:
            return None
        return snapshot if self._clock.monotonic() <= snapshot.usable_until else None

    async def _wait(self, task: asyncio.Task[_Outcome], seconds: float) -> _Outcome:
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(task)
        except TimeoutError:
            return self._unreadable("the broker does not answer in time")

    def _start(self, priority: Priority) -> _Flight:
        if self._flight is None or self._flight.task.done():
            task = asyncio.create_task(self._read(priority), name=f"cash of {self._account.account_id}")
            self._flight = _Flight(task=task, priority=priority)
        return self._flight

    async def _read(self, priority: Priority) -> _Outcome:
        # The reading serves others too, so no single caller's deadline may end it.
        with use_deadline(None):
            try:
                snapshot = await self._take_snapshot(priority)
            except ServiceError as error:
                return error
        self._latest = snapshot
        return snapshot

    async def _take_snapshot(self, priority: Priority) -> Snapshot:
        deadline = self._clock.monotonic() + SNAPSHOT_SECONDS
        epoch, holds = await self._holds.read_open(self._account.account_id)
        previous = {} if self._latest is None else self._latest.sightings
        sightings = await self._lookout.look(holds, previous, priority)
        reading = await self._read_account(max(deadline - self._clock.monotonic(), 0.0), priority)
        return Snapshot(
            snapshot_id=uuid.uuid4().hex,
            account_id=self._account.account_id,
            epoch=epoch,
            reading=reading,
            usable_until=reading.requested_monotonic + self._max_age_seconds,
            sightings=sightings,
            rules=self._rules,
        )

    async def _read_account(self, seconds: float, priority: Priority) -> AccountReading:
        try:
            reading = await self._account.client.read_account(timeout=seconds, priority=priority)
        except ServiceError as error:
            self._account.observe_failure(error)
            raise self._unreadable(error.message) from error
        self._account.observe(reading)
        return reading

    def _unreadable(self, problem: str) -> CashUnreadable:
        return CashUnreadable(
            f"the cash of account {self._account.account_id} cannot be read: {problem}",
            metadata={"account_id": self._account.account_id},
        )
