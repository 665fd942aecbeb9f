from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from account_svc.order_terms import OrderTerms, OrderType, Side
from account_svc.worst_cost import worst_cost

CALL = "AAPL240119C00190000"
price = st.decimals(min_value=Decimal("0.0001"), max_value=10**6, places=4)
quantity = st.decimals(min_value=Decimal("0.000000001"), max_value=10**6, places=9)


def terms(
    symbol: str = "AAPL",
    *,
    side: Side = Side.BUY,
    order_type: OrderType = OrderType.MARKET,
    qty: str | None = "2",
    notional: str | None = None,
    limit_price: str | None = None,
    stop_price: str | None = None,
) -> OrderTerms:
    def number(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    return OrderTerms(
        symbol=symbol,
        side=side,
        order_type=order_type,
        qty=number(qty),
        notional=number(notional),
        limit_price=number(limit_price),
        stop_price=number(stop_price),
        closes_position=False,
    )


@pytest.mark.parametrize(
    ("order", "reference", "multiplier", "expected"),
    [
        pytest.param(
            terms(order_type=OrderType.LIMIT, limit_price="190.5"), None, None, "381.0", id="stock limit"
        ),
        pytest.param(
            terms(order_type=OrderType.STOP_LIMIT, limit_price="201", stop_price="200"),
            None,
            None,
            "402",
            id="stop_limit costs its limit",
        ),
        pytest.param(terms(), "100", None, "210.00", id="market: reference plus the band"),
        pytest.param(
            terms(order_type=OrderType.STOP, stop_price="120"),
            "100",
            None,
            "252.00",
            id="stop above the market",
        ),
        pytest.param(
            terms(order_type=OrderType.STOP, stop_price="90"), "100", None, "210.00", id="stop already passed"
        ),
        pytest.param(terms(qty=None, notional="750.25"), None, None, "750.25", id="notional costs itself"),
        pytest.param(
            terms(CALL, order_type=OrderType.LIMIT, limit_price="1.25", qty="3"),
            None,
            "100",
            "375.00",
            id="option limit",
        ),
        pytest.param(terms(CALL, qty="1"), "2", "10", "21.00", id="adjusted contract"),
        pytest.param(terms(side=Side.SELL), None, None, "0", id="a sell costs nothing"),
    ],
)
def test_the_worst_cost_of_an_order(
    order: OrderTerms, reference: str | None, multiplier: str | None, expected: str
) -> None:
    cost = worst_cost(
        order,
        reference_price=None if reference is None else Decimal(reference),
        multiplier=None if multiplier is None else Decimal(multiplier),
    )

    assert cost == Decimal(expected)


@pytest.mark.parametrize(
    ("order", "reference", "multiplier"),
    [
        pytest.param(terms(), None, None, id="market without a price"),
        pytest.param(terms(order_type=OrderType.STOP, stop_price="9"), None, None, id="stop without a price"),
        pytest.param(terms(order_type=OrderType.TRAILING_STOP), "100", None, id="trailing stop"),
        pytest.param(
            terms(CALL, order_type=OrderType.LIMIT, limit_price="1"),
            None,
            None,
            id="option whose multiplier is not known",
        ),
    ],
)
def test_a_cost_that_nobody_can_say_is_not_guessed(
    order: OrderTerms, reference: str | None, multiplier: str | None
) -> None:
    assert (
        worst_cost(order, reference_price=None if reference is None else Decimal(reference), multiplier=None)
        is None
    )


@given(qty=quantity, reference=price, stop=price)
def test_a_buy_without_a_limit_is_never_held_below_its_reference_price(
    qty: Decimal, reference: Decimal, stop: Decimal
) -> None:
    order = replace(terms(order_type=OrderType.STOP, stop_price="1"), qty=qty, stop_price=stop)
    cost = worst_cost(order, reference_price=reference, multiplier=None)

    assert cost is not None
    assert cost >= qty * max(reference, stop)


@given(qty=quantity, more=quantity, limit=price)
def test_a_larger_order_never_costs_less(qty: Decimal, more: Decimal, limit: Decimal) -> None:
    small = replace(terms(order_type=OrderType.LIMIT, limit_price="1"), qty=qty, limit_price=limit)
    large = replace(small, qty=qty + more)

    cost_of_small = worst_cost(small, reference_price=None, multiplier=None)
    cost_of_large = worst_cost(large, reference_price=None, multiplier=None)

    assert cost_of_small is not None
    assert cost_of_large is not None
    assert cost_of_large >= cost_of_small


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"qty": None}, id="neither qty nor notional"),
        pytest.param({"notional": Decimal(5)}, id="qty and notional"),
        pytest.param({"qty": Decimal(0)}, id="qty zero"),
        pytest.param({"qty": Decimal("NaN")}, id="qty not a number"),
        pytest.param({"qty": Decimal("Infinity")}, id="qty infinite"),
        pytest.param({"order_type": OrderType.LIMIT}, id="limit without a price"),
        pytest.param({"order_type": OrderType.STOP}, id="stop without a price"),
    ],
)
def test_terms_that_make_no_sense_cannot_be_built(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        replace(terms(), **broken)


def test_the_same_order_written_differently_has_the_same_fingerprint() -> None:
    assert terms(qty="2.0").fingerprint() == terms(qty="2").fingerprint()


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"qty": Decimal(3)}, id="quantity"),
        pytest.param({"symbol": "MSFT"}, id="symbol"),
        pytest.param({"side": Side.SELL}, id="side"),
        pytest.param({"qty": None, "notional": Decimal(2)}, id="notional instead of quantity"),
        pytest.param({"closes_position": True}, id="closing"),
    ],
)
def test_another_order_has_another_fingerprint(other: dict[str, Any]) -> None:
    assert replace(terms(), **other).fingerprint() != terms().fingerprint()
