from dataclasses import replace
from datetime import timedelta

import pytest

from config.selling import CancelScope
from fakes.sell_values import CLOSE, NOW, POLICY, market_at, observation, order
from sell_svc.known import Known, Unknown
from sell_svc.observation import OpenOrder, OpenOrders
from sell_svc.stale import decide_cancels
from sell_svc.verdict import Cancel, Rule, Undecided

LOST = Unknown(reason="lost")


def cancelled(*orders: OpenOrder, scope: CancelScope = CancelScope.OPTIONS) -> list[str]:
    judged = decide_cancels(observation(orders=orders), replace(POLICY, cancel_scope=scope))
    return [one.order.client_order_id for one in judged if isinstance(one, Cancel)]


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(timedelta(minutes=3), True, id="exactly the limit is stale"),
        pytest.param(timedelta(minutes=2, seconds=59), False, id="a second less is not"),
        pytest.param(timedelta(seconds=-5), False, id="a clock a little ahead is not"),
        pytest.param(timedelta(days=3), True, id="days old"),
    ],
)
def test_an_order_is_stale_at_the_configured_age(age: timedelta, expected: bool) -> None:
    assert bool(cancelled(order(age=age))) is expected


def test_it_needs_neither_positions_nor_an_open_session() -> None:
    """S-03."""
    seen = replace(
        observation(orders=(order(),), market=market_at(NOW, is_open=False, close=CLOSE)), holdings=LOST
    )

    (judged,) = decide_cancels(seen, POLICY)

    assert isinstance(judged, Cancel)
    assert (judged.rule, judged.reason) == (Rule.STALE_ORDER, "open for 300 s, limit 180 s")


OPTION = order("option")
OPTION_ELSEWHERE = order("option-elsewhere", placed_here=False)
OPTION_SELL = order("option-sell", is_sell=True)
STOCK = order("stock", symbol="AAPL", is_option=False)
STOCK_ELSEWHERE = order("stock-elsewhere", symbol="AAPL", is_option=False, placed_here=False)


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        pytest.param(
            CancelScope.OPTIONS,
            {"option", "option-elsewhere", "option-sell"},
            id="S-13 options of both sides",
        ),
        pytest.param(
            CancelScope.ALL,
            {"option", "option-elsewhere", "option-sell", "stock", "stock-elsewhere"},
            id="everything",
        ),
        pytest.param(CancelScope.OWN, {"option", "option-sell", "stock"}, id="S-13 what was placed here"),
    ],
)
def test_the_scope_decides_which_orders_count(scope: CancelScope, expected: set[str]) -> None:
    found = cancelled(OPTION, OPTION_ELSEWHERE, OPTION_SELL, STOCK, STOCK_ELSEWHERE, scope=scope)

    assert set(found) == expected


def test_the_oldest_goes_first() -> None:
    found = cancelled(order("young", age=timedelta(minutes=4)), order("old", age=timedelta(hours=4)))

    assert found == ["old", "young"]


def test_an_order_that_is_being_cancelled_is_not_cancelled_again() -> None:
    """S-15."""
    assert cancelled(order(cancel_pending=True)) == []


def test_an_order_without_a_time_is_undecided_neither_new_nor_old() -> None:
    """S-01, S-16: it used to have the age zero for ever."""
    (judged,) = decide_cancels(observation(orders=(order(age=None),)), POLICY)

    assert isinstance(judged, Undecided)
    assert judged.rule is Rule.ORDER_AGE_UNKNOWN


def test_an_order_that_cannot_be_read_is_named() -> None:
    """S-16."""
    seen = replace(observation(), orders=Known(value=OpenOrders(unreadable=("b-1",)), at=NOW))

    (judged,) = decide_cancels(seen, POLICY)

    assert (judged.symbol, judged.rule) == ("b-1", Rule.ORDER_AGE_UNKNOWN)


@pytest.mark.parametrize("unseen", ["orders", "market"])
def test_without_orders_or_the_brokers_time_nothing_is_cancelled(unseen: str) -> None:
    seen = observation(orders=(order(),))
    seen = replace(seen, orders=LOST) if unseen == "orders" else replace(seen, market=LOST)

    assert decide_cancels(seen, POLICY) == ()
    assert seen.unseen == f"{unseen}: lost"
