"""The line of FR-005 that every attempt to place or cancel leaves, exactly one each (promise I7); pure.

The heads are pinned, parsers of the old system read them:

    Order placed: BUY AAPL qty=100 | order_id=abc123 | duration=245ms | success=true | …
    Order failed: SELL TSLA qty=50 | duration=1200ms | error=insufficient_balance | …

`Order cancelled:` and `Cancel failed:` have the same two forms. `Order resolved:` is no attempt's line:
it tells what became of an order whose attempt ended unknown. After the head come `key=value` fields.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Final

from broker.reports import OrderSide

MAX_DETAIL_CHARACTERS: Final = 300

_ABSENT: Final = "-"
_PLAIN: Final = re.compile(r"[!#-<>-{}~]+")
"""Printable ASCII but for the space, the double quote, the equals sign and the bar."""


class Level(Enum):
    """The log level of a line."""

    INFO = "INFO"
    ERROR = "ERROR"


class AttemptKind(Enum):
    """What an attempt tried."""

    PLACE = "place"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One attempt's figures, as far as they are known."""

    kind: AttemptKind
    attempt_id: str
    side: OrderSide | None
    symbol: str
    qty: Decimal | None
    notional: Decimal | None
    """USD, of an order by amount."""
    order_id: str
    """The broker's; empty when it never acknowledged."""
    client_order_id: str
    account_id: str
    account_number: str
    account_type: str
    """paper or live; empty when not known."""
    request_id: str
    started_at: datetime
    completed_at: datetime
    duration_ms: int
    """From receipt to outcome, the broker's part included."""
    broker_ms: int | None
    """The broker's part; `None` when nothing was sent or the process died before the answer."""
    error: str
    """lower_snake; empty for success."""
    detail: str
    """The error in words."""
    recovered: bool = False
    """Written by a later process than the one that tried."""
    reason: str = ""
    """Why a cancellation was asked for."""

    @property
    def success(self) -> bool:
        """Whether the attempt did what it tried."""
        return not self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What to write, and how loud."""

    level: Level
    text: str


_PLACE_HEADS: Final = ("Order placed", "Order failed")
_CANCEL_HEADS: Final = ("Order cancelled", "Cancel failed")


def attempt_line(timing: Timing) -> Line:
    """The one line of an attempt."""
    succeeded, failed = _PLACE_HEADS if timing.kind is AttemptKind.PLACE else _CANCEL_HEADS
    fields = _success_fields(timing) if timing.success else _failure_fields(timing)
    return Line(
        level=Level.INFO if timing.success else Level.ERROR,
        text=_line(succeeded if timing.success else failed, timing, fields),
    )


def resolved_line(timing: Timing, *, state: str, resolved_at: datetime, unknown_ms: int | None) -> Line:
    """What became of an order whose attempt had ended unknown; carries `of_attempt`, not `attempt`."""
    fields = [
        ("order_id", timing.order_id),
        ("state", state),
        ("unknown_ms", "" if unknown_ms is None else str(unknown_ms)),
        ("account", timing.account_id),
        ("client_order_id", timing.client_order_id),
        ("resolved_at", _stamp(resolved_at)),
        ("of_attempt", timing.attempt_id),
    ]
    return Line(level=Level.INFO, text=_line("Order resolved", timing, iter(fields)))


def _line(head: str, timing: Timing, fields: Iterator[tuple[str, str]]) -> str:
    side = _ABSENT if timing.side is None else timing.side.value.upper()
    qty = _ABSENT if timing.qty is None else plain(timing.qty)
    start = f"{head}: {side} {_one_word(timing.symbol) or _ABSENT} qty={qty}"
    return " | ".join([start, *(f"{name}={_value(value)}" for name, value in fields)])


def _success_fields(timing: Timing) -> Iterator[tuple[str, str]]:
    # Old parsers read up to the next space here.
    yield "order_id", _one_word(timing.order_id)
    yield "duration", f"{timing.duration_ms}ms"
    yield "success", "true"
    yield from _common_fields(timing)


def _failure_fields(timing: Timing) -> Iterator[tuple[str, str]]:
    yield "duration", f"{timing.duration_ms}ms"
    yield "error", timing.error
    yield from _common_fields(timing)
    if timing.order_id:
        yield "order_id", timing.order_id
    if timing.detail:
        yield "detail", timing.detail[:MAX_DETAIL_CHARACTERS]


def _common_fields(timing: Timing) -> Iterator[tuple[str, str]]:
    yield "account", timing.account_id
    yield "account_number", timing.account_number
    yield "account_type", timing.account_type
    yield "started_at", _stamp(timing.started_at)
    yield "completed_at", _stamp(timing.completed_at)
    yield "client_order_id", timing.client_order_id
    yield "request_id", timing.request_id
    yield "broker_ms", "" if timing.broker_ms is None else str(timing.broker_ms)
    yield "attempt", timing.attempt_id
    if timing.notional is not None:
        yield "notional", plain(timing.notional)
    if timing.reason:
        yield "reason", timing.reason[:MAX_DETAIL_CHARACTERS]
    if timing.recovered:
        yield "recovered", "true"


def plain(value: Decimal) -> str:
    """A decimal without exponent and without zeros that say nothing."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _stamp(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def _value(text: str) -> str:
    """One field's value: bare where it cannot be misread, else a JSON string that holds no bar."""
    if not text:
        return _ABSENT
    if _PLAIN.fullmatch(text) and text != _ABSENT:
        return text
    # A bar or a line break in a stranger's text must not look like the next field or line.
    return json.dumps(text).replace("|", "\\u007c")


def _one_word(text: str) -> str:
    return "".join(character if _PLAIN.fullmatch(character) else "?" for character in text)
