import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from broker.faults import (
    BrokerRefused,
    BrokerUnreachable,
    CredentialsRefused,
    RateLimited,
    classify_read,
    classify_read_failure,
)
from broker.outcomes import (
    Accepted,
    CancelRefused,
    CancelRequested,
    CancelUnknown,
    DuplicateClientOrderId,
    RefusalKind,
    Refused,
    Unknown,
    classify_cancel,
    classify_submission,
)
from broker.raw_answer import CallError, CallRecord, FailureKind, RawAnswer
from broker.raw_json import UnreadableAnswer
from runtime.errors import ServiceError

COID = "op-1"
STARTED_AT = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
DEFINITE = {400, 401, 403, 404, 422, 429}


def record(status: int | None = None) -> CallRecord:
    return CallRecord(
        started_at=STARTED_AT, started=10.0, finished=10.245, http_status=status, x_request_id="req-7"
    )


def answer(status: int, body: object = None, headers: Mapping[str, str] | None = None) -> RawAnswer:
    return RawAnswer(
        status=status,
        headers=CIMultiDict(headers or {}),
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        record=record(status),
    )


def failure(kind: FailureKind, *, written: bool) -> CallError:
    return CallError(kind, "why", request_written=written, record=record())


def submitted(result: RawAnswer | CallError) -> object:
    return classify_submission(result, client_order_id=COID)


def accepted_body(**changed: object) -> dict[str, object]:
    return {
        "id": "61e69015-8549-4bfd-b9c3-01e75843f47d",
        "client_order_id": COID,
        "status": "pending_new",
        "filled_qty": "0",
        "qty": "1",
        "time_in_force": "day",
    } | changed


def test_an_order_in_the_answer_is_accepted_with_its_time() -> None:
    outcome = submitted(answer(200, accepted_body()))

    assert isinstance(outcome, Accepted)
    assert outcome.order is not None
    assert outcome.order.qty == Decimal(1)
    assert (outcome.call.duration_ms, outcome.call.x_request_id) == (245, "req-7")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"status": None}, id="no-status"),
        pytest.param({"filled_qty": "NaN"}, id="odd-money"),
        pytest.param({"side": "sideways"}, id="odd-side"),
        pytest.param({"client_order_id": COID, "qty": [1]}, id="odd-quantity"),
    ],
)
def test_an_answer_that_names_an_order_is_an_acceptance_whatever_else_is_in_it(
    change: dict[str, object],
) -> None:
    outcome = submitted(answer(200, accepted_body(**change)))

    assert isinstance(outcome, Accepted)
    assert (outcome.order_id, outcome.order) == ("61e69015-8549-4bfd-b9c3-01e75843f47d", None)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>welcome</html>", id="html"),
        pytest.param(b'{"id": "61e69015-', id="cut"),
        pytest.param({}, id="no-id"),
        pytest.param({"id": None}, id="null-id"),
        pytest.param({"id": ""}, id="empty-id"),
        pytest.param({"id": 17}, id="numeric-id"),
        pytest.param([accepted_body()], id="a-list"),
        pytest.param(accepted_body(client_order_id="op-2"), id="somebody-elses-order"),
    ],
)
def test_a_success_that_does_not_name_our_order_is_unknown(body: object) -> None:
    assert isinstance(submitted(answer(200, body)), Unknown)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        pytest.param(400, {"message": "bad request"}, RefusalKind.REJECTED, id="400"),
        pytest.param(401, {"message": "unauthorized."}, RefusalKind.CREDENTIALS, id="401"),
        pytest.param(403, {"message": "forbidden."}, RefusalKind.CREDENTIALS, id="403-other-environment"),
        pytest.param(
            403,
            {"code": 40310000, "message": "insufficient buying power"},
            RefusalKind.REJECTED,
            id="403-funds",
        ),
        pytest.param(
            404, {"code": 40410000, "message": "asset not found for X"}, RefusalKind.REJECTED, id="404"
        ),
        pytest.param(422, {"code": 42210000, "message": "sub-penny"}, RefusalKind.REJECTED, id="422"),
        pytest.param(
            422,
            {"code": 40010001, "message": "qty or notional is required"},
            RefusalKind.REJECTED,
            id="422-same-code-as-duplicate",
        ),
        pytest.param(
            422,
            {"code": 40010001, "message": "client_order_id must be no longer than 128"},
            RefusalKind.REJECTED,
            id="422-about-the-id-but-no-duplicate",
        ),
        pytest.param(429, {"message": "too many requests."}, RefusalKind.RATE_LIMITED, id="429"),
        pytest.param(422, b"<html>nope</html>", RefusalKind.REJECTED, id="422-html"),
    ],
)
def test_a_definite_refusal_is_refused(status: int, body: object, kind: RefusalKind) -> None:
    outcome = submitted(answer(status, body))

    assert isinstance(outcome, Refused)
    assert (outcome.kind, outcome.http_status) == (kind, status)


def test_a_refusal_keeps_the_brokers_code_text_and_figures() -> None:
    body = {
        "code": 40310000,
        "message": "insufficient buying power",
        "buying_power": "12.50",
        "cost_basis": "1900",
    }
    outcome = submitted(answer(403, body))

    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.message) == (40310000, "insufficient buying power")
    assert outcome.extra == {"buying_power": "12.50", "cost_basis": "1900"}
    assert json.loads(outcome.raw) == body


@pytest.mark.parametrize(
    ("status", "message"),
    [
        pytest.param(422, "client_order_id must be unique", id="as-recorded"),
        pytest.param(422, "client order id must be unique", id="with-spaces"),
        pytest.param(409, "duplicate client_order_id: client_order_id already exists", id="as-409"),
        pytest.param(400, "Client_Order_Id is already used", id="as-400"),
    ],
)
def test_a_duplicate_id_is_no_refusal(status: int, message: str) -> None:
    outcome = submitted(answer(status, {"code": 40010001, "message": message}))

    assert isinstance(outcome, DuplicateClientOrderId)


@pytest.mark.parametrize("status", [301, 302, 307, 405, 408, 409, 413, 418, 500, 502, 503, 504, 599])
def test_every_other_status_is_unknown(status: int) -> None:
    assert isinstance(submitted(answer(status, {"code": 50010000, "message": "internal"})), Unknown)


@pytest.mark.parametrize("kind", list(FailureKind), ids=lambda kind: kind.name.lower())
def test_a_call_without_an_answer_is_refused_only_if_no_byte_left(kind: FailureKind) -> None:
    assert isinstance(submitted(failure(kind, written=True)), Unknown)

    not_sent = submitted(failure(kind, written=False))
    assert isinstance(not_sent, Refused)
    assert (not_sent.kind, not_sent.http_status) == (RefusalKind.NOT_SENT, None)


@given(status=st.integers(200, 599), body=st.binary() | st.just(json.dumps(accepted_body()).encode()))
def test_nothing_but_a_definite_answer_is_a_refusal(status: int, body: bytes) -> None:
    outcome = submitted(answer(status, body))

    if isinstance(outcome, Refused):
        assert status in DEFINITE
    if isinstance(outcome, Accepted):
        assert 200 <= status < 300


def test_a_429_says_how_long_to_wait() -> None:
    reset = int((STARTED_AT + timedelta(seconds=20)).timestamp())
    by_reset = submitted(answer(429, {}, {"X-RateLimit-Reset": str(reset)}))
    by_header = submitted(answer(429, {}, {"X-RateLimit-Reset": str(reset), "Retry-After": "7"}))
    hostile = submitted(answer(429, {}, {"Retry-After": "999999999"}))

    assert isinstance(by_reset, Refused)
    assert isinstance(by_header, Refused)
    assert isinstance(hostile, Refused)
    assert by_reset.retry_after == timedelta(seconds=20)
    assert by_header.retry_after == timedelta(seconds=7)
    assert hostile.retry_after == timedelta(seconds=60)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(answer(204, b""), CancelRequested, id="204"),
        pytest.param(answer(200, {}), CancelRequested, id="200"),
        pytest.param(answer(500, {}), CancelUnknown, id="500"),
        pytest.param(answer(504, b"<html>"), CancelUnknown, id="504"),
        pytest.param(answer(302, b""), CancelUnknown, id="302"),
        pytest.param(failure(FailureKind.LOST, written=True), CancelUnknown, id="lost"),
        pytest.param(failure(FailureKind.CONNECT, written=False), CancelRefused, id="not-sent"),
        pytest.param(
            answer(422, {"code": 42210000, "message": 'already in "filled"'}), CancelRefused, id="422"
        ),
    ],
)
def test_what_became_of_a_cancel(result: RawAnswer | CallError, expected: type[object]) -> None:
    assert isinstance(classify_cancel(result), expected)


def test_a_cancel_of_an_order_that_the_broker_does_not_know_says_so() -> None:
    known = classify_cancel(answer(404, {"code": 40410000, "message": "order not found"}))
    stranger = classify_cancel(answer(404, b"<html>not found</html>"))

    assert isinstance(known, CancelRefused)
    assert isinstance(stranger, CancelRefused)
    assert (known.kind, stranger.kind) == (RefusalKind.NOT_FOUND, RefusalKind.REJECTED)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(answer(401, {"message": "unauthorized."}), CredentialsRefused, id="401"),
        pytest.param(answer(403, {"message": "forbidden."}), CredentialsRefused, id="403-without-code"),
        pytest.param(answer(403, {"code": 40310000, "message": "no"}), BrokerRefused, id="403-with-code"),
        pytest.param(answer(400, {"message": "invalid symbol: X"}), BrokerRefused, id="400"),
        pytest.param(answer(404, {"code": 40410000, "message": "gone"}), BrokerRefused, id="404"),
        pytest.param(answer(422, {"code": 42210000, "message": "no"}), BrokerRefused, id="422"),
        pytest.param(answer(429, {}), RateLimited, id="429"),
        pytest.param(answer(302, b""), UnreadableAnswer, id="redirect"),
        pytest.param(answer(408, b""), BrokerUnreachable, id="408"),
        pytest.param(answer(500, {"code": 50010000, "message": "internal"}), BrokerUnreachable, id="500"),
        pytest.param(answer(504, b"<html>"), BrokerUnreachable, id="504"),
    ],
)
def test_the_error_of_a_read_says_what_the_caller_can_do(
    result: RawAnswer, expected: type[ServiceError]
) -> None:
    error = classify_read(result)

    assert type(error) is expected
    assert error.metadata["http_status"] == str(result.status)
    assert error.metadata["x_request_id"] == "req-7"


def test_a_read_without_an_answer_may_be_repeated() -> None:
    error = classify_read_failure(failure(FailureKind.DEADLINE, written=True))

    assert isinstance(error, BrokerUnreachable)
    assert error.retry_after is not None


@pytest.mark.parametrize(
    ("result", "absent"),
    [
        pytest.param(answer(404, {"code": 40410000, "message": "order not found"}), True, id="alpacas-own"),
        pytest.param(answer(404, b"<html>404</html>"), False, id="a-proxys"),
        pytest.param(answer(404, {"message": "no route"}), False, id="without-code"),
        pytest.param(answer(404, {"code": "40410000"}), False, id="code-as-text"),
        pytest.param(answer(500, {"code": 40410000}), False, id="other-status"),
    ],
)
def test_only_the_brokers_own_404_proves_absence(result: RawAnswer, absent: bool) -> None:
    assert result.says_absent == absent


@given(text=st.text(max_size=2000))
def test_a_strangers_text_becomes_one_short_line(text: str) -> None:
    outcome = submitted(answer(400, {"message": text, text: text}))

    assert isinstance(outcome, Refused | DuplicateClientOrderId)
    assert outcome.message.isprintable()
    assert 0 < len(outcome.message) <= 501


@given(value=st.text(max_size=30))
def test_rate_headers_that_make_no_sense_are_as_good_as_absent(value: str) -> None:
    rate = answer(
        200, {}, dict.fromkeys(("X-RateLimit-Limit", "X-RateLimit-Reset", "Retry-After"), value)
    ).rate

    assert rate.limit is None or rate.limit >= 0
    assert rate.remaining is None
