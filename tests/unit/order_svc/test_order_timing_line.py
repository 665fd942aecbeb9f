from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.reports import OrderSide
from order_svc.timing_line import AttemptKind, Level, Timing, attempt_line, plain, resolved_line

PLACED = Timing(
    kind=AttemptKind.PLACE,
    attempt_id="att-1",
    side=OrderSide.BUY,
    symbol="AAPL",
    qty=Decimal(100),
    notional=None,
    order_id="abc123",
    client_order_id="opi-1",
    account_id="main",
    account_number="PA1",
    account_type="paper",
    request_id="req-1",
    started_at=datetime(2025, 1, 15, 14, 30, 24, 878_000, tzinfo=UTC),
    completed_at=datetime(2025, 1, 15, 14, 30, 25, 123_999, tzinfo=UTC),
    duration_ms=245,
    broker_ms=212,
    error="",
    detail="",
)
FAILED = replace(
    PLACED,
    side=OrderSide.SELL,
    symbol="TSLA",
    qty=Decimal("50.0"),
    order_id="",
    duration_ms=1200,
    broker_ms=None,
    error="insufficient_balance",
    detail="cash 4000 | holds 0\nnext line",
    account_type="live",
)

# A parser for the two lines of the requirement, as an operator would have written it.
OLD_PARSER = re.compile(
    r"(?P<head>Order placed|Order failed|Order cancelled|Cancel failed): (?P<side>BUY|SELL|-) (?P<symbol>\S+) "
    r"qty=(?P<qty>[0-9.]+|-)(?: \| order_id=(?P<order_id>\S+))? \| duration=(?P<duration>\d+)ms"
    r" \| (?:success=(?P<success>true)|error=(?P<error>[a-z0-9_]+))(?: \| (?P<rest>.*))?"
)


def test_the_requirements_success_line_comes_out_letter_by_letter() -> None:
    line = attempt_line(PLACED)

    assert line.level is Level.INFO
    assert line.text == (
        "Order placed: BUY AAPL qty=100 | order_id=abc123 | duration=245ms | success=true"
        " | account=main | account_number=PA1 | account_type=paper"
        " | started_at=2025-01-15T14:30:24.878Z | completed_at=2025-01-15T14:30:25.123Z"
        " | client_order_id=opi-1 | request_id=req-1 | broker_ms=212 | attempt=att-1"
    )


def test_the_requirements_failure_line_comes_out_letter_by_letter() -> None:
    line = attempt_line(FAILED)

    assert line.level is Level.ERROR
    assert line.text.startswith(
        "Order failed: SELL TSLA qty=50 | duration=1200ms | error=insufficient_balance"
        " | account=main | account_number=PA1 | account_type=live | "
    )
    assert line.text.endswith(
        ' | broker_ms=- | attempt=att-1 | detail="cash 4000 \\u007c holds 0\\nnext line"'
    )


@pytest.mark.parametrize(
    ("error", "head"),
    [
        pytest.param("", "Order cancelled", id="done"),
        pytest.param("already_filled", "Cancel failed", id="failed"),
    ],
)
def test_cancellations_have_the_same_forms(error: str, head: str) -> None:
    line = attempt_line(replace(PLACED, kind=AttemptKind.CANCEL, error=error))

    assert line.text.startswith(f"{head}: BUY AAPL qty=100 | ")


def test_an_order_by_amount_has_no_qty_and_its_notional() -> None:
    line = attempt_line(replace(PLACED, qty=None, notional=Decimal("250.50")))

    assert "BUY AAPL qty=- | " in line.text
    assert line.text.endswith(" | notional=250.5")


def test_a_recovered_attempt_says_so() -> None:
    assert attempt_line(replace(PLACED, recovered=True)).text.endswith(" | recovered=true")


def test_a_resolution_is_not_taken_for_an_attempt() -> None:
    line = resolved_line(PLACED, state="working", resolved_at=PLACED.completed_at, unknown_ms=510)

    assert line.text.startswith(
        "Order resolved: BUY AAPL qty=100 | order_id=abc123 | state=working | unknown_ms=510"
    )
    assert " | attempt=" not in line.text
    assert line.text.endswith(" | of_attempt=att-1")


anything = st.text(max_size=40)


@given(
    symbol=anything, detail=anything, coid=anything, account=anything, order_id=anything, failed=st.booleans()
)
def test_no_text_of_a_stranger_breaks_the_line(
    symbol: str, detail: str, coid: str, account: str, order_id: str, failed: bool
) -> None:
    timing = replace(
        PLACED,
        symbol=symbol,
        client_order_id=coid,
        account_id=account,
        order_id=order_id,
        error="order_rejected" if failed else "",
        detail=detail,
    )
    text = attempt_line(timing).text

    assert text.isascii()
    assert text.isprintable()
    head, *fields = text.split(" | ")
    assert OLD_PARSER.fullmatch(text)
    parsed = dict(field.split("=", 1) for field in fields)
    assert len(parsed) == len(fields)
    assert _read(parsed["client_order_id"]) == coid
    assert _read(parsed["account"]) == account
    assert parsed["attempt"] == "att-1"
    assert head.count(" ") == 4


def _read(value: str) -> str:
    if value == "-":
        return ""
    return str(json.loads(value)) if value.startswith('"') else value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**12), max_value=10**12))
def test_decimals_are_written_exactly_and_without_exponent(value: Decimal) -> None:
    text = plain(value)

    assert Decimal(text) == value
    assert re.fullmatch(r"-?[0-9]+(\.[0-9]*[1-9])?", text)
