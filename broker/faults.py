"""Why the broker did not give what was asked: the errors of every read, and what each means.

    Unavailable
    +-- BrokerUnreachable      no usable answer; asking again is safe
    +-- UnreadableAnswer       (raw_json) an answer that cannot be understood
    FailedPrecondition
    +-- CredentialsRefused     the account's keys are not accepted
    +-- BrokerRefused          the broker understood and said no
    ResourceExhausted
    +-- RateLimited            Alpaca's own limit (429); wait
    +-- RateBudgetExhausted    (rate_gate) our budget below that limit; nothing was sent

Each carries in `metadata` what is known of http_status, broker_code, broker_message and x_request_id.
"""

from datetime import datetime, timedelta

from broker.raw_answer import BrokerFault, CallError, CallRecord, RawAnswer, read_fault
from broker.raw_json import UnreadableAnswer
from runtime.errors import FailedPrecondition, ResourceExhausted, ServiceError, Unavailable

__all__ = [
    "BrokerRefused",
    "BrokerUnreachable",
    "CredentialsRefused",
    "RateLimited",
    "are_credentials_refused",
    "call_metadata",
    "classify_read",
    "classify_read_failure",
    "rate_wait",
]

_RETRY_SOON = timedelta(seconds=1)
_RATE_WINDOW = timedelta(seconds=60)


class BrokerUnreachable(Unavailable):
    """The broker gave no usable answer; nothing was changed by a read, so a retry is safe."""

    reason = "BROKER_UNREACHABLE"


class CredentialsRefused(FailedPrecondition):
    """The broker does not accept the account's keys at this endpoint; someone must correct them."""

    reason = "BROKER_CREDENTIALS_REFUSED"


class BrokerRefused(FailedPrecondition):
    """The broker understood the request and refused it; its code and text are in the metadata."""

    reason = "BROKER_REFUSED"


class RateLimited(ResourceExhausted):
    """Alpaca counts too many requests of this account; nothing was done."""

    reason = "BROKER_RATE_LIMITED"


def classify_read(answer: RawAnswer) -> ServiceError:
    """The error that a read's unsuccessful answer is."""
    fault = read_fault(answer)
    metadata = _metadata(answer, fault)
    if answer.status == 429:
        return RateLimited(
            "Alpaca's request limit for this account is used up",
            metadata=metadata,
            retry_after=rate_wait(answer),
        )
    if are_credentials_refused(answer.status, fault):
        return CredentialsRefused(f"Alpaca refuses the account's keys: {fault.message}", metadata=metadata)
    if 300 <= answer.status < 400:
        return UnreadableAnswer(
            f"the broker redirects (HTTP {answer.status}); check alpaca.trading_url and alpaca.data_url",
            metadata=metadata,
        )
    if answer.status in (408, 425) or answer.status >= 500:
        return BrokerUnreachable(
            f"Alpaca failed: {fault.message}", metadata=metadata, retry_after=_RETRY_SOON
        )
    return BrokerRefused(f"Alpaca refused: {fault.message}", metadata=metadata)


def classify_read_failure(failure: CallError) -> BrokerUnreachable:
    """The error that a read without a complete answer is."""
    return BrokerUnreachable(f"Alpaca did not answer: {failure}", retry_after=_RETRY_SOON)


def are_credentials_refused(status: int, fault: BrokerFault) -> bool:
    """Whether an answer is about the keys: 401, or a 403 without the code that refused orders have."""
    return status == 401 or (status == 403 and fault.code is None)


def rate_wait(answer: RawAnswer) -> timedelta | None:
    """How long a 429 asks to wait, `None` where it does not say; never above the 60 s of Alpaca's window."""
    rate = answer.rate
    if rate.retry_after is not None:
        return min(rate.retry_after, _RATE_WINDOW)
    if rate.reset_at is not None:
        return _until(rate.reset_at, answer.record.started_at)
    return None


def call_metadata(record: CallRecord) -> dict[str, str]:
    """What identifies a call for support: the HTTP status and Alpaca's id of it."""
    known = {
        "http_status": None if record.http_status is None else str(record.http_status),
        "x_request_id": record.x_request_id,
    }
    return {name: value for name, value in known.items() if value is not None}


def _metadata(answer: RawAnswer, fault: BrokerFault) -> dict[str, str]:
    told = {"broker_message": fault.message}
    if fault.code is not None:
        told["broker_code"] = str(fault.code)
    return call_metadata(answer.record) | told


def _until(moment: datetime, now: datetime) -> timedelta:
    # The clocks of two machines: a reset in the past, or hours away, is their difference.
    return max(timedelta(0), min(moment - now, _RATE_WINDOW))
