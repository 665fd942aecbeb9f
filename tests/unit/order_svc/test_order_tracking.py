from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from broker.reports import OrderSide, PositionIntent
from fakes.order_values import NOON
from order_svc.identifiers import ClientOrderId
from order_svc.tracking import Fill, open_lots


def _fill(minute: int, side: OrderSide, qty: int, **changes: object) -> Fill:
    values: dict[str, object] = {
        "symbol": "AAPL",
        "side": side,
        "client_order_id": ClientOrderId(f"o{minute}"),
        "filled_qty": Decimal(qty),
        "filled_at": NOON + timedelta(minutes=minute),
        "auto_sell_enabled": False,
        "position_intent": None,
        **changes,
    }
    return Fill(**values)  # type: ignore[arg-type] # a test names any field


BUY, SELL = OrderSide.BUY, OrderSide.SELL


def test_a_sell_takes_from_the_oldest_lot_and_each_lot_keeps_its_permission() -> None:
    lots = open_lots([_fill(2, BUY, 3), _fill(1, BUY, 2, auto_sell_enabled=True), _fill(3, SELL, 1)])

    assert [(lot.client_order_id, lot.remaining_qty, lot.auto_sell_enabled) for lot in lots] == [
        ("o1", Decimal(1), True),
        ("o2", Decimal(3), False),
    ]


def test_an_exit_of_the_monitor_leaves_its_owners_older_lot_alone() -> None:
    fills = [
        _fill(1, BUY, 5),
        _fill(2, BUY, 5, auto_sell_enabled=True),
        _fill(3, SELL, 5, auto_sell_enabled=True),
    ]

    assert [(lot.remaining_qty, lot.auto_sell_enabled) for lot in open_lots(fills)] == [(Decimal(5), False)]


def test_an_exit_beyond_the_monitors_lots_takes_the_rest_from_the_oldest() -> None:
    fills = [
        _fill(1, BUY, 5),
        _fill(2, BUY, 5, auto_sell_enabled=True),
        _fill(3, SELL, 7, auto_sell_enabled=True),
    ]

    assert [(lot.remaining_qty, lot.auto_sell_enabled) for lot in open_lots(fills)] == [(Decimal(3), False)]


def test_a_sell_before_the_buy_takes_nothing_of_it() -> None:
    (lot,) = open_lots([_fill(1, SELL, 5), _fill(2, BUY, 3)])

    assert lot.remaining_qty == 3


def test_orders_of_a_short_neither_make_nor_take_lots() -> None:
    fills = [
        _fill(1, BUY, 2),
        _fill(2, SELL, 1, position_intent=PositionIntent.SELL_TO_OPEN),
        _fill(3, BUY, 1, position_intent=PositionIntent.BUY_TO_CLOSE),
    ]

    assert [lot.remaining_qty for lot in open_lots(fills)] == [2]


def test_symbols_do_not_mix() -> None:
    (lot,) = open_lots([_fill(1, BUY, 2), _fill(2, SELL, 2, symbol="MSFT")])

    assert lot.symbol == "AAPL"


fills = st.lists(
    st.builds(
        _fill,
        st.integers(0, 60),
        st.sampled_from([BUY, SELL]),
        st.integers(1, 50),
        symbol=st.sampled_from(["AAPL", "MSFT"]),
    ),
    max_size=20,
)


@given(fills)
def test_lots_never_hold_more_than_was_bought_and_never_less_than_was_not_sold(history: list[Fill]) -> None:
    lots = open_lots(history)

    assert all(lot.remaining_qty > 0 for lot in lots)
    for symbol in ("AAPL", "MSFT"):
        held = sum(lot.remaining_qty for lot in lots if lot.symbol == symbol)
        bought = sum(one.filled_qty for one in history if one.symbol == symbol and one.side is BUY)
        sold = sum(one.filled_qty for one in history if one.symbol == symbol and one.side is SELL)
        assert max(bought - sold, 0) <= held <= bought


@given(fills, st.integers(1, 50))
def test_selling_more_never_leaves_more(history: list[Fill], more: int) -> None:
    before = sum(lot.remaining_qty for lot in open_lots(history))
    after = sum(lot.remaining_qty for lot in open_lots([*history, _fill(61, SELL, more)]))

    assert after <= before


@given(fills)
def test_the_order_in_which_fills_are_told_does_not_matter(history: list[Fill]) -> None:
    told = [replace(fill, client_order_id=ClientOrderId(f"o{number}")) for number, fill in enumerate(history)]

    assert open_lots(told) == open_lots(reversed(told))
