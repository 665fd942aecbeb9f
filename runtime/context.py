"""What travels with one request through a process: its id and the moment its caller stops waiting."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Self

from runtime.clock import SYSTEM_CLOCK, Clock

REQUEST_ID_KEY: Final = "x-request-id"
DEADLINE_MARGIN_SECONDS: Final = 0.050
"""Kept back of the caller's time, so that our own answer still reaches it (reliability.md, section 6)."""

_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """A point in monotonic time, in seconds, after which the caller no longer waits."""

    at: float

    @classmethod
    def after(cls, seconds: float, clock: Clock = SYSTEM_CLOCK) -> Self:
        """The deadline that lies `seconds` from now."""
        return cls(at=clock.monotonic() + seconds)

    def remaining(self, clock: Clock = SYSTEM_CLOCK) -> float:
        """Seconds left; negative once it has passed."""
        return self.at - clock.monotonic()


request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def current_request_id() -> str | None:
    """The id of the request being served, or `None` outside of one."""
    return request_id.get()


def new_request_id() -> str:
    """A fresh id, unique without coordination."""
    return uuid.uuid4().hex


def accept_request_id(received: str | None) -> str:
    """The caller's id where it is fit for logs and metadata, else a fresh one."""
    if received is not None and _ACCEPTABLE_ID.fullmatch(received):
        return received
    return new_request_id()


@contextmanager
def use_request_id(value: str) -> Iterator[str]:
    """Gives everything inside, and every task started inside, this request id."""
    token = request_id.set(value)
    try:
        yield value
    finally:
        request_id.reset(token)


@contextmanager
def use_deadline(value: Deadline | None) -> Iterator[None]:
    """Bounds everything inside by this deadline; `None` frees work that must outlive its caller."""
    token = deadline.set(value)
    try:
        yield
    finally:
        deadline.reset(token)


def remaining_seconds(cap: float, clock: Clock = SYSTEM_CLOCK) -> float:
    """Seconds an outgoing call may take: the smaller of `cap` and the caller's time less 50 ms, at least 0.

    Without a deadline it is `cap`.
    """
    current = deadline.get()
    if current is None:
        return cap
    return max(0.0, min(cap, current.remaining(clock) - DEADLINE_MARGIN_SECONDS))
