import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.legacy.exact_json import read_body
from gateway.legacy.numbers import exact_text, nonzero_or_none, number, number_or_none, plain_text

decimals = st.decimals(min_value=Decimal("0.000000001"), max_value=10**9, places=9)


def parsed(text: str) -> object:
    value = read_body(b'{"n":' + text.encode() + b"}", "application/json")
    assert isinstance(value, dict)
    return value["n"]


@pytest.mark.parametrize(
    ("text", "zero", "none", "nonzero"),
    [("", 0.0, None, None), ("0", 0.0, 0.0, None), ("0.00", 0.0, 0.0, None), ("1.5", 1.5, 1.5, 1.5)],
    ids=["empty", "zero", "zero with decimals", "number"],
)
def test_decimal_texts_become_doubles(
    text: str, zero: float, none: float | None, nonzero: float | None
) -> None:
    assert number(text) == zero
    assert number_or_none(text) == none
    assert nonzero_or_none(text) == nonzero


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1", "1"),
        ("1.0", "1"),
        ("100", "100"),
        ("100.00", "100"),
        ("1e2", "100"),
        ("0.5", "0.5"),
        ("0.123456789", "0.123456789"),
        ("123456789.123456789", "123456789.123456789"),
        ("0.1234567890123456789", "0.1234567890123456789"),
        ('"10"', "10"),
        ('" 10.50 "', "10.5"),
        ('"1e3"', "1000"),
        ("true", "1"),
        ("1e-7", "0.0000001"),
    ],
)
def test_a_number_keeps_the_digits_that_its_caller_wrote(written: str, expected: str) -> None:
    raw = parsed(written)

    assert exact_text(raw, float(raw)) == expected  # type: ignore[arg-type]  # a number, its text, or a flag


def test_an_absent_number_has_no_text() -> None:
    assert exact_text(None, None) == ""


@given(decimals)
def test_json_number_to_text_and_back_loses_nothing(value: Decimal) -> None:
    raw = parsed(format(value, "f"))

    assert Decimal(exact_text(raw, float(value))) == value


@given(decimals)
def test_plain_text_has_neither_exponent_nor_needless_zeros(value: Decimal) -> None:
    text = plain_text(value)

    assert Decimal(text) == value
    assert "E" not in text
    assert "." not in text or not text.endswith(("0", "."))


@given(st.integers(min_value=1, max_value=10**6))
def test_whole_numbers_print_as_floats(value: int) -> None:
    assert json.dumps(number(str(value))) == f"{value}.0"
