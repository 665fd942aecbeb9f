"""How far a cancellation has come: judged from what was read, hardly from what was answered; pure."""

from enum import Enum
from typing import Final

from broker.outcomes import CancelOutcome, CancelRefused, CancelRequested, CancelUnknown, RefusalKind
from broker.reports import BrokerOrder, OrderStatus
from order_svc.lifecycle import OrderState
from order_svc.records import UNKNOWN_OUTCOME
from order_svc.refusals import BrokerRateLimited, BrokerUnreachable, CancelRejected
from runtime.errors import ServiceError

CANCEL_PENDING: Final = "cancel_pending"
"""The `error` of a cancellation that the broker took but that was not read as done in time."""


class Outcome(Enum):
    """How far a cancellation has come."""

    REQUESTED = "requested"
    """The broker took the request; the order may still fill."""
    CANCELED = "canceled"
    """The order was read as cancelled."""
    ALREADY_FINAL = "already_final"
    """The order had ended otherwise."""
    UNKNOWN = "unknown"
    """The answer was lost and the order is not read as ended."""
    REFUSED = "refused"
    """The broker does not cancel it, and it was not read as ended: an error to the caller."""


def judge(answer: CancelOutcome | None, state: OrderState, report: BrokerOrder | None) -> Outcome:
    """The outcome by the state that was read; the broker's answer counts only while that is open."""
    if state is OrderState.CANCELED:
        return Outcome.CANCELED
    if state.is_final:
        return Outcome.ALREADY_FINAL
    # A second request while the first is pending is refused, and pending all the same.
    if report is not None and report.status is OrderStatus.PENDING_CANCEL:
        return Outcome.REQUESTED
    match answer:
        case CancelRequested():
            return Outcome.REQUESTED
        case CancelRefused():
            return Outcome.REFUSED
        case CancelUnknown() | None:
            return Outcome.UNKNOWN


def error_word(outcome: Outcome, state: OrderState) -> str:
    """The `error` of the attempt's line; empty only where the order was read as cancelled."""
    match outcome:
        case Outcome.CANCELED:
            return ""
        case Outcome.ALREADY_FINAL:
            return f"already_{state.value}"
        case Outcome.REQUESTED:
            return CANCEL_PENDING
        case Outcome.UNKNOWN:
            return UNKNOWN_OUTCOME
        case Outcome.REFUSED:
            return CancelRejected.reason.lower()


def refusal_error(answer: CancelOutcome | None, *, account_id: str, order: str) -> ServiceError | None:
    """The error of a request that the broker refused."""
    if not isinstance(answer, CancelRefused):
        return None
    if answer.kind is RefusalKind.NOT_SENT:
        return BrokerUnreachable(f"order {order} not cancelled: {answer.message}")
    metadata = {
        "account_id": account_id,
        "order": order,
        "broker_status": str(answer.http_status),
        "broker_code": "" if answer.code is None else str(answer.code),
        "broker_message": answer.message,
    }
    leaf = BrokerRateLimited if answer.kind is RefusalKind.RATE_LIMITED else CancelRejected
    return leaf(
        f"the broker does not cancel order {order}: {answer.message}",
        metadata=metadata,
        retry_after=answer.retry_after,
    )
