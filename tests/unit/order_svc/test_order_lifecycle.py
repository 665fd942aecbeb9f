from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.reports import OrderStatus
from fakes.order_values import report
from order_svc.lifecycle import IllegalTransition, OrderEvent, OrderState, apply, event_of, state_of

EVIDENCE = {
    OrderEvent.DENIED_BY_US,
    OrderEvent.REFUSED_BY_BROKER,
    OrderEvent.FOUND_UNSENT,
    OrderEvent.ABSENCE_PROVEN,
}
REPORTS = {event for event in OrderEvent if event.name.startswith("REPORTED")}


@pytest.mark.parametrize(
    ("state", "event", "after"),
    [
        pytest.param("NEW", "HOLD_TAKEN", "HELD", id="the guard allows"),
        pytest.param("NEW", "DENIED_BY_US", "DENIED", id="the guard denies"),
        pytest.param("HELD", "SEND_STARTED", "SENDING", id="about to send"),
        pytest.param("SENDING", "REPORTED_WORKING", "WORKING", id="accepted"),
        pytest.param("SENDING", "REPORTED_FILLED", "FILLED", id="filled at once"),
        pytest.param("SENDING", "REFUSED_BY_BROKER", "REJECTED", id="refused"),
        pytest.param("SENDING", "ANSWER_LOST", "UNKNOWN", id="answer lost"),
        pytest.param("SENDING", "FOUND_UNSENT", "NOT_PLACED", id="no connection"),
        pytest.param("UNKNOWN", "REPORTED_WORKING", "WORKING", id="found"),
        pytest.param("UNKNOWN", "ABSENCE_PROVEN", "NOT_PLACED", id="never arrived"),
        pytest.param("WORKING", "REPORTED_REJECTED", "REJECTED", id="rejected after it was taken"),
        pytest.param("WORKING", "REPORTED_PARTIALLY_FILLED", "PARTIALLY_FILLED", id="part of it filled"),
        pytest.param("PARTIALLY_FILLED", "REPORTED_WORKING", "PARTIALLY_FILLED", id="a stale reading"),
        pytest.param("CANCELED", "REPORTED_FILLED", "FILLED", id="a fill crosses the cancel"),
        pytest.param("FILLED", "REPORTED_WORKING", "FILLED", id="a stale reading after the fill"),
        pytest.param("NOT_PLACED", "REPORTED_WORKING", "WORKING", id="a late order is adopted"),
    ],
)
def test_what_happens_to_an_order(state: str, event: str, after: str) -> None:
    assert apply(OrderState[state], OrderEvent[event]) is OrderState[after]


@pytest.mark.parametrize(
    ("state", "event"),
    [
        pytest.param("NEW", "SEND_STARTED", id="sent without a hold"),
        pytest.param("NEW", "REPORTED_WORKING", id="reported before it was sent"),
        pytest.param("UNKNOWN", "FOUND_UNSENT", id="unsent after it was sent"),
        pytest.param("UNKNOWN", "DENIED_BY_US", id="denied after it was sent"),
        pytest.param("WORKING", "ABSENCE_PROVEN", id="absent though known"),
        pytest.param("DENIED", "REPORTED_FILLED", id="filled though never sent"),
        pytest.param("FILLED", "REPORTED_CANCELED", id="canceled after it was filled"),
        pytest.param("FILLED", "TRIED_AGAIN", id="a filled order tried again"),
    ],
)
def test_what_cannot_happen_raises(state: str, event: str) -> None:
    with pytest.raises(IllegalTransition):
        apply(OrderState[state], OrderEvent[event])


@given(events=st.lists(st.sampled_from(list(OrderEvent)), max_size=25))
def test_no_order_ends_without_evidence_whatever_the_order_of_events(events: list[OrderEvent]) -> None:
    state, seen = OrderState.NEW, set[OrderEvent]()
    for event in events:
        try:
            after = apply(state, event)
        except IllegalTransition:
            continue
        if event is OrderEvent.TRIED_AGAIN:
            seen.clear()
        seen.add(event)
        if after.is_final:
            assert seen & (EVIDENCE | REPORTS)
        if after is OrderState.DENIED:
            assert not seen & REPORTS
        state = after


@given(events=st.lists(st.sampled_from(sorted(REPORTS, key=lambda one: one.name)), min_size=1, max_size=15))
def test_a_fill_is_never_taken_back(events: list[OrderEvent]) -> None:
    state = OrderState.WORKING
    for event in events:
        before = state
        try:
            state = apply(state, event)
        except IllegalTransition:
            continue
        if before is OrderState.FILLED:
            assert state is OrderState.FILLED


@pytest.mark.parametrize("status", list(OrderStatus), ids=lambda one: one.value)
def test_every_status_of_the_broker_has_a_meaning(status: OrderStatus) -> None:
    state = state_of(report(status=status))

    assert state.is_final is status.is_final


def test_an_open_order_with_something_filled_is_partially_filled_whatever_its_status() -> None:
    reading = report(status=OrderStatus.PENDING_CANCEL, filled_qty=Decimal(3))

    assert event_of(reading) is OrderEvent.REPORTED_PARTIALLY_FILLED
