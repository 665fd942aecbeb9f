"""What became of an order or a cancel that we sent, from nothing but the raw answer.

reliability.md, section 1: a definite refusal is 400, 401, 403, 404, 422 (but for "duplicate id"),
429, or a connection that failed before a byte was written. Everything else is unknown, and unknown
is settled by reading the order, never by assuming.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from types import MappingProxyType

from broker.faults import are_credentials_refused, rate_wait
from broker.raw_answer import BrokerFault, CallError, CallRecord, RawAnswer, read_fault
from broker.raw_json import UnreadableAnswer
from broker.report_parsing import broker_order
from broker.reports import BrokerOrder

__all__ = [
    "Accepted",
    "CancelOutcome",
    "CancelRefused",
    "CancelRequested",
    "CancelUnknown",
    "DuplicateClientOrderId",
    "RefusalKind",
    "Refused",
    "Submission",
    "Unknown",
    "classify_cancel",
    "classify_submission",
]

_DEFINITE = frozenset({400, 401, 403, 404, 422, 429})
_DUPLICATE = re.compile(r"client.?order.?id.*\b(unique|duplicate|already|exists|used)\b", re.IGNORECASE)
_RAW_SHOWN = 4096


class RefusalKind(Enum):
    """What a definite refusal says about trying again."""

    REJECTED = "rejected"
    """The broker will not take this order, or this cancel."""
    NOT_FOUND = "not_found"
    """The broker knows no such order."""
    CREDENTIALS = "credentials"
    """The account's keys are not accepted."""
    RATE_LIMITED = "rate_limited"
    """Too many requests; the same may be accepted after `retry_after`."""
    NOT_SENT = "not_sent"
    """No connection, so the broker has not seen it; the same may be accepted later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The broker has the order. It may still reject it later, so read it back."""

    order_id: str
    order: BrokerOrder | None
    """`None` where the answer names the order but the rest could not be read; read the order then."""
    call: CallRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The broker has definitely not taken the order."""

    kind: RefusalKind
    http_status: int | None
    """`None` when nothing was sent."""
    code: int | None
    message: str
    extra: Mapping[str, str]
    """Further fields of the refusal, such as buying_power or existing_qty."""
    raw: str = field(repr=False)
    """The body, at most 4,096 characters of it."""
    retry_after: timedelta | None
    call: CallRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateClientOrderId:
    """An order with this client_order_id exists already: ours, if we sent it before. Read it."""

    message: str
    call: CallRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The broker may or may not have the order; nothing but reading it tells."""

    problem: str
    call: CallRecord


Submission = Accepted | Refused | DuplicateClientOrderId | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested:
    """The broker took the request to cancel. The order may still fill; read it."""

    call: CallRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRefused:
    """The broker has not taken the request: the order may be final, unknown, or not cancelable now."""

    kind: RefusalKind
    http_status: int | None
    code: int | None
    message: str
    retry_after: timedelta | None
    call: CallRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelUnknown:
    """The broker may or may not cancel; read the order. Cancelling again is safe."""

    problem: str
    call: CallRecord


CancelOutcome = CancelRequested | CancelRefused | CancelUnknown


def classify_submission(result: RawAnswer | CallError, *, client_order_id: str) -> Submission:
    """What became of a POST that carried this client_order_id."""
    if isinstance(result, CallError):
        return (
            Unknown(problem=str(result), call=result.record) if result.request_written else _not_sent(result)
        )
    if result.is_success:
        return _accepted(result, client_order_id)
    fault = read_fault(result)
    # Broader than the one documented form: taking a duplicate for a refusal would lose an order,
    # taking a refusal for a duplicate costs one read.
    if 400 <= result.status < 500 and _DUPLICATE.search(fault.message):
        return DuplicateClientOrderId(message=fault.message, call=result.record)
    if result.status not in _DEFINITE:
        return Unknown(problem=f"HTTP {result.status}: {fault.message}", call=result.record)
    return Refused(
        kind=_kind(result.status, fault),
        http_status=result.status,
        code=fault.code,
        message=fault.message,
        extra=MappingProxyType(dict(fault.extra)),
        raw=result.body[:_RAW_SHOWN].decode("utf-8", "replace"),
        retry_after=rate_wait(result) if result.status == 429 else None,
        call=result.record,
    )


def classify_cancel(result: RawAnswer | CallError) -> CancelOutcome:
    """What became of a request to cancel one order."""
    if isinstance(result, CallError):
        if result.request_written:
            return CancelUnknown(problem=str(result), call=result.record)
        return CancelRefused(
            kind=RefusalKind.NOT_SENT,
            http_status=None,
            code=None,
            message=str(result),
            retry_after=None,
            call=result.record,
        )
    if result.is_success:
        return CancelRequested(call=result.record)
    fault = read_fault(result)
    if result.status not in _DEFINITE:
        return CancelUnknown(problem=f"HTTP {result.status}: {fault.message}", call=result.record)
    return CancelRefused(
        kind=RefusalKind.NOT_FOUND if result.says_absent else _kind(result.status, fault),
        http_status=result.status,
        code=fault.code,
        message=fault.message,
        retry_after=rate_wait(result) if result.status == 429 else None,
        call=result.record,
    )


def _accepted(answer: RawAnswer, client_order_id: str) -> Accepted | Unknown:
    try:
        body = answer.json()
    except UnreadableAnswer as e:
        return Unknown(problem=str(e), call=answer.record)
    order_id = body.get("id") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(order_id, str) or not order_id:
        return Unknown(problem=f"HTTP {answer.status} names no order", call=answer.record)
    # An answer to somebody else's request would bind a stranger's order to this intent.
    if body.get("client_order_id", client_order_id) != client_order_id:
        return Unknown(problem="the answer names another client_order_id", call=answer.record)
    try:
        order = broker_order(body)
    except UnreadableAnswer:
        order = None
    return Accepted(order_id=order_id, order=order, call=answer.record)


def _not_sent(failure: CallError) -> Refused:
    return Refused(
        kind=RefusalKind.NOT_SENT,
        http_status=None,
        code=None,
        message=str(failure),
        extra=MappingProxyType({}),
        raw="",
        retry_after=None,
        call=failure.record,
    )


def _kind(status: int, fault: BrokerFault) -> RefusalKind:
    if status == 429:
        return RefusalKind.RATE_LIMITED
    if are_credentials_refused(status, fault):
        return RefusalKind.CREDENTIALS
    return RefusalKind.REJECTED
