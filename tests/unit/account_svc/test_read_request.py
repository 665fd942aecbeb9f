"""What strangers may write into a request, and what becomes of it."""

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from account_svc import read_request
from account_svc.order_terms import OrderTerms, OrderType, Side
from opitios.account.v1.account_service_pb2 import AuthorizeOrderRequest
from runtime.errors import MalformedRequest

OPTION = "AAPL301220C00200000"
texts = st.text(max_size=20) | st.sampled_from(
    [
        "",
        "1",
        "0",
        "-1",
        "+1",
        "1e3",
        "1e400",
        "NaN",
        "Infinity",
        "1_000",
        "0x1",
        " 1",
        "1.",
        ".5",
        "\u0661",
        "1.0000000001",
    ]
)


def request(**fields: Any) -> AuthorizeOrderRequest:
    known: dict[str, Any] = {
        "account_id": "main",
        "hold_id": "h",
        "symbol": "AAPL",
        "side": "buy",
        "order_type": "market",
        "qty": "1",
    }
    return AuthorizeOrderRequest(**{**known, **fields})


def violations(**fields: Any) -> list[str]:
    with pytest.raises(MalformedRequest) as caught:
        read_request.order_to_authorise(request(**fields))
    return [one.field for one in caught.value.violations]


def test_a_request_becomes_the_order_it_describes() -> None:
    hold_id, terms = read_request.order_to_authorise(
        request(
            symbol=OPTION,
            side="sell",
            order_type="stop_limit",
            qty="3",
            limit_price="1.25",
            stop_price="1.30",
            closes_position=True,
        )
    )

    assert hold_id == "h"
    assert (terms.symbol, terms.side, terms.order_type) == (OPTION, Side.SELL, OrderType.STOP_LIMIT)
    assert (terms.qty, terms.notional) == (Decimal(3), None)
    assert (terms.limit_price, terms.stop_price) == (Decimal("1.25"), Decimal("1.30"))
    assert terms.closes_position


@given(qty=texts, notional=texts, limit_price=texts, stop_price=texts)
def test_amounts_are_either_exact_positive_decimals_or_refused_by_name(
    qty: str, notional: str, limit_price: str, stop_price: str
) -> None:
    written = {"qty": qty, "notional": notional, "limit_price": limit_price, "stop_price": stop_price}

    try:
        _, terms = read_request.order_to_authorise(request(**written))
    except MalformedRequest as error:
        named = {one.field for one in error.violations}
    else:
        named = set()
        check_amounts(terms, written)
    assert named <= set(written)


def check_amounts(terms: OrderTerms, written: dict[str, str]) -> None:
    for name, text in written.items():
        amount = getattr(terms, name)
        assert (amount is None) == (text == "")
        if amount is not None:
            assert re.fullmatch(r"[0-9.]+", text)
            assert amount == Decimal(text) > 0


@given(account_id=st.text(), hold_id=st.text(), symbol=st.text(), side=st.text(), order_type=st.text())
def test_no_text_at_all_gets_past_the_reader_unchecked(
    account_id: str, hold_id: str, symbol: str, side: str, order_type: str
) -> None:
    fields = {
        "account_id": account_id,
        "hold_id": hold_id,
        "symbol": symbol,
        "side": side,
        "order_type": order_type,
    }
    assert set(violations(**{**fields, "qty": "none"})) >= {"qty"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(
            {"symbol": OPTION, "qty": "", "notional": "100"}, ["notional"], id="an option by amount"
        ),
        pytest.param({"symbol": OPTION, "qty": "1.5"}, ["qty"], id="part of a contract"),
        pytest.param({"order_type": "limit"}, ["limit_price"], id="limit without a price"),
        pytest.param(
            {"order_type": "stop_limit"}, ["limit_price", "stop_price"], id="stop_limit without prices"
        ),
        pytest.param({"qty": "1234567890123"}, ["qty"], id="thirteen digits"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_by_field(
    fields: dict[str, Any], expected: list[str]
) -> None:
    assert violations(**fields) == expected


def test_symbols_asked_for_twice_are_read_once() -> None:
    padded = "AAPL  301220C00200000"

    assert read_request.stock_symbols(["AAPL", "BRK.B", "AAPL"]) == ("AAPL", "BRK.B")
    assert read_request.option_symbols([OPTION, padded]) == (OPTION,)
