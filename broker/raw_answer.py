"""What one HTTP call brought: the answer as it came, or why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum

from broker.raw_json import UnreadableAnswer, decode

__all__ = ["BrokerFault", "CallError", "CallRecord", "FailureKind", "RateHeaders", "RawAnswer", "read_fault"]

_MAX_MESSAGE = 500
_ABSENT_CODES = range(40_400_000, 40_500_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """When a call ran and what the broker calls it; for logs and the timing line."""

    started_at: datetime
    started: float
    """Monotonic seconds, when the request was handed to the transport."""
    finished: float
    """Monotonic seconds, when the whole answer was read or the call failed."""
    http_status: int | None = None
    x_request_id: str | None = None
    """Alpaca's id of the call; it cannot be looked up later, so log it."""

    @property
    def duration_ms(self) -> int:
        """Alpaca's part of the time: connection, request and answer."""
        return round((self.finished - self.started) * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class RateHeaders:
    """What Alpaca says about its request budget; each part may be absent."""

    limit: int | None
    """Requests a minute."""
    remaining: int | None
    reset_at: datetime | None
    retry_after: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFault:
    """The error that an answer describes, in the broker's words."""

    code: int | None
    """Alpaca's, such as 40310000; absent from many 401, 403 and 429 answers."""
    message: str
    extra: Mapping[str, str]
    """Further fields of the body: buying_power, existing_qty, …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """One HTTP answer, complete and untouched."""

    status: int
    headers: Mapping[str, str]
    """Case-insensitive."""
    body: bytes = field(repr=False)
    record: CallRecord

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx; a redirect is none, we never follow one."""
        return 200 <= self.status < 300

    def json(self) -> object:
        """The decoded body, `None` when it is empty; raises UnreadableAnswer."""
        return decode(self.body) if self.body.strip() else None

    @property
    def rate(self) -> RateHeaders:
        """The rate headers, those that can be read."""
        reset = _integer(self.headers.get("X-RateLimit-Reset"))
        wait = _integer(self.headers.get("Retry-After"))
        return RateHeaders(
            limit=_integer(self.headers.get("X-RateLimit-Limit")),
            remaining=_integer(self.headers.get("X-RateLimit-Remaining")),
            reset_at=None if reset is None else datetime.fromtimestamp(reset, UTC),
            retry_after=None if wait is None else timedelta(seconds=wait),
        )

    @property
    def says_absent(self) -> bool:
        """Whether the broker itself says that the thing does not exist.

        A proxy's or a wrong path's 404 has no such code and proves nothing (promise I10).
        """
        return self.status == 404 and read_fault(self).code in _ABSENT_CODES


class FailureKind(Enum):
    """What ended a call without an answer."""

    CONNECT = "no connection"
    LOST = "connection lost"
    DEADLINE = "deadline passed"
    TOO_LARGE = "answer too large"
    NOT_HTTP = "answer is not HTTP"


class CallError(Exception):
    """A call ended without a complete answer."""

    def __init__(self, kind: FailureKind, text: str, *, request_written: bool, record: CallRecord) -> None:
        super().__init__(f"{kind.value}: {text}")
        self.kind = kind
        self.request_written = request_written
        """False only if no byte of the request can have left: then the broker has not seen it."""
        self.record = record


def read_fault(answer: RawAnswer) -> BrokerFault:
    """The error in an answer's body; an unreadable body gives a message that says so."""
    try:
        body = answer.json()
    except UnreadableAnswer:
        return BrokerFault(code=None, message=f"HTTP {answer.status}, body is not JSON", extra={})
    if not isinstance(body, dict):
        return BrokerFault(code=None, message=f"HTTP {answer.status}", extra={})
    code, message = body.get("code"), body.get("message")
    return BrokerFault(
        code=code if isinstance(code, int) and not isinstance(code, bool) else None,
        message=_clean(message) if isinstance(message, str) and message else f"HTTP {answer.status}",
        extra={
            _clean(name): _clean(str(value))
            for name, value in body.items()
            if name not in ("code", "message") and value is not None
        },
    )


def _clean(text: str) -> str:
    """Text of a stranger made fit for one log line."""
    printable = "".join(c if c.isprintable() else " " for c in text[:_MAX_MESSAGE])
    return printable if len(text) <= _MAX_MESSAGE else f"{printable}…"


def _integer(text: str | None) -> int | None:
    """A header's whole number; hostile or fancy values are as good as absent."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 10:
        return None
    return int(text)
