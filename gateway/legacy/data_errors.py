"""Errors of the bars and options routes, whose `detail` is an object with an `error_code`; pure."""

from collections.abc import Mapping
from typing import Final

from gateway.legacy.errors import ACCOUNT_NOT_FOUND, error_text, retry_after, status_of
from gateway.legacy.problem import Detail, legacy_problem
from gateway.transcoding.failure import HttpProblem
from runtime.errors import FailedPrecondition, InvalidArgument, NotFound, ServiceError

INTERNAL_ERROR: Final = "INTERNAL_ERROR"
SUBSCRIPTION_LIMIT: Final = "SUBSCRIPTION_LIMIT"
DATA_PLAN_TOO_SMALL: Final = "DATA_PLAN_TOO_SMALL"

Fields = Mapping[str, Detail]


def unavailable(error: str, *, code: str, fields: Fields, message: str, **more: str) -> HttpProblem:
    """404: there is no such data."""
    return legacy_problem(404, {"error": error, "error_code": code, **fields, "message": message, **more})


def data_problem(
    error: ServiceError, account_id: str, *, code: str, fields: Fields, message: str
) -> HttpProblem:
    """What a failed read becomes: 404 with `code` where the exchange or the request itself says no.

    Anything else, which a repeat may cure, keeps the status of its kind with INTERNAL_ERROR.
    """
    if error.reason == ACCOUNT_NOT_FOUND:
        return unknown_account(account_id, fields)
    if isinstance(error, FailedPrecondition | InvalidArgument | NotFound):
        return unavailable(error_text(error), code=code, fields=fields, message=message)
    return internal(error, fields)


def unknown_account(account_id: str, fields: Fields) -> HttpProblem:
    """404: no enabled account has this id."""
    text = f"Account ID '{account_id}' not found."
    return legacy_problem(404, {"error": text, "error_code": ACCOUNT_NOT_FOUND, **fields})


def internal(error: ServiceError, fields: Fields) -> HttpProblem:
    """What did not work, under the status of its kind."""
    detail: Detail = {"error": error_text(error), "error_code": INTERNAL_ERROR, **fields}
    return legacy_problem(status_of(error), detail, retry_after(error))


def plan_too_small(error: ServiceError, fields: Fields) -> HttpProblem:
    """403: the account's data plan does not cover it."""
    return legacy_problem(
        403,
        {
            "error": "The account's data plan does not cover this",
            "error_code": SUBSCRIPTION_LIMIT,
            **fields,
            "message": "Historical bars of this feed need a larger market-data subscription.",
            "alpaca_error": error.metadata.get("broker_message", error.message),
        },
    )
