"""Chains and bars read: whatever Alpaca sends, nothing is guessed and one bad entry spoils no other."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.bars import BarsQuery, Timeframe, parse_bars
from broker.option_chain import parse_chain
from broker.option_symbol import OptionRight, OptionSymbol
from broker.raw_json import UnreadableAnswer, as_object, decode
from fakes.recorded_market import CALL, LATER, PUT, SNAPSHOTS
from runtime.errors import MalformedRequest

START = datetime(2025, 9, 1, tzinfo=UTC)
KNOWN = as_object(decode(json.dumps(SNAPSHOTS).encode()), "the snapshots")

contracts = st.builds(
    OptionSymbol,
    root=st.sampled_from(["AAPL", "AAPL1", "SPXW"]),
    expiration_date=st.dates(min_value=datetime(2030, 1, 1).date(), max_value=datetime(2031, 1, 1).date()),  # noqa: DTZ001 - only the date is used
    right=st.sampled_from(OptionRight),
    strike_price=st.integers(min_value=1, max_value=99_999).map(Decimal),
)
anything: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(listed=st.lists(contracts, max_size=20, unique_by=str))
def test_a_chain_is_sorted_by_expiry_strike_and_right(listed: list[OptionSymbol]) -> None:
    chain = parse_chain({str(one): {} for one in listed})

    keys = [
        (one.contract.expiration_date, one.contract.strike_price, one.contract.right.value)
        for one in chain.items
    ]
    assert keys == sorted(keys)
    assert {str(one.contract) for one in chain.items} == {str(one) for one in listed}


@given(
    odd=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("latestQuote", "latestTrade", "greeks", "impliedVolatility"), anything)
    )
)
def test_whatever_one_contract_holds_the_others_stay(odd: dict[str, Any]) -> None:
    chain = parse_chain({**KNOWN, PUT: odd})

    known = {str(one.contract) for one in chain.items}
    assert known >= {CALL, LATER}
    assert (PUT in known) == chain.complete


@given(entries=st.lists(anything, min_size=1, max_size=3))
def test_what_is_no_bar_is_unreadable(entries: list[Any]) -> None:
    with pytest.raises(UnreadableAnswer):
        parse_bars(entries)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"limit": 0}, ["limit"]),
        ({"limit": 10_001}, ["limit"]),
        ({"end": datetime(2025, 8, 31, tzinfo=UTC)}, ["end"]),
        ({"limit": -1, "end": datetime(2025, 8, 31, tzinfo=UTC)}, ["limit", "end"]),
    ],
    ids=["none", "too many", "backwards", "both"],
)
def test_a_question_for_bars_that_makes_no_sense_cannot_be_built(
    changes: dict[str, Any], fields: list[str]
) -> None:
    values: dict[str, Any] = {
        "symbol": "AAPL",
        "timeframe": Timeframe.DAY,
        "start": START,
        "end": START,
        "limit": 1,
        **changes,
    }

    with pytest.raises(MalformedRequest) as refused:
        BarsQuery(**values)

    assert [one.field for one in refused.value.violations] == fields
