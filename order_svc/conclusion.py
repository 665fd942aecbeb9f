"""What an answer to a POST means for the order: the event, the evidence and the refusal; pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from broker.outcomes import (
    Accepted,
    DuplicateClientOrderId,
    RefusalKind,
    Refused,
    Submission,
    Unknown,
)
from broker.reports import BrokerOrder
from order_svc.identifiers import OrderId
from order_svc.lifecycle import OrderEvent, event_of
from order_svc.records import Refusal, Step
from order_svc.refusals import BrokerRateLimited, BrokerUnreachable, OrderRejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What to record after the one POST of an order."""

    step: Step
    broker_ms: int
    answered: bool
    """Whether the broker said anything."""
    order_id: OrderId | None = None
    order: BrokerOrder | None = None
    refusal: Refusal | None = None
    look_up_at_once: bool = False
    """The broker has an order with this client_order_id already: only reading it tells whether it is ours."""


def conclude(submission: Submission) -> Conclusion:
    """The conclusion that reliability.md, section 1, draws from the raw answer."""
    match submission:
        case Accepted():
            return _accepted(submission)
        case Refused():
            return _refused(submission)
        case DuplicateClientOrderId():
            return Conclusion(
                step=Step(
                    event=OrderEvent.ANSWER_LOST,
                    evidence=f"broker says the client_order_id exists: {submission.message}",
                ),
                broker_ms=submission.call.duration_ms,
                answered=True,
                look_up_at_once=True,
            )
        case Unknown():
            return Conclusion(
                step=Step(event=OrderEvent.ANSWER_LOST, evidence=f"no usable answer: {submission.problem}"),
                broker_ms=submission.call.duration_ms,
                answered=submission.call.http_status is not None,
            )


def _accepted(answer: Accepted) -> Conclusion:
    order = answer.order
    event = OrderEvent.REPORTED_WORKING if order is None else event_of(order)
    status = "unread" if order is None else order.status_text
    return Conclusion(
        step=Step(event=event, evidence=f"broker answer {answer.call.http_status}, status {status}"),
        broker_ms=answer.call.duration_ms,
        answered=True,
        order_id=OrderId(answer.order_id),
        order=order,
        refusal=_rejection(status) if event is OrderEvent.REPORTED_REJECTED else None,
    )


def _rejection(status: str) -> Refusal:
    return Refusal(
        reason=OrderRejected.reason,
        text="the broker took the order and rejected it at once",
        metadata={"broker_status": status},
    )


def _refused(answer: Refused) -> Conclusion:
    unsent = answer.kind is RefusalKind.NOT_SENT
    evidence = (
        f"no connection, nothing left: {answer.message}"
        if unsent
        else f"broker answer {answer.http_status}, code {answer.code}: {answer.message}"
    )
    return Conclusion(
        step=Step(
            event=OrderEvent.FOUND_UNSENT if unsent else OrderEvent.REFUSED_BY_BROKER, evidence=evidence
        ),
        broker_ms=answer.call.duration_ms,
        answered=not unsent,
        refusal=Refusal(
            reason=_REASONS.get(answer.kind, OrderRejected.reason),
            text=answer.message,
            metadata=_metadata(answer),
            broker_answer=answer.raw,
        ),
    )


_REASONS: Mapping[RefusalKind, str] = {
    RefusalKind.NOT_SENT: BrokerUnreachable.reason,
    RefusalKind.RATE_LIMITED: BrokerRateLimited.reason,
}


def _metadata(answer: Refused) -> dict[str, str]:
    known = {
        **answer.extra,
        "broker_status": None if answer.http_status is None else str(answer.http_status),
        "broker_code": None if answer.code is None else str(answer.code),
        "broker_message": answer.message,
        "broker_request_id": answer.call.x_request_id,
    }
    return {name: value for name, value in known.items() if value}
