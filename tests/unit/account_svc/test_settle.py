from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from account_svc.order_terms import HoldId
from account_svc.settle import EndReason, Fate, SettleRules, Sighting, ending, fate_of, settled_at, sight
from broker.report_parsing import broker_order
from broker.reports import BrokerOrder

RULES = SettleRules(quarantine_seconds=120.0, broker_lag_seconds=1.0)
HOLD = HoldId("hold-1")
moment = st.floats(min_value=0, max_value=10**6)


def order(
    status: str,
    *,
    client_order_id: str = HOLD,
    order_id: str = "first",
    filled_qty: str = "0",
    replaced_by: str | None = None,
) -> BrokerOrder:
    return broker_order(
        {
            "id": order_id,
            "client_order_id": client_order_id,
            "status": status,
            "filled_qty": filled_qty,
            "replaced_by": replaced_by,
            "time_in_force": "day",
        }
    )


def seen(fate: Fate, *, known_since: float = 0.0, looked_at: float = 0.0, ended: float = 0.0) -> Sighting:
    return Sighting(
        revision=1,
        fate=fate,
        known_since=known_since,
        looked_at=looked_at,
        ended_seen_at=ended if fate.has_ended else None,
    )


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        pytest.param([], Fate.UNSEEN, id="no order"),
        pytest.param([order("filled", client_order_id="other")], Fate.UNSEEN, id="somebody else's order"),
        pytest.param([order("new")], Fate.OPEN, id="working"),
        pytest.param([order("partially_filled", filled_qty="1")], Fate.OPEN, id="partly filled"),
        pytest.param([order("pending_cancel")], Fate.OPEN, id="a cancel under way may still fill"),
        pytest.param([order("done_for_day")], Fate.OPEN, id="goes on tomorrow"),
        pytest.param([order("a_status_of_next_year")], Fate.OPEN, id="status we do not know"),
        pytest.param([order("filled", filled_qty="2")], Fate.ENDED_FILLED, id="filled"),
        pytest.param([order("filled")], Fate.ENDED_FILLED, id="filled, quantity not reported yet"),
        pytest.param([order("canceled")], Fate.ENDED_UNFILLED, id="cancelled without a fill"),
        pytest.param([order("canceled", filled_qty="1")], Fate.ENDED_FILLED, id="cancelled after a fill"),
        pytest.param([order("rejected")], Fate.ENDED_UNFILLED, id="rejected"),
        pytest.param([order("expired")], Fate.ENDED_UNFILLED, id="expired"),
        pytest.param(
            [
                order("replaced", replaced_by="second"),
                order("new", order_id="second", client_order_id="x"),
            ],
            Fate.OPEN,
            id="replaced by a working order",
        ),
        pytest.param(
            [
                order("replaced", replaced_by="second", filled_qty="1"),
                order("canceled", order_id="second", client_order_id="x"),
            ],
            Fate.ENDED_FILLED,
            id="filled before it was replaced",
        ),
        pytest.param(
            [order("replaced", replaced_by="out of sight")], Fate.OPEN, id="successor not in the list"
        ),
        pytest.param([order("replaced")], Fate.OPEN, id="successor not named"),
        pytest.param(
            [
                order("replaced", replaced_by="second"),
                order("replaced", order_id="second", client_order_id="x", replaced_by="first"),
            ],
            Fate.OPEN,
            id="replacements in a circle",
        ),
    ],
)
def test_the_fate_of_an_order_is_read_from_the_list(orders: Sequence[BrokerOrder], expected: Fate) -> None:
    assert fate_of(HOLD, orders) is expected


def test_an_order_missing_from_a_list_with_unreadable_entries_may_be_open() -> None:
    assert fate_of(HOLD, [], complete=False) is Fate.OPEN


def test_a_filled_order_keeps_its_hold_until_the_cash_was_asked_for_after_the_fill_was_seen() -> None:
    filled = seen(Fate.ENDED_FILLED, ended=50.0)

    assert ending(filled, cash_requested_at=49.0, rules=RULES) is None
    assert ending(filled, cash_requested_at=50.9, rules=RULES) is None
    assert ending(filled, cash_requested_at=51.0, rules=RULES) is EndReason.ORDER_ENDED_FILLED
    assert settled_at(filled, RULES) == 51.0


def test_an_order_that_took_no_cash_frees_its_hold_at_once() -> None:
    assert (
        ending(seen(Fate.ENDED_UNFILLED, ended=50.0), cash_requested_at=0.0, rules=RULES)
        is EndReason.ORDER_ENDED_UNFILLED
    )


def test_absence_counts_only_when_it_was_asked_for_after_the_quarantine() -> None:
    early = seen(Fate.ABSENT, known_since=10.0, looked_at=129.9)
    late = seen(Fate.ABSENT, known_since=10.0, looked_at=130.0)

    assert ending(early, cash_requested_at=200.0, rules=RULES) is None
    assert ending(late, cash_requested_at=200.0, rules=RULES) is EndReason.NEVER_APPEARED


@given(known_since=moment, looked_at=moment, cash=moment, fate=st.sampled_from([Fate.UNSEEN, Fate.OPEN]))
def test_no_passing_of_time_frees_a_hold_whose_order_may_be_open(
    known_since: float, looked_at: float, cash: float, fate: Fate
) -> None:
    sighting = seen(fate, known_since=known_since, looked_at=looked_at)

    assert ending(sighting, cash_requested_at=cash, rules=RULES) is None


@given(ended=moment, cash=moment)
def test_cash_read_before_a_fill_was_seen_never_frees_its_hold(ended: float, cash: float) -> None:
    reason = ending(seen(Fate.ENDED_FILLED, ended=ended), cash_requested_at=cash, rules=RULES)

    assert reason is None or cash >= ended + RULES.broker_lag_seconds


def test_the_moment_an_end_was_first_seen_stays() -> None:
    first = sight(None, revision=1, found=Fate.ENDED_FILLED, looked_at=9.0, now=10.0)
    again = sight(first, revision=1, found=Fate.ENDED_FILLED, looked_at=19.0, now=20.0)
    out_of_reach = sight(again, revision=1, found=Fate.UNSEEN, looked_at=29.0, now=30.0)

    assert out_of_reach.ended_seen_at == 10.0
    assert out_of_reach.fate is Fate.ENDED_FILLED


def test_a_list_that_does_not_reach_back_does_not_make_an_open_order_unseen() -> None:
    first = sight(None, revision=1, found=Fate.OPEN, looked_at=9.0, now=10.0)

    assert sight(first, revision=1, found=Fate.UNSEEN, looked_at=19.0, now=20.0) == first


def test_a_new_authorisation_starts_quarantine_afresh() -> None:
    first = sight(None, revision=1, found=Fate.UNSEEN, looked_at=0.0, now=0.0)
    second = sight(first, revision=2, found=Fate.UNSEEN, looked_at=100.0, now=100.0)

    assert second.known_since == 100.0
    assert second.revision == 2


def test_a_reading_that_could_not_show_the_order_changes_nothing() -> None:
    first = sight(None, revision=1, found=Fate.OPEN, looked_at=9.0, now=10.0)

    assert sight(first, revision=1, found=None, looked_at=19.0, now=20.0) == first
