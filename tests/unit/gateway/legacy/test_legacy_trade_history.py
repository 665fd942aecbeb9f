"""Profit first in, first out, by New York's days."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.legacy.trade_history import Fill, History, trade_history

NOW = datetime(2026, 11, 24, 16, 0, tzinfo=UTC)


def fill(side: str, qty: str, price: str, *, ago_hours: float = 1, **changes: Any) -> Fill:
    values: dict[str, Any] = {
        "symbol": "AAPL",
        "is_buy": side == "buy",
        "qty": Decimal(qty),
        "price": Decimal(price),
        "multiplier": Decimal(1),
        "filled_at": NOW - timedelta(hours=ago_hours),
    }
    return Fill(**{**values, **changes})


def profit(*fills: Fill) -> Decimal:
    return trade_history(fills, now=NOW, days=30).profit


@pytest.mark.parametrize(
    ("fills", "earned"),
    [
        pytest.param([fill("buy", "10", "100", ago_hours=3), fill("sell", "10", "110")], "100", id="gain"),
        pytest.param([fill("buy", "10", "100", ago_hours=3), fill("sell", "4", "90")], "-40", id="partial"),
        pytest.param(
            [
                fill("buy", "5", "100", ago_hours=4),
                fill("buy", "5", "120", ago_hours=3),
                fill("sell", "7", "130", ago_hours=2),
                fill("sell", "3", "110"),
            ],
            "140",
            id="the oldest buy goes first",
        ),
        pytest.param([fill("sell", "10", "110")], "0", id="bought before the window"),
        pytest.param(
            [fill("buy", "2", "100", ago_hours=3), fill("sell", "5", "110")], "20", id="partly known"
        ),
        pytest.param(
            [fill("sell", "5", "110", ago_hours=3), fill("buy", "5", "100")], "0", id="a short sale"
        ),
        pytest.param(
            [
                fill("buy", "1", "2.5", ago_hours=3, multiplier=Decimal(100)),
                fill("sell", "1", "3.1", multiplier=Decimal(100)),
            ],
            "60",
            id="an option is a hundred units",
        ),
        pytest.param(
            [fill("buy", "1", "1", ago_hours=3, symbol="A"), fill("sell", "1", "9", symbol="B")],
            "0",
            id="symbols do not mix",
        ),
        pytest.param(
            [fill("sell", "1", "12"), fill("buy", "1", "10", ago_hours=5)], "2", id="time decides, not place"
        ),
    ],
)
def test_a_sale_earns_what_it_brings_over_the_oldest_buys(fills: list[Fill], earned: str) -> None:
    assert profit(*fills) == Decimal(earned)


def test_a_day_is_new_york_s_and_the_newest_comes_first() -> None:
    # 04:59 UTC in November is one minute before midnight in New York.
    evening = datetime(2026, 11, 24, 4, 59, tzinfo=UTC)
    morning = datetime(2026, 11, 24, 5, 1, tzinfo=UTC)

    found = trade_history(
        [
            fill("buy", "2", "10", filled_at=evening),
            fill("sell", "1", "12", filled_at=morning),
            fill("sell", "1", "14", filled_at=morning + timedelta(hours=1)),
        ],
        now=NOW,
        days=30,
    )

    assert [(day.day, day.profit, day.sold_qty, day.avg_sold_price) for day in found.days] == [
        (date(2026, 11, 24), Decimal(6), Decimal(2), Decimal(13)),
        (date(2026, 11, 23), Decimal(0), Decimal(0), Decimal(0)),
    ]


@pytest.mark.parametrize(
    ("days", "shown"), [(1, 1), (2, 2), (0, 0), (-3, 0), (2**31 - 1, 2), (-(2**31 - 1), 0)]
)
def test_only_the_asked_for_days_count(days: int, shown: int) -> None:
    fills = [fill("buy", "1", "1", ago_hours=23), fill("buy", "1", "1", ago_hours=47)]

    assert len(trade_history(fills, now=NOW, days=days).days) == shown


def test_a_fill_of_the_future_is_not_counted_yet() -> None:
    assert trade_history([fill("buy", "1", "1", ago_hours=-1)], now=NOW, days=30) == History()


amount = st.decimals(min_value="0.001", max_value=10_000, places=3)
fills_in_time = st.lists(
    st.builds(
        Fill,
        symbol=st.sampled_from(["A", "B"]),
        is_buy=st.booleans(),
        qty=amount,
        price=amount,
        multiplier=st.sampled_from([Decimal(1), Decimal(100)]),
        filled_at=st.integers(min_value=0, max_value=23 * 24 * 60).map(
            lambda minutes: NOW - timedelta(minutes=minutes)
        ),
    ),
    max_size=20,
    unique_by=lambda one: one.filled_at,
)


@given(fills=fills_in_time, seed=st.randoms(use_true_random=False))
def test_the_order_in_which_fills_are_listed_does_not_matter(fills: list[Fill], seed: Any) -> None:
    shuffled = list(fills)
    seed.shuffle(shuffled)

    assert trade_history(shuffled, now=NOW, days=60) == trade_history(fills, now=NOW, days=60)


@given(fills=fills_in_time)
def test_days_add_up_and_every_sold_share_is_counted_once(fills: list[Fill]) -> None:
    found = trade_history(fills, now=NOW, days=60)

    days = [day.day for day in found.days]
    assert days == sorted(set(days), reverse=True)
    assert sum((day.sold_qty for day in found.days), Decimal(0)) == sum(
        (one.qty for one in fills if not one.is_buy), Decimal(0)
    )
    assert found.since(date.min).profit == found.profit
    if days:
        rest = History(days=tuple(day for day in found.days if day.day < days[0]))
        assert found.since(days[0]).profit + rest.profit == found.profit


@given(fills=fills_in_time, price=amount)
def test_at_one_price_nothing_is_earned(fills: list[Fill], price: Decimal) -> None:
    flat = [
        Fill(
            symbol=one.symbol,
            is_buy=one.is_buy,
            qty=one.qty,
            price=price,
            multiplier=one.multiplier,
            filled_at=one.filled_at,
        )
        for one in fills
    ]

    assert trade_history(flat, now=NOW, days=60).profit == 0


@given(bought=st.lists(amount, min_size=1, max_size=8), price=amount, start=amount)
def test_selling_all_earns_the_proceeds_less_the_cost(
    bought: list[Decimal], price: Decimal, start: Decimal
) -> None:
    buys = [
        fill("buy", str(qty), str(start + index), ago_hours=50 - index) for index, qty in enumerate(bought)
    ]
    total = sum(bought, Decimal(0))

    earned = profit(*buys, fill("sell", str(total), str(price)))

    assert earned == total * price - sum((one.qty * one.price for one in buys), Decimal(0))
