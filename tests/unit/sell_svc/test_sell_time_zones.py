"""The host's time zone decides nothing (S-01, S-07)."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from fakes.sell_values import POLICY, contract, market_at, observation, order, position, quote
from sell_svc.decide import decide
from sell_svc.stale import decide_cancels
from sell_svc.verdict import Cancel, Rule

ZONES = ["UTC", "Asia/Shanghai", "America/Los_Angeles", "Australia/Lord_Howe"]


@pytest.fixture(params=ZONES)
def host_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@pytest.mark.parametrize(
    ("now", "expires", "rule"),
    [
        pytest.param("2026-11-24T15:30", "2026-11-24", Rule.ZERO_DAY, id="today in New York"),
        pytest.param("2026-11-24T20:30", "2026-11-25", Rule.WITHIN_LIMITS, id="already tomorrow in Shanghai"),
        pytest.param("2026-03-09T13:30", "2026-03-09", Rule.ZERO_DAY, id="after the clocks went forward"),
        pytest.param("2026-11-02T14:30", "2026-11-02", Rule.ZERO_DAY, id="after the clocks went back"),
    ],
)
def test_expiry_is_by_the_new_york_date(host_zone: str, now: str, expires: str, rule: Rule) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    held = position(of=contract(expires=date.fromisoformat(expires)))
    seen = observation(
        held,
        market=market_at(at, close=at + timedelta(hours=2)),
        quotes={held.symbol: quote(at=at)},
    )

    (judged,) = decide(seen, POLICY)

    assert judged.rule is rule


@pytest.mark.parametrize(
    ("age", "stale"), [(timedelta(minutes=3), True), (timedelta(minutes=2, seconds=59), False)]
)
def test_the_age_of_an_order_is_by_the_brokers_clock(host_zone: str, age: timedelta, stale: bool) -> None:
    judged = decide_cancels(observation(orders=(order(age=age),)), POLICY)

    assert [type(one) for one in judged] == ([Cancel] if stale else [])
