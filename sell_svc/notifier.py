"""Carries notices to people, off the trading path: nobody waits for it, and it gives up in time (S-33)."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from typing import Final, Protocol, Self

from loguru import logger

from runtime.clock import Clock
from sell_svc.notice import Notice, NoticeKind

MAX_WAITING: Final = 1_000
"""Of one channel; beyond it the oldest are dropped and counted (I14)."""
BATCH: Final = 10
"""Notices in one message: a close window that sells everything must not take hours to tell."""
SEND_SECONDS: Final = 5.0
DRAIN_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 3600.0
"""How long a cause is left alone after it was told."""
MAX_CAUSES: Final = 10_000


class NotDelivered(Exception):
    """The channel did not take the message; the text says why and holds no address."""


class Channel(Protocol):
    """One way to reach people."""

    @property
    def name(self) -> str:
        """As the log calls it; an address can be a secret."""
        ...

    async def send(self, notices: Sequence[Notice]) -> None:
        """Delivers all of them as one message. Raises NotDelivered."""
        ...


class Notifier:
    """Takes notices at any time without waiting and delivers them on each channel by itself (`async with`)."""

    def __init__(
        self,
        channels: Sequence[Channel],
        *,
        clock: Clock,
        send_seconds: float = SEND_SECONDS,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self._lanes = tuple(_Lane(one, send_seconds) for one in channels)
        self._causes = _Causes(clock)
        self._drain_seconds = drain_seconds

    @property
    def undelivered(self) -> int:
        """Notices that some channel did not take, or that were too many."""
        return sum(lane.lost for lane in self._lanes)

    def tell(self, notice: Notice) -> None:
        """Queues it, unless its cause was told lately; never waits and never fails."""
        if self._lanes and self._causes.is_news(notice):
            for lane in self._lanes:
                lane.add(notice)

    async def __aenter__(self) -> Self:
        for lane in self._lanes:
            lane.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(lane.close(self._drain_seconds) for lane in self._lanes))


class _Causes:
    """Which causes were told lately."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told: dict[tuple[NoticeKind, str], float] = {}

    def is_news(self, notice: Notice) -> bool:
        if not notice.cause:
            return True
        key, now = (notice.kind, notice.cause), self._clock.monotonic()
        told = self._told.get(key)
        if told is not None and now - told < AGAIN_SECONDS:
            return False
        self._told.pop(key, None)
        self._told[key] = now
        if len(self._told) > MAX_CAUSES:
            # The one told longest ago; to tell it again is better than to grow for ever.
            del self._told[next(iter(self._told))]
        return True


class _Lane:
    """The queue of one channel and the task that empties it: a slow channel delays no other."""

    def __init__(self, channel: Channel, send_seconds: float) -> None:
        self.lost = 0
        self._channel = channel
        self._send_seconds = send_seconds
        self._waiting: deque[Notice] = deque()
        self._changed = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._trouble = ""

    def add(self, notice: Notice) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(notice)
        self._changed.set()

    def start(self) -> None:
        # A context of its own: no deadline of a call may end the deliveries of others.
        self._task = asyncio.create_task(self._run(), name=f"notify-{self._channel.name}", context=Context())

    async def close(self, seconds: float) -> None:
        self._closing = True
        self._changed.set()
        if self._task is None:
            return
        _, pending = await asyncio.wait({self._task}, timeout=seconds)
        if pending:
            self._task.cancel()
            await asyncio.wait({self._task})
            self.lost += len(self._waiting)
            self._complain(f"{len(self._waiting)} notices were given up at the end")

    async def _run(self) -> None:
        while True:
            while self._waiting:
                await self._deliver([self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))])
            if self._closing:
                return
            self._changed.clear()
            await self._changed.wait()

    async def _deliver(self, notices: Sequence[Notice]) -> None:
        try:
            async with asyncio.timeout(self._send_seconds):
                await self._channel.send(notices)
            self._trouble = ""
        except TimeoutError:
            self._failed(notices, f"no answer within {self._send_seconds:g} s")
        except NotDelivered as error:
            self._failed(notices, str(error))
        except Exception as error:  # noqa: BLE001 - the top of a task: a channel's bug must not end its deliveries
            # No traceback: a channel's address is a secret and stands in its frames.
            self._failed(notices, type(error).__name__)

    def _failed(self, notices: Sequence[Notice], trouble: str) -> None:
        self.lost += len(notices)
        self._complain(trouble)

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            logger.warning(f"Notices by {self._channel.name} are not delivered: {trouble}")
        self._trouble = trouble
