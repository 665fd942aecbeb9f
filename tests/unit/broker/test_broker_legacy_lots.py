"""What a sale takes from tracked lots."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.legacy_database.lots import LotChange, TrackedLot, auto_sell_qty, plan_sale, plan_unfilled


def lot(order_id: str, qty: int, *, auto: bool = True) -> TrackedLot:
    return TrackedLot(
        stored_account_name="alice",
        order_id=order_id,
        symbol="AAPL260116C00190000",
        qty=qty,
        auto_sell_enabled=auto,
        ordered_at=None,
    )


def remaining(changes: tuple[LotChange, ...]) -> list[tuple[str, int]]:
    return [(one.lot.order_id, one.remaining_qty) for one in changes]


@pytest.mark.parametrize(
    ("filled", "expected", "untracked"),
    [
        pytest.param(1, [("a", 1)], 0, id="part of the oldest"),
        pytest.param(2, [("a", 0)], 0, id="all of the oldest"),
        pytest.param(4, [("a", 0), ("b", 1)], 0, id="into the next"),
        pytest.param(9, [("a", 0), ("b", 0)], 4, id="more than was tracked"),
    ],
)
def test_a_sale_takes_the_oldest_lots_first(
    filled: int, expected: list[tuple[str, int]], untracked: int
) -> None:
    plan = plan_sale([lot("a", 2), lot("b", 3)], filled)

    assert remaining(plan.changes) == expected
    assert plan.untracked_qty == untracked


@given(quantities=st.lists(st.integers(1, 50), max_size=8), filled=st.integers(1, 500))
def test_a_sale_takes_exactly_what_was_filled(quantities: list[int], filled: int) -> None:
    lots = [lot(str(number), qty) for number, qty in enumerate(quantities)]

    plan = plan_sale(lots, filled)

    taken = sum(one.lot.qty - one.remaining_qty for one in plan.changes)
    assert taken + plan.untracked_qty == filled
    assert taken == min(filled, sum(quantities))
    assert all(one.remaining_qty == 0 for one in plan.changes[:-1])


@pytest.mark.parametrize("filled", [0, -1])
def test_nothing_filled_is_no_sale(filled: int) -> None:
    with pytest.raises(ValueError, match="filled_qty"):
        plan_sale([lot("a", 1)], filled)


def test_what_a_buy_did_not_get_leaves_its_lot() -> None:
    assert remaining((plan_unfilled(lot("a", 3), 2), plan_unfilled(lot("b", 3), 3))) == [("a", 1), ("b", 0)]


@pytest.mark.parametrize("unfilled", [pytest.param(0, id="nothing"), pytest.param(4, id="more than it had")])
def test_a_lot_only_shrinks_and_never_below_nothing(unfilled: int) -> None:
    with pytest.raises(ValueError, match="remaining"):
        plan_unfilled(lot("a", 3), unfilled)


def test_each_lot_says_for_itself_whether_it_may_be_sold() -> None:
    assert auto_sell_qty([lot("a", 2), lot("manual", 5, auto=False), lot("b", 1)]) == 3
