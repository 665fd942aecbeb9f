from datetime import timedelta
from decimal import Decimal

import pytest

from fakes.sell_values import NOW, quote
from sell_svc.known import Known, Unknown
from sell_svc.observation import Quote
from sell_svc.price import Basis, PriceAges, lacks_bid, mark

AGES = PriceAges(quote=timedelta(minutes=5), trade=timedelta(minutes=15))
OLD = NOW - timedelta(hours=2)


@pytest.mark.parametrize(
    ("book", "price", "basis"),
    [
        pytest.param(quote("1.10", "1.20", last="5"), "1.10", Basis.BID, id="a fresh bid comes first"),
        pytest.param(quote("1.10", None), "1.10", Basis.BID, id="a bid without an ask counts"),
        pytest.param(quote("1.10", "1.10"), "1.10", Basis.BID, id="a locked market counts"),
        pytest.param(quote(None, "0.05", last="5"), "0.025", Basis.MID, id="no bid: half of the ask"),
        pytest.param(quote("0", "0.05"), "0.025", Basis.MID, id="a bid of zero is no bid"),
        pytest.param(quote("1", "2", at=OLD, last="5"), "5", Basis.LAST, id="an old quote: the last trade"),
        pytest.param(quote("3", "2", last="5"), "5", Basis.LAST, id="a crossed quote: the last trade"),
        pytest.param(quote(None, None, last="5"), "5", Basis.LAST, id="an empty book: the last trade"),
        pytest.param(
            quote("1", "2", at=NOW - timedelta(minutes=5)), "1", Basis.BID, id="the age limit is inclusive"
        ),
        pytest.param(
            quote("1", "2", at=NOW + timedelta(seconds=30)), "1", Basis.BID, id="a clock a little ahead"
        ),
    ],
)
def test_the_price_is_the_fresh_bid_then_the_mid_then_the_last_trade(
    book: Quote, price: str, basis: Basis
) -> None:
    found = mark(book, NOW, AGES)

    assert isinstance(found, Known)
    assert (found.value.price, found.value.basis) == (Decimal(price), basis)


@pytest.mark.parametrize(
    ("book", "reason"),
    [
        pytest.param(None, "no quote", id="no quote"),
        pytest.param(quote(at=OLD), "quote has age 7200 s", id="old and no trade"),
        pytest.param(quote(at=None), "quote has no time", id="S-01 a quote without a time is not fresh"),
        pytest.param(quote(None, None), "neither bid nor ask", id="an empty book"),
        pytest.param(quote("3", "2"), "bid 3 is above ask 2", id="crossed"),
        pytest.param(quote(at=OLD, last="5", last_at=OLD), "no last trade within 900 s", id="an old trade"),
        pytest.param(quote(at=OLD, last="5", last_at=None), "no last trade", id="a trade without a time"),
        pytest.param(quote(at=NOW + timedelta(hours=4)), "age -14400 s", id="a time far ahead is wrong"),
        pytest.param(quote("NaN", "NaN"), "neither bid nor ask", id="not a number"),
    ],
)
def test_without_a_fresh_price_it_is_unknown_and_says_why(book: Quote | None, reason: str) -> None:
    """S-19: a missing price used to read as a profit of zero."""
    found = mark(book, NOW, AGES)

    assert isinstance(found, Unknown)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("book", "expected"),
    [
        pytest.param(quote(None, "1"), True, id="fresh and no bid"),
        pytest.param(quote("1", "2"), False, id="a bid"),
        pytest.param(quote(None, "1", at=OLD), False, id="old: not known"),
        pytest.param(None, False, id="no quote: not known"),
    ],
)
def test_only_a_fresh_quote_shows_that_nobody_bids(book: Quote | None, expected: bool) -> None:
    assert lacks_bid(book, NOW, AGES) is expected
