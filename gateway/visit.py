"""What is known of the HTTP request being served, from the moment its caller is known to the last byte."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from gateway.auth.callers import Caller


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request; filled in as it passes the layers, read by those further in and by the answer."""

    started: float
    """Monotonic seconds."""
    caller: Caller | None = None
    """`None` until someone has let it in."""
    client_ip: str = ""
    """The address that vouches for it; empty where nothing trustworthy names one."""
    is_trusted: bool = False
    """Whether /v1 would serve its address without a token."""
    authorization: str | None = None
    """The Authorization header, if there is exactly one."""
    idempotency_key: str = ""
    """The Idempotency-Key header; empty for none."""
    is_unsettled: bool = False
    """Whether the order it placed has no known outcome yet: HTTP 202."""
    is_timed: bool = False
    """Whether the answer tells how long it took."""
    status: int | None = None
    """Of the answer, once it has begun."""
    headers: list[tuple[str, str]] = field(default_factory=list)
    """What every answer to it carries beside its own headers."""

    def known_caller(self) -> Caller:
        """The caller; raises LookupError before anyone has let it in."""
        if self.caller is None:
            raise LookupError("nobody has let this request in")
        return self.caller


_current: ContextVar[Visit] = ContextVar("visit")


def current_visit() -> Visit:
    """The request being served in this task; raises LookupError outside of one."""
    return _current.get()


@contextmanager
def use_visit(visit: Visit) -> Iterator[Visit]:
    """Makes it the current one for everything inside."""
    token = _current.set(visit)
    try:
        yield visit
    finally:
        _current.reset(token)
