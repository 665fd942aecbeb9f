import json
from collections.abc import Callable
from datetime import timedelta

import grpc
import pytest

from gateway.legacy.errors import already_final, cancel_problem, error_text, order_problem, read_problem
from gateway.transcoding.failure import HttpProblem
from runtime.errors import (
    FailedPrecondition,
    FieldViolation,
    MalformedRequest,
    NotFound,
    ResourceExhausted,
    ServiceError,
    Unavailable,
    base_of,
)

RAW = '{"code":40310000,"message":"insufficient buying power"}'


def reasoned(error: ServiceError, reason: str) -> ServiceError:
    vars(error)["reason"] = reason
    return error


def below(message: str) -> ServiceError:
    figures = {"cash": "4999.99", "holds": "600.00", "minimum_balance": "5000"}
    return reasoned(FailedPrecondition(message, metadata=figures), "INSUFFICIENT_BALANCE")


ORDER_ROWS = [
    (
        "the guard says no, figures in its text",
        below("cash 4999.99 less holds 600.00 is below the minimum 5000"),
        403,
        "cash 4999.99 less holds 600.00 is below the minimum 5000",
    ),
    (
        "the guard says no, figures beside its text",
        below("the account may not trade"),
        403,
        "the account may not trade (cash 4999.99, holds 600.00, minimum 5000)",
    ),
    (
        "cash is not known",
        reasoned(Unavailable("cash could not be read"), "BALANCE_UNKNOWN"),
        503,
        "cash could not be read",
    ),
    (
        "the exchange refuses, its answer at hand",
        reasoned(FailedPrecondition("refused", metadata={"broker_answer": RAW}), "ORDER_REJECTED"),
        400,
        RAW,
    ),
    (
        "the exchange refuses, its code and text at hand",
        reasoned(
            FailedPrecondition(
                "refused", metadata={"broker_code": "40310000", "broker_message": "insufficient buying power"}
            ),
            "ORDER_REJECTED",
        ),
        400,
        RAW,
    ),
    (
        "no such account",
        reasoned(NotFound("no account zz"), "ACCOUNT_NOT_FOUND"),
        404,
        "Account 'zz' not found or not enabled",
    ),
    (
        "an account that may not trade",
        reasoned(FailedPrecondition("its type contradicts the configuration"), "ACCOUNT_NOT_TRADABLE"),
        403,
        "its type contradicts the configuration",
    ),
    (
        "a bad field",
        MalformedRequest([FieldViolation(field="qty", description="is 0: must be above 0")]),
        400,
        "qty: is 0: must be above 0",
    ),
]


@pytest.mark.parametrize(
    ("error", "status", "detail"), [row[1:] for row in ORDER_ROWS], ids=[row[0] for row in ORDER_ROWS]
)
def test_a_refused_order_answers_as_the_contract_says(error: ServiceError, status: int, detail: str) -> None:
    problem = order_problem(error, "zz")

    assert (problem.status, problem.body) == (status, {"detail": detail})


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 400),
        (grpc.StatusCode.NOT_FOUND, 404),
        (grpc.StatusCode.ALREADY_EXISTS, 409),
        (grpc.StatusCode.FAILED_PRECONDITION, 400),
        (grpc.StatusCode.PERMISSION_DENIED, 403),
        (grpc.StatusCode.UNAUTHENTICATED, 503),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
        (grpc.StatusCode.UNAVAILABLE, 503),
        (grpc.StatusCode.ABORTED, 409),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 504),
        (grpc.StatusCode.UNIMPLEMENTED, 501),
        (grpc.StatusCode.INTERNAL, 500),
    ],
    ids=lambda value: value.name if isinstance(value, grpc.StatusCode) else str(value),
)
@pytest.mark.parametrize("problem_of", [order_problem, read_problem], ids=["order", "read"])
def test_every_kind_of_error_has_its_status(
    problem_of: Callable[[ServiceError, str], HttpProblem], code: grpc.StatusCode, status: int
) -> None:
    base = base_of(code)
    assert base is not None

    problem = problem_of(reasoned(base("what happened"), "A_LEAF"), "paper")

    assert (problem.status, problem.body) == (status, {"detail": "what happened"})


def test_of_a_service_that_is_not_there_nothing_is_told_that_only_the_inside_should_know() -> None:
    error = Unavailable("ipv4:10.0.0.7:50051: Failed to connect to remote host")

    assert read_problem(error, "paper").body == {
        "detail": "a service behind this one does not answer; try again"
    }


def test_a_read_of_an_unknown_account_keeps_its_old_text() -> None:
    problem = read_problem(reasoned(NotFound("x"), "ACCOUNT_NOT_FOUND"), "zz")

    assert (problem.status, problem.body) == (404, {"detail": "Account ID 'zz' not found."})


def test_an_unknown_order_is_the_exchange_s_400() -> None:
    problem = cancel_problem(reasoned(NotFound("no such order"), "ORDER_NOT_FOUND"), "paper", "7")

    assert problem.status == 400
    assert isinstance(problem.body, dict)
    detail = problem.body["detail"]
    assert isinstance(detail, str)
    assert json.loads(detail) == {"code": 40410000, "message": "order not found for 7"}


def test_an_order_that_has_ended_is_the_exchange_s_400() -> None:
    assert already_final("filled").body == {
        "detail": '{"code":42210000,"message":"order is already in \\"filled\\" state"}'
    }


def test_a_budget_that_is_used_up_says_how_long_to_wait() -> None:
    problem = order_problem(ResourceExhausted("wait", retry_after=timedelta(seconds=2.4)), "paper")

    assert problem.headers == {"retry-after": "2"}


def test_a_raw_answer_wins_over_code_and_text() -> None:
    error = FailedPrecondition(
        "x", metadata={"broker_answer": RAW, "broker_code": "1", "broker_message": "m"}
    )

    assert error_text(error) == RAW
