from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.option_symbol import (
    OptionRight,
    OptionSymbol,
    UnknownOptionSymbol,
    is_option_symbol,
    parse,
)

contracts = st.builds(
    OptionSymbol,
    root=st.from_regex(r"[A-Z][A-Z0-9]{0,5}", fullmatch=True),
    expiration_date=st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    right=st.sampled_from(OptionRight),
    strike_price=st.integers(1, 99_999_999).map(lambda thousandths: Decimal(thousandths) / 1000),
)


@given(contract=contracts)
def test_a_formatted_symbol_parses_back_to_the_same_contract(contract: OptionSymbol) -> None:
    assert parse(str(contract)) == contract


@given(contract=contracts)
def test_the_padded_form_names_the_same_contract(contract: OptionSymbol) -> None:
    compact = str(contract)

    assert parse(contract.root.ljust(6) + compact[len(contract.root) :]) == contract


@given(text=st.text() | st.from_regex(r"[A-Z0-9 ]{0,7}[0-9]{6}[CP][0-9]{8}", fullmatch=True))
def test_any_text_is_either_a_contract_that_formats_back_or_unknown(text: str) -> None:
    try:
        contract = parse(text)
    except UnknownOptionSymbol:
        assert not is_option_symbol(text)
    else:
        assert is_option_symbol(text)
        assert str(contract) == text.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "root", "day", "right", "strike"),
    [
        pytest.param(
            "AAPL240119C00190000", "AAPL", date(2024, 1, 19), OptionRight.CALL, "190", id="ordinary"
        ),
        pytest.param("F240119P00012500", "F", date(2024, 1, 19), OptionRight.PUT, "12.5", id="shortest-root"),
        pytest.param(
            "XOM2241220P00280000", "XOM2", date(2024, 12, 20), OptionRight.PUT, "280", id="adjusted-XOM2"
        ),
        pytest.param(
            "AAPL1240119C00162500", "AAPL1", date(2024, 1, 19), OptionRight.CALL, "162.5", id="adjusted-AAPL1"
        ),
        pytest.param(
            "SPXW  261231C05000000", "SPXW", date(2026, 12, 31), OptionRight.CALL, "5000", id="padded"
        ),
        pytest.param("SPY240229C00000500", "SPY", date(2024, 2, 29), OptionRight.CALL, "0.5", id="leap-day"),
    ],
)
def test_the_parts_are_read_from_the_right(
    text: str, root: str, day: date, right: OptionRight, strike: str
) -> None:
    assert parse(text) == OptionSymbol(
        root=root, expiration_date=day, right=right, strike_price=Decimal(strike)
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("AAPL", id="a-stock"),
        pytest.param("240119C00190000", id="no-root"),
        pytest.param("TOOLONG240119C00190000", id="root-of-seven"),
        pytest.param("AAPL230229C00190000", id="no-such-day"),
        pytest.param("AAPL241301C00190000", id="month-13"),
        pytest.param("AAPL240119X00190000", id="neither-call-nor-put"),
        pytest.param("AAPL240119C00000000", id="strike-zero"),
        pytest.param("AAPL240119C0190000", id="short-strike"),
        pytest.param("aapl240119C00190000", id="lower-case"),
        pytest.param("AAPL 240119C00190000", id="half-padded"),
        pytest.param(" AAPL 240119C00190000", id="padded-on-the-left"),
        pytest.param("AAPL240119C00190000\n", id="newline"),
        pytest.param("AAPL٢٤0119C00190000", id="foreign-digits"),
    ],
)
def test_what_is_no_symbol_is_refused_with_what_was_received(text: str) -> None:
    with pytest.raises(UnknownOptionSymbol) as refused:
        parse(text)

    assert repr(text) in refused.value.message
    assert refused.value.reason == "UNKNOWN_OPTION_SYMBOL"


@pytest.mark.parametrize(
    ("root", "day", "strike"),
    [
        pytest.param("aapl", date(2024, 1, 19), "190", id="lower-case-root"),
        pytest.param("AAPL", date(1999, 1, 19), "190", id="last-century"),
        pytest.param("AAPL", date(2024, 1, 19), "190.0005", id="finer-than-a-thousandth"),
        pytest.param("AAPL", date(2024, 1, 19), "0", id="free"),
        pytest.param("AAPL", date(2024, 1, 19), "100000", id="nine-digits"),
        pytest.param("AAPL", date(2024, 1, 19), "NaN", id="not-a-number"),
        pytest.param("AAPL", date(2024, 1, 19), "1.0000000000000000000000000000001", id="beyond-the-context"),
    ],
)
def test_a_contract_that_has_no_symbol_cannot_be_built(root: str, day: date, strike: str) -> None:
    with pytest.raises(ValueError, match=r"root|year|strike"):
        OptionSymbol(root=root, expiration_date=day, right=OptionRight.CALL, strike_price=Decimal(strike))
