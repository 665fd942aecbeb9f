"""Why an order or a cancellation was refused: one leaf of the error tree for each reason.

    FailedPrecondition
    +-- InsufficientBalance, AccountNotTradable, OrderNotionalExceeded,
    |   TradingHalted, ReduceOnly                                          denied: nothing was sent
    +-- OrderRejected, CancelRejected                                      the broker said no
    +-- OrderNotPlaced                                                     proven never to have arrived
    Unavailable
    +-- BalanceUnknown, AccountUnverified, BrokerUnreachable,
    |   NeverSent, SendDeadlinePassed                                      nothing was sent, retry
    +-- Recovering, Draining, JournalUnavailable                           not now, retry
    ResourceExhausted
    +-- OrderRateExceeded, RequestBudgetExhausted, BrokerRateLimited       nothing was taken, wait
    AlreadyExists
    +-- ClientOrderIdReused
    NotFound
    +-- OrderNotFound

An order that ended with a reason of the second or third group is tried again when its caller repeats
it: those errors promise that a retry makes sense, and nothing was taken. Every other outcome is final
for its client_order_id (promise I4).
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from broker.standing import AccountUnverified
from order_svc.records import OrderRecord, Refusal
from runtime.errors import (
    AlreadyExists,
    FailedPrecondition,
    NotFound,
    ResourceExhausted,
    ServiceError,
    Unavailable,
)

_SOON: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(seconds=60)
# Error details travel as metadata, of which many clients take 8 KB in all.
_MAX_BROKER_ANSWER: Final = 1500


class InsufficientBalance(FailedPrecondition):
    """Cash less holds is below the account's minimum (FR-002); nothing was sent."""

    reason = "INSUFFICIENT_BALANCE"


class AccountNotTradable(FailedPrecondition):
    """The account may not trade: disabled, blocked, or its type contradicts the configuration (I8)."""

    reason = "ACCOUNT_NOT_TRADABLE"


class OrderNotionalExceeded(FailedPrecondition):
    """The order is worth more than max_order_notional; nothing was sent."""

    reason = "ORDER_NOTIONAL_EXCEEDED"


class TradingHalted(FailedPrecondition):
    """The kill switch takes no new order; who ordered it, when and why is in the metadata."""

    reason = "TRADING_HALTED"


class ReduceOnly(FailedPrecondition):
    """The kill switch takes only orders that close a position; who ordered it, when and why is in the metadata."""

    reason = "REDUCE_ONLY"


class OrderRejected(FailedPrecondition):
    """The broker refused the order; its code, status, text and raw answer are in the metadata."""

    reason = "ORDER_REJECTED"


class CancelRejected(FailedPrecondition):
    """The broker refused the cancellation and the order is still open."""

    reason = "CANCEL_REJECTED"


class OrderNotPlaced(FailedPrecondition):
    """The answer was lost, and after its quarantine the broker knows no such order."""

    reason = "ORDER_NOT_PLACED"


class BalanceUnknown(Unavailable):
    """Cash is not known well enough, so nothing was sent (I6)."""

    reason = "BALANCE_UNKNOWN"


class BrokerUnreachable(Unavailable):
    """No connection to the broker could be made, so nothing was sent."""

    reason = "BROKER_UNREACHABLE"


class NeverSent(Unavailable):
    """The service stopped before it sent the order."""

    reason = "NEVER_SENT"


class SendDeadlinePassed(Unavailable):
    """The time for sending was over before the order could leave; nothing was sent."""

    reason = "SEND_DEADLINE_PASSED"


class Recovering(Unavailable):
    """The service has started and is still finding out what became of earlier orders."""

    reason = "RECOVERING"


class Draining(Unavailable):
    """The service is stopping and takes nothing new."""

    reason = "DRAINING"


class JournalUnavailable(Unavailable):
    """The journal cannot be read or written, so nothing is sent."""

    reason = "JOURNAL_UNAVAILABLE"


class OrderRateExceeded(ResourceExhausted):
    """The account has placed max_orders_per_minute already; nothing was sent."""

    reason = "ORDER_RATE_EXCEEDED"


class RequestBudgetExhausted(ResourceExhausted):
    """The account's request budget at the broker has no room; nothing was sent."""

    reason = "RATE_BUDGET_EXHAUSTED"


class BrokerRateLimited(ResourceExhausted):
    """The broker refused the order because of too many requests (429); it was not taken."""

    reason = "BROKER_RATE_LIMITED"


class ClientOrderIdReused(AlreadyExists):
    """The client_order_id belongs to another order; choose a new one."""

    reason = "CLIENT_ORDER_ID_REUSED"


class OrderNotFound(NotFound):
    """Neither the journal nor the broker has this order in this account."""

    reason = "ORDER_NOT_FOUND"


_CLASSES: Final[Mapping[str, type[ServiceError]]] = MappingProxyType(
    {
        leaf.reason: leaf
        for leaf in (
            InsufficientBalance,
            AccountNotTradable,
            OrderNotionalExceeded,
            TradingHalted,
            ReduceOnly,
            OrderRejected,
            OrderNotPlaced,
            BalanceUnknown,
            AccountUnverified,
            BrokerUnreachable,
            NeverSent,
            SendDeadlinePassed,
            OrderRateExceeded,
            RequestBudgetExhausted,
            BrokerRateLimited,
            ClientOrderIdReused,
        )
    }
)


def may_try_again(refusal: Refusal) -> bool:
    """Whether a repeat of the order by its caller is a new attempt rather than the stored outcome."""
    return issubclass(_class_of(refusal), Unavailable | ResourceExhausted)


def error_of(record: OrderRecord, refusal: Refusal) -> ServiceError:
    """The error that tells the caller why this order was refused."""
    leaf = _class_of(refusal)
    return leaf(refusal.text, metadata=_metadata(record, refusal), retry_after=_retry_after(leaf))


def _class_of(refusal: Refusal) -> type[ServiceError]:
    return _CLASSES[refusal.reason]


def _metadata(record: OrderRecord, refusal: Refusal) -> dict[str, str]:
    known = {
        "account_id": record.key.account_id,
        "account_number": record.account_number,
        "account_type": record.account_type,
        "client_order_id": record.key.client_order_id,
        "order_id": record.order_id or "",
        "broker_answer": refusal.broker_answer[:_MAX_BROKER_ANSWER],
        **refusal.metadata,
    }
    return {name: value for name, value in known.items() if value}


def _retry_after(leaf: type[ServiceError]) -> timedelta | None:
    if issubclass(leaf, ResourceExhausted):
        return _MINUTE if leaf is OrderRateExceeded else _SOON
    return _SOON if issubclass(leaf, Unavailable) else None
