"""The pure decisions around an order: conclusions, cancellations, ceilings, pauses, refusals, ids."""

from __future__ import annotations

import gzip
import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.outcomes import (
    Accepted,
    CancelOutcome,
    CancelRefused,
    CancelRequested,
    CancelUnknown,
    DuplicateClientOrderId,
    RefusalKind,
    Refused,
    Submission,
    Unknown,
)
from broker.raw_answer import CallRecord
from broker.reports import AssetClass, OrderSide, OrderStatus, OrderType
from fakes.order_values import NOON, content, record, report
from order_svc.cancel_verdict import Outcome, error_word, judge
from order_svc.ceilings import Ceilings, check_notional, check_rate
from order_svc.conclusion import conclude
from order_svc.content import fingerprint, is_same_order, stated_notional
from order_svc.identifiers import make_client_order_id
from order_svc.lifecycle import OrderEvent, OrderState
from order_svc.log_tail import logged_attempts
from order_svc.records import Refusal
from order_svc.refusals import _CLASSES, error_of, may_try_again
from order_svc.resolve import LookUp, ResolutionPolicy, count_misses, pause_before
from runtime.errors import ResourceExhausted, Unavailable

CALL = CallRecord(started_at=NOON, started=1.0, finished=1.25, http_status=200)


def _refused(kind: RefusalKind, status: int | None) -> Refused:
    return Refused(
        kind=kind,
        http_status=status,
        code=40310000,
        message="no",
        extra={"buying_power": "1", "broker_status": "forged"},
        raw="{}",
        retry_after=None,
        call=CALL,
    )


@pytest.mark.parametrize(
    ("submission", "event", "reason"),
    [
        pytest.param(
            Accepted(order_id="o", order=report(), call=CALL), "REPORTED_WORKING", None, id="accepted"
        ),
        pytest.param(
            Accepted(order_id="o", order=None, call=CALL), "REPORTED_WORKING", None, id="accepted, unreadable"
        ),
        pytest.param(
            Accepted(
                order_id="o", order=report(status=OrderStatus.FILLED, filled_qty=Decimal(10)), call=CALL
            ),
            "REPORTED_FILLED",
            None,
            id="filled at once",
        ),
        pytest.param(
            Accepted(order_id="o", order=report(status=OrderStatus.REJECTED), call=CALL),
            "REPORTED_REJECTED",
            "ORDER_REJECTED",
            id="rejected in the answer",
        ),
        pytest.param(
            _refused(RefusalKind.REJECTED, 403), "REFUSED_BY_BROKER", "ORDER_REJECTED", id="refused"
        ),
        pytest.param(
            _refused(RefusalKind.CREDENTIALS, 401), "REFUSED_BY_BROKER", "ORDER_REJECTED", id="keys refused"
        ),
        pytest.param(
            _refused(RefusalKind.RATE_LIMITED, 429), "REFUSED_BY_BROKER", "BROKER_RATE_LIMITED", id="429"
        ),
        pytest.param(
            _refused(RefusalKind.NOT_SENT, None), "FOUND_UNSENT", "BROKER_UNREACHABLE", id="no connection"
        ),
        pytest.param(
            DuplicateClientOrderId(message="unique", call=CALL), "ANSWER_LOST", None, id="duplicate"
        ),
        pytest.param(Unknown(problem="cut", call=CALL), "ANSWER_LOST", None, id="lost"),
    ],
)
def test_an_answer_leads_to_one_conclusion(submission: Submission, event: str, reason: str | None) -> None:
    conclusion = conclude(submission)

    assert conclusion.step.event is OrderEvent[event]
    assert (None if conclusion.refusal is None else conclusion.refusal.reason) == reason
    assert conclusion.broker_ms == 250
    assert conclusion.look_up_at_once is isinstance(submission, DuplicateClientOrderId)


def test_fields_of_the_brokers_answer_do_not_pass_for_our_own() -> None:
    refusal = conclude(_refused(RefusalKind.REJECTED, 403)).refusal

    assert refusal is not None
    assert refusal.metadata["broker_status"] == "403"
    assert refusal.metadata["buying_power"] == "1"


REQUESTED = CancelRequested(call=CALL)
REFUSED = CancelRefused(
    kind=RefusalKind.REJECTED, http_status=422, code=None, message="no", retry_after=None, call=CALL
)
LOST = CancelUnknown(problem="cut", call=CALL)


@pytest.mark.parametrize(
    ("answer", "state", "status", "outcome", "word"),
    [
        pytest.param(REQUESTED, "CANCELED", "canceled", "CANCELED", "", id="done"),
        pytest.param(REFUSED, "CANCELED", "canceled", "CANCELED", "", id="refused, but canceled"),
        pytest.param(LOST, "CANCELED", "canceled", "CANCELED", "", id="lost, but canceled"),
        pytest.param(REQUESTED, "FILLED", "filled", "ALREADY_FINAL", "already_filled", id="filled meanwhile"),
        pytest.param(None, "DENIED", None, "ALREADY_FINAL", "already_denied", id="never sent"),
        pytest.param(REQUESTED, "WORKING", "new", "REQUESTED", "cancel_pending", id="taken, still open"),
        pytest.param(REFUSED, "WORKING", "pending_cancel", "REQUESTED", "cancel_pending", id="asked twice"),
        pytest.param(REFUSED, "WORKING", "new", "REFUSED", "cancel_rejected", id="refused, still open"),
        pytest.param(LOST, "WORKING", "new", "UNKNOWN", "unknown_outcome", id="lost, still open"),
        pytest.param(None, "UNKNOWN", None, "UNKNOWN", "unknown_outcome", id="order not known"),
    ],
)
def test_a_cancellation_has_come_as_far_as_was_read(
    answer: CancelOutcome | None, state: str, status: str | None, outcome: str, word: str
) -> None:
    reading = None if status is None else report(status=OrderStatus(status))
    verdict = judge(answer, OrderState[state], reading)

    assert verdict is Outcome[outcome]
    assert error_word(verdict, OrderState[state]) == word


LIMIT = {"order_type": OrderType.LIMIT, "limit_price": Decimal(10)}


@pytest.mark.parametrize(
    ("changes", "worth"),
    [
        pytest.param({**LIMIT, "qty": Decimal(3)}, Decimal(30), id="limit"),
        pytest.param({"order_type": OrderType.STOP, "stop_price": Decimal(4)}, Decimal(40), id="stop"),
        pytest.param({"qty": None, "notional": Decimal(7)}, Decimal(7), id="by amount"),
        pytest.param(
            {**LIMIT, "qty": Decimal(1), "asset_class": AssetClass.US_OPTION}, Decimal(1000), id="option"
        ),
        pytest.param({}, None, id="market"),
    ],
)
def test_what_an_order_says_it_is_worth(changes: dict[str, object], worth: Decimal | None) -> None:
    assert stated_notional(content(**changes)) == worth


@pytest.mark.parametrize(
    ("changes", "hold", "denied"),
    [
        pytest.param({**LIMIT, "qty": Decimal(10)}, None, False, id="exactly the limit"),
        pytest.param({**LIMIT, "qty": Decimal(11)}, None, True, id="above the limit"),
        pytest.param({}, Decimal(101), True, id="a market buy by its hold"),
        pytest.param({}, None, False, id="a market buy without a figure"),
        pytest.param({"side": OrderSide.SELL}, Decimal(101), False, id="a market sell"),
    ],
)
def test_an_order_worth_too_much_is_denied(
    changes: dict[str, object], hold: Decimal | None, denied: bool
) -> None:
    refusal = check_notional(Ceilings(max_order_notional=Decimal(100)), content(**changes), hold_amount=hold)

    assert (refusal is not None) is denied


@given(limit=st.integers(1, 10), recent=st.integers(0, 20))
def test_no_minute_holds_more_orders_than_its_limit(limit: int, recent: int) -> None:
    allowed = check_rate(Ceilings(max_orders_per_minute=limit), recent_orders=recent) is None

    assert allowed is (recent + 1 <= limit)


def test_without_limits_nothing_is_denied() -> None:
    assert check_rate(Ceilings(), recent_orders=10**6) is None
    assert check_notional(Ceilings(), content(qty=Decimal(10**9), **LIMIT), hold_amount=None) is None


def test_lookups_follow_at_a_half_one_two_and_four_seconds_and_then_steadily() -> None:
    policy = ResolutionPolicy()

    assert [pause_before(number, policy) for number in range(8)] == [0.5, 1, 2, 4, 8, 16, 16, 16]
    assert pause_before(10**6, policy) == 16


@given(results=st.lists(st.tuples(st.sampled_from(LookUp), st.floats(0, 300)), max_size=30))
def test_only_not_found_answers_after_the_quarantine_count(results: list[tuple[LookUp, float]]) -> None:
    misses = 0
    for result, asked_after in results:
        misses = count_misses(misses, result, asked_after_seconds=asked_after, policy=ResolutionPolicy())

    assert misses == sum(result is LookUp.ABSENT and after >= 120 for result, after in results)


@pytest.mark.parametrize("reason", sorted(_CLASSES))
def test_every_reason_has_an_error_and_only_those_that_say_retry_are_retried(reason: str) -> None:
    refusal = Refusal(reason=reason, text="why", metadata={"cash": "1"}, broker_answer="x" * 5000)
    error = error_of(record(), refusal)

    assert error.reason == reason
    assert error.metadata["account_id"] == "paper"
    assert error.metadata["cash"] == "1"
    assert len(error.metadata["broker_answer"]) < 2000
    assert may_try_again(refusal) is isinstance(error, Unavailable | ResourceExhausted)
    assert (error.retry_after is not None) is may_try_again(refusal)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"symbol": "MSFT"}, id="symbol"),
        pytest.param({"side": OrderSide.SELL}, id="side"),
        pytest.param({"qty": Decimal(11)}, id="qty"),
        pytest.param({"order_type": "limit"}, id="type"),
        pytest.param({"time_in_force": "gtc"}, id="time in force"),
        pytest.param({"limit_price": Decimal(1)}, id="limit price"),
    ],
)
def test_an_order_that_differs_is_not_taken_for_ours(changes: dict[str, object]) -> None:
    assert is_same_order(content(), report())
    assert not is_same_order(content(), report(**changes))


def test_equal_wishes_have_equal_fingerprints_and_others_do_not() -> None:
    assert fingerprint(content(qty=Decimal(10))) == fingerprint(content(qty=Decimal("1E+1")))
    assert fingerprint(content()) != fingerprint(content(auto_sell_enabled=True))
    assert fingerprint(content()) != fingerprint(content(side=OrderSide.SELL))


def test_made_ids_sort_by_time_and_fit_the_broker() -> None:
    early = make_client_order_id(NOON, lambda _bits: 2**80 - 1)
    late = make_client_order_id(NOON + timedelta(milliseconds=1), lambda _bits: 0)

    assert early < late
    assert early.startswith("opi-")
    assert len(early) == 30
    assert make_client_order_id(NOON) != make_client_order_id(NOON)


def test_written_lines_are_found_in_the_log_and_in_its_rotated_neighbour(tmp_path: Path) -> None:
    log = tmp_path / "order_svc.log"
    older = tmp_path / "order_svc.2026-11-22.log.gz"
    neighbour = tmp_path / "order_svc.2026-11-23.log.gz"
    for path, attempt_id, age in ((older, "att-old", 300), (neighbour, "att-neighbour", 100)):
        with gzip.open(path, "wt") as lines:
            lines.write(f"2026 | INFO | Order placed: BUY AAPL qty=1 | order_id=o | attempt={attempt_id}\n")
        stamp = NOON.timestamp() - age
        os.utime(path, (stamp, stamp))
    log.write_text(
        "2026 | ERROR | Cancel failed: BUY AAPL qty=1 | error=x | attempt=att-now | reason=stale\n"
        "2026 | INFO | Order resolved: BUY AAPL qty=1 | of_attempt=att-other\n"
        "2026 | INFO | something else | attempt=att-forged\n"
    )

    assert logged_attempts(log) == {"att-neighbour", "att-now"}


def test_without_a_log_nothing_is_written(tmp_path: Path) -> None:
    assert logged_attempts(tmp_path / "order_svc.log") == frozenset()
