from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sell_svc.ladder import RUNGS, BrokerRefusal, limit_price

CENT, NICKEL = RUNGS
NO_BID = "40310000 no available bid for AAPL270115C00200000"


def refused(message: str, at: Decimal | None = None) -> BrokerRefusal:
    return BrokerRefusal(message=message, limit_price=at)


@pytest.mark.parametrize(
    ("wanted", "last", "expected"),
    [
        pytest.param(None, None, None, id="at the market"),
        pytest.param(CENT, None, CENT, id="a quote showed that nobody bids"),
        pytest.param(None, refused(NO_BID), CENT, id="the broker says that nobody bids"),
        pytest.param(None, refused("42210000 NO AVAILABLE quote"), CENT, id="in other words"),
        pytest.param(None, refused("40310000 insufficient qty available"), None, id="another refusal"),
        pytest.param(CENT, refused("42210000 price increment", CENT), NICKEL, id="a class in nickels"),
        pytest.param(None, refused("42210000 price increment", CENT), NICKEL, id="and the quote is gone"),
        pytest.param(CENT, refused(NO_BID, NICKEL), CENT, id="from the start again"),
    ],
)
def test_the_price_follows_the_brokers_last_refusal(
    wanted: Decimal | None, last: BrokerRefusal | None, expected: Decimal | None
) -> None:
    assert limit_price(wanted, last) == expected


@given(
    wanted=st.sampled_from([None, CENT]),
    message=st.text(),
    at=st.sampled_from([None, *RUNGS]),
)
def test_no_price_is_ever_below_a_tick(wanted: Decimal | None, message: str, at: Decimal | None) -> None:
    """S-24: half a cent used to be the last try."""
    price = limit_price(wanted, refused(message, at))

    assert price is None or (price >= CENT and price % CENT == 0)
