from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.raw_json import (
    UnreadableAnswer,
    boolean,
    decimal,
    decode,
    optional_decimal,
    optional_stamp,
    optional_text,
    stamp,
    text,
)

amounts = st.decimals(min_value=-(10**15), max_value=10**15, allow_nan=False, allow_infinity=False, places=9)


@given(amount=amounts)
def test_an_amount_is_read_exactly_from_a_string_and_from_a_number(amount: Decimal) -> None:
    written = format(amount, "f")
    raw = decode(f'{{"text": "{written}", "number": {written}}}'.encode())

    assert isinstance(raw, dict)
    assert decimal(raw, "text") == amount
    assert decimal(raw, "number") == amount


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="null"),
        pytest.param("", id="empty"),
        pytest.param("NaN", id="nan"),
        pytest.param("Infinity", id="infinity"),
        pytest.param("-inf", id="minus-inf"),
        pytest.param("1_000", id="underscore"),
        pytest.param(" 1", id="space"),
        pytest.param("\N{ARABIC-INDIC DIGIT ONE}", id="arabic-digit"),
        pytest.param("1,000", id="comma"),
        pytest.param("0x10", id="hex"),
        pytest.param("1e400", id="too-large"),
        pytest.param("1e-400", id="too-small"),
        pytest.param("9" * 65, id="too-long"),
        pytest.param(10**40, id="huge-integer"),
        pytest.param(Decimal("Infinity"), id="decimal-infinity"),
        pytest.param(Decimal("NaN"), id="decimal-nan"),
        pytest.param(True, id="boolean"),
        pytest.param([1], id="list"),
        pytest.param({}, id="object"),
    ],
)
def test_what_is_no_number_is_an_error_that_names_the_field_never_zero(value: object) -> None:
    with pytest.raises(UnreadableAnswer, match=r"^cash is "):
        decimal({"cash": value}, "cash")


def test_a_missing_field_is_an_error_unless_it_is_optional() -> None:
    with pytest.raises(UnreadableAnswer, match="cash is missing"):
        decimal({}, "cash")

    assert optional_decimal({}, "cash") is None
    assert optional_text({"name": None}, "name") is None
    assert optional_stamp({"at": ""}, "at") is None


def test_an_optional_number_that_is_odd_is_still_an_error() -> None:
    with pytest.raises(UnreadableAnswer):
        optional_decimal({"limit_price": "cheap"}, "limit_price")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(
            "2026-11-24T15:22:03.337711497Z",
            datetime(2026, 11, 24, 15, 22, 3, 337711, UTC),
            id="nine-digits-are-cut",
        ),
        pytest.param(
            "2026-11-24T15:22:03.694Z", datetime(2026, 11, 24, 15, 22, 3, 694000, UTC), id="three-digits"
        ),
        pytest.param("2026-11-24T15:22:03Z", datetime(2026, 11, 24, 15, 22, 3, 0, UTC), id="no-fraction"),
        pytest.param(
            "2026-07-01T09:30:00-04:00", datetime(2026, 7, 1, 13, 30, tzinfo=UTC), id="new-york-summer"
        ),
        pytest.param(
            "2026-12-01T09:30:00.5-05:00",
            datetime(2026, 12, 1, 14, 30, 0, 500000, UTC),
            id="new-york-winter",
        ),
    ],
)
def test_a_stamp_is_read_in_utc(written: str, expected: datetime) -> None:
    assert stamp({"at": written}, "at") == expected
    assert stamp({"at": written}, "at").utcoffset() == expected.utcoffset()


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(None, id="null"),
        pytest.param("2026-11-24", id="a-day"),
        pytest.param("2026-11-24T15:22:03", id="no-offset"),
        pytest.param("2026-13-24T15:22:03Z", id="month-13"),
        pytest.param("0001-01-01T00:00:00+23:59", id="before-time"),
        pytest.param("yesterday", id="words"),
        pytest.param(1764000000, id="seconds"),
    ],
)
def test_what_is_no_moment_is_an_error_never_now(written: object) -> None:
    with pytest.raises(UnreadableAnswer, match=r"^submitted_at is "):
        stamp({"submitted_at": written}, "submitted_at")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>504</html>", id="html"),
        pytest.param(b'{"cash": NaN}', id="nan"),
        pytest.param(b'{"cash": -Infinity}', id="infinity"),
        pytest.param(b'{"cash": 1', id="cut"),
        pytest.param(b"1e99999999999999999999", id="exponent-beyond-decimal"),
        pytest.param(b"\xff\xfe\x00", id="bytes"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"1" * 10_000, id="endless-integer"),
    ],
)
def test_a_body_that_is_not_json_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer, match="not JSON"):
        decode(body)


@given(body=st.binary())
def test_any_bytes_decode_or_are_unreadable(body: bytes) -> None:
    with suppress(UnreadableAnswer):
        decode(body)


def test_flags_and_texts_are_not_guessed() -> None:
    assert boolean({}, "trading_blocked", default=False) is False
    with pytest.raises(UnreadableAnswer, match="trading_blocked"):
        boolean({}, "trading_blocked")
    with pytest.raises(UnreadableAnswer, match="trading_blocked"):
        boolean({"trading_blocked": "false"}, "trading_blocked", default=False)
    with pytest.raises(UnreadableAnswer, match="status"):
        text({"status": 1}, "status")
