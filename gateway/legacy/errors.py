"""What the services' errors become on the legacy routes; pure.

The status follows from the kind of error alone; the text is what the contract has for
the case, else the error's own, which names the field, what came and the remedy.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import grpc

from gateway.legacy.problem import legacy_problem
from gateway.transcoding.failure import HttpProblem
from runtime.errors import NotFound, ResourceExhausted, ServiceError, Unavailable

INSUFFICIENT_BALANCE: Final = "INSUFFICIENT_BALANCE"
ACCOUNT_NOT_FOUND: Final = "ACCOUNT_NOT_FOUND"
ACCOUNT_NOT_TRADABLE: Final = "ACCOUNT_NOT_TRADABLE"
SILENT: Final = "a service behind this one does not answer; try again"

_FORBIDDEN: Final = frozenset({INSUFFICIENT_BALANCE, ACCOUNT_NOT_TRADABLE})
_STATUS: Final[Mapping[grpc.StatusCode, int]] = MappingProxyType(
    {
        grpc.StatusCode.INVALID_ARGUMENT: 400,
        grpc.StatusCode.NOT_FOUND: 404,
        grpc.StatusCode.ALREADY_EXISTS: 409,
        grpc.StatusCode.FAILED_PRECONDITION: 400,
        grpc.StatusCode.PERMISSION_DENIED: 403,
        # The service does not know the gateway; to our caller that is an outage, not a question of its token.
        grpc.StatusCode.UNAUTHENTICATED: 503,
        grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
        grpc.StatusCode.UNAVAILABLE: 503,
        grpc.StatusCode.ABORTED: 409,
        grpc.StatusCode.DEADLINE_EXCEEDED: 504,
        grpc.StatusCode.UNIMPLEMENTED: 501,
        grpc.StatusCode.INTERNAL: 500,
    }
)
_FIGURES: Final = (("cash", "cash"), ("holds", "holds"), ("minimum_balance", "minimum"))
_ORDER_NOT_FOUND: Final = 40410000
_NOT_CANCELABLE: Final = 42210000


def order_problem(error: ServiceError, account_id: str) -> HttpProblem:
    """The answer to an order that was refused or could not be placed."""
    if error.reason == ACCOUNT_NOT_FOUND:
        return unknown_order_account(account_id)
    return _problem(error)


def read_problem(error: ServiceError, account_id: str) -> HttpProblem:
    """The answer to a read that failed."""
    if error.reason == ACCOUNT_NOT_FOUND:
        return unknown_account(account_id)
    return _problem(error)


def cancel_problem(error: ServiceError, account_id: str, order_id: str) -> HttpProblem:
    """The answer to a cancellation that was refused; an order nobody knows is a 400, as the exchange's text."""
    if error.reason == ACCOUNT_NOT_FOUND:
        return read_problem(error, account_id)
    if isinstance(error, NotFound):
        return legacy_problem(
            400, broker_text(error) or exchange_json(_ORDER_NOT_FOUND, f"order not found for {order_id}")
        )
    return _problem(error)


def already_final(state: str) -> HttpProblem:
    """The answer to the cancellation of an order that has ended, in the exchange's words."""
    return legacy_problem(400, exchange_json(_NOT_CANCELABLE, f'order is already in "{state}" state'))


def unknown_account(account_id: str) -> HttpProblem:
    """The answer to a read of an account that does not exist."""
    return legacy_problem(404, f"Account ID '{account_id}' not found.")


def unknown_order_account(account_id: str) -> HttpProblem:
    """The answer to an order for an account that does not exist or is disabled."""
    return legacy_problem(404, f"Account '{account_id}' not found or not enabled")


def error_text(error: ServiceError) -> str:
    """What `detail` says of this error where the account is not in question."""
    if error.reason == INSUFFICIENT_BALANCE:
        return _with_figures(error)
    if isinstance(error, Unavailable) and not is_own_word(error):
        return SILENT
    return broker_text(error) or error.message


def is_own_word(error: ServiceError) -> bool:
    """Whether the service itself said so; else its connection or time ended, and nobody knows how far it got."""
    return error.reason != type(error).reason


def broker_text(error: ServiceError) -> str | None:
    """The exchange's JSON, raw where the service passed it on; `None` where the error is not the exchange's."""
    raw = error.metadata.get("broker_answer")
    if raw:
        return raw
    code, message = error.metadata.get("broker_code", ""), error.metadata.get("broker_message")
    if message is None or not code.isdecimal():
        return None
    return exchange_json(int(code), message)


def exchange_json(code: int, message: str) -> str:
    """An error body as the exchange writes it."""
    return json.dumps({"code": code, "message": message}, separators=(",", ":"), ensure_ascii=False)


def status_of(error: ServiceError) -> int:
    """The HTTP status of an error."""
    return 403 if error.reason in _FORBIDDEN else _STATUS.get(error.code, 500)


def _problem(error: ServiceError) -> HttpProblem:
    return legacy_problem(status_of(error), error_text(error), retry_after(error))


def retry_after(error: ServiceError) -> dict[str, str] | None:
    """The header that says when to come again, where that is known and the limit is the reason."""
    if error.retry_after is None or not isinstance(error, ResourceExhausted):
        return None
    return {"retry-after": str(max(1, round(error.retry_after.total_seconds())))}


def _with_figures(error: ServiceError) -> str:
    """The guard's text, and whichever of cash, holds and minimum it does not name itself."""
    figures = [
        f"{name} {error.metadata[key]}"
        for key, name in _FIGURES
        if key in error.metadata and name not in error.message.lower()
    ]
    return f"{error.message} ({', '.join(figures)})" if figures else error.message
