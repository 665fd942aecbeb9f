"""What the journal holds: orders, attempts and transitions, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from broker.reports import OrderSide
from order_svc.content import OrderContent
from order_svc.identifiers import AttemptId, OrderId, OrderKey
from order_svc.lifecycle import OrderEvent, OrderState
from order_svc.timing_line import AttemptKind, Timing

UNKNOWN_OUTCOME = "unknown_outcome"
"""The `error` of an attempt that ended before its outcome was known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an order was denied, rejected or not placed."""

    reason: str
    """UPPER_SNAKE; `refusals` has one error class for each."""
    text: str
    """In words, the broker's where it was the broker."""
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The figures behind it."""
    broker_answer: str = ""
    """The broker's raw answer, where it was the broker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """One intent and everything known of its order."""

    key: OrderKey
    content: OrderContent
    state: OrderState
    account_number: str
    account_type: str
    """paper or live; empty when not known."""
    received_at: datetime
    refusal: Refusal | None = None
    order_id: OrderId | None = None
    broker_status: str = ""
    filled_qty: Decimal = Decimal(0)
    filled_avg_price: Decimal | None = None
    submitted_at: datetime | None = None
    filled_at: datetime | None = None
    """Of the last fill: the broker's stamp, else when we first saw it."""
    canceled_at: datetime | None = None
    duration_ms: int = 0
    broker_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One try to place or cancel, with the figures of its timing line."""

    attempt_id: AttemptId
    kind: AttemptKind
    key: OrderKey
    order_id: OrderId | None
    side: OrderSide | None
    symbol: str
    qty: Decimal | None
    notional: Decimal | None
    account_number: str
    account_type: str
    request_id: str
    received_at: datetime
    authorized_at: datetime | None = None
    sent_at: datetime | None = None
    answered_at: datetime | None = None
    completed_at: datetime | None = None
    """`None` while under way."""
    duration_ms: int = 0
    broker_ms: int | None = None
    error: str = ""
    """lower_snake; empty for success and while under way."""
    detail: str = ""
    recovered: bool = False
    reason: str = ""
    """Why a cancellation was asked for, in its caller's words."""

    @property
    def success(self) -> bool:
        """Whether it did what it tried."""
        return self.completed_at is not None and not self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One change of an order's state."""

    state: OrderState
    at: datetime
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something seen to happen to an order, and what showed it."""

    event: OrderEvent
    evidence: str


def timing_of(attempt: AttemptRecord) -> Timing:
    """The figures of the attempt's line; raises ValueError while it is under way."""
    if attempt.completed_at is None:
        raise ValueError(f"attempt {attempt.attempt_id} is under way")
    return Timing(
        kind=attempt.kind,
        attempt_id=attempt.attempt_id,
        side=attempt.side,
        symbol=attempt.symbol,
        qty=attempt.qty,
        notional=attempt.notional,
        order_id=attempt.order_id or "",
        client_order_id=attempt.key.client_order_id,
        account_id=attempt.key.account_id,
        account_number=attempt.account_number,
        account_type=attempt.account_type,
        request_id=attempt.request_id,
        started_at=attempt.received_at,
        completed_at=attempt.completed_at,
        duration_ms=attempt.duration_ms,
        broker_ms=attempt.broker_ms,
        error=attempt.error,
        detail=attempt.detail,
        recovered=attempt.recovered,
        reason=attempt.reason,
    )
