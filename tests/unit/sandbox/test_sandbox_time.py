"""Sandbox time: stamps as Alpaca writes them, the clock's tricks, and New York's real sessions."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.clock import SandboxClock
from sandbox.instant import (
    Instant,
    from_datetime,
    new_york_date,
    parse,
    rfc3339,
    rfc3339_new_york,
    to_datetime,
)
from sandbox.sessions import Boundary, Phase, SessionCalendar, new_york_sessions

SECOND = 1_000_000_000
moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive


class Stopwatch:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.ns = 5 * SECOND

    def __call__(self) -> int:
        return self.ns


@pytest.fixture(scope="module")
def calendar() -> SessionCalendar:
    return new_york_sessions()


@pytest.mark.parametrize(
    ("at", "text"),
    [
        pytest.param(1_702_420_284_668_464_435, "2023-12-12T22:31:24.668464435Z", id="nine digits"),
        pytest.param(1_702_420_284_694_000_000, "2023-12-12T22:31:24.694Z", id="zeros dropped"),
        pytest.param(1_702_420_284_000_000_000, "2023-12-12T22:31:24Z", id="whole second"),
        pytest.param(1_702_420_284_000_000_001, "2023-12-12T22:31:24.000000001Z", id="a nanosecond"),
    ],
)
def test_stamps_have_up_to_nine_digits_and_no_trailing_zeros(at: int, text: str) -> None:
    assert rfc3339(Instant(at)) == text


@given(moment=moments)
def test_a_stamp_reads_back_as_the_same_microsecond(moment: datetime) -> None:
    at = from_datetime(moment)

    assert to_datetime(at) == moment
    assert parse(rfc3339(at)) == at


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("2026-11-24T10:00:00-05:00", "2026-11-24T15:00:00Z"),
        ("2026-11-24", "2026-11-24T00:00:00Z"),
        ("2026-11-24T15:00:00", "2026-11-24T15:00:00Z"),
        ("2026-11-24T15:00:00.123456789Z", "2026-11-24T15:00:00.123456Z"),
    ],
    ids=["offset", "date", "naive is UTC", "nanoseconds are cut"],
)
def test_times_are_read_as_alpaca_reads_them(text: str, same_as: str) -> None:
    assert parse(text) == parse(same_as)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-11-24T25:00:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse(text)


def test_the_market_clock_shows_new_yorks_offset_of_the_season() -> None:
    assert rfc3339_new_york(parse("2026-11-24T15:00:00.5Z")) == "2026-11-24T10:00:00.5-05:00"
    assert rfc3339_new_york(parse("2026-07-01T15:00:00Z")) == "2026-07-01T11:00:00-04:00"


def test_the_clock_runs_with_the_machine_and_at_other_speeds() -> None:
    watch = Stopwatch()
    clock = SandboxClock(at=Instant(0), monotonic_ns=watch)
    watch.ns += SECOND
    assert clock.now() == SECOND

    clock.run_at(60)
    watch.ns += SECOND
    assert clock.now() == 61 * SECOND

    clock.run_at(0)
    watch.ns += 100 * SECOND
    assert clock.now() == 61 * SECOND


def test_the_clock_jumps_and_is_set_and_goes_on_from_there() -> None:
    watch = Stopwatch()
    clock = SandboxClock(at=Instant(0), monotonic_ns=watch)
    clock.advance(7 * SECOND)
    watch.ns += SECOND
    assert clock.now() == 8 * SECOND

    clock.set(Instant(SECOND))
    watch.ns += SECOND
    assert clock.now() == 2 * SECOND


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ("2026-11-24T08:59:59Z", Phase.CLOSED),
        ("2026-11-24T09:00:00Z", Phase.PRE_MARKET),
        ("2026-11-24T14:30:00Z", Phase.OPEN),
        ("2026-11-24T20:59:59Z", Phase.OPEN),
        ("2026-11-24T21:00:00Z", Phase.POST_MARKET),
        ("2026-11-25T01:00:00Z", Phase.CLOSED),
        ("2026-11-26T16:00:00Z", Phase.CLOSED),
        ("2026-11-27T17:59:59Z", Phase.OPEN),
        ("2026-11-27T18:00:00Z", Phase.POST_MARKET),
        ("2026-11-27T22:00:00Z", Phase.CLOSED),
        ("2026-11-28T16:00:00Z", Phase.CLOSED),
        ("2026-07-01T13:30:00Z", Phase.OPEN),
        ("2026-07-01T20:00:00Z", Phase.POST_MARKET),
    ],
    ids=[
        "night", "pre-market", "open", "last second", "close", "evening is over", "Thanksgiving",
        "early close, before", "early close", "early evening is over", "Saturday", "summer open", "summer close",
    ],
)  # fmt: skip
def test_the_phase_follows_the_real_calendar(calendar: SessionCalendar, text: str, phase: Phase) -> None:
    assert calendar.phase(parse(text)) is phase


def test_next_open_skips_holiday_and_next_close_knows_the_early_one(calendar: SessionCalendar) -> None:
    wednesday_evening = parse("2026-11-25T22:00:00Z")

    assert rfc3339(calendar.next_open(wednesday_evening)) == "2026-11-27T14:30:00Z"
    assert rfc3339(calendar.next_close(wednesday_evening)) == "2026-11-27T18:00:00Z"


def test_boundaries_come_in_the_order_of_the_day(calendar: SessionCalendar) -> None:
    at, seen = parse("2026-11-24T00:30:00Z"), []
    for _ in range(5):
        boundary = calendar.find_boundary(at)
        assert boundary is not None
        at, kind = boundary
        seen.append((rfc3339(at), kind))

    assert seen == [
        ("2026-11-24T01:00:00Z", Boundary.POST_CLOSE),
        ("2026-11-24T09:00:00Z", Boundary.PRE_OPEN),
        ("2026-11-24T14:30:00Z", Boundary.OPEN),
        ("2026-11-24T21:00:00Z", Boundary.CLOSE),
        ("2026-11-25T01:00:00Z", Boundary.POST_CLOSE),
    ]


@given(
    at=st.integers(
        from_datetime(datetime(2001, 1, 1, tzinfo=UTC)), from_datetime(datetime(2028, 1, 1, tzinfo=UTC))
    )
)
def test_the_market_is_open_exactly_when_its_next_close_comes_before_its_next_open(at: int) -> None:
    calendar, now = new_york_sessions(), Instant(at)

    assert calendar.is_open(now) == (calendar.next_close(now) < calendar.next_open(now))
    assert calendar.last_close(now) <= now < calendar.next_close(now)


def test_days_without_a_session_have_none(calendar: SessionCalendar) -> None:
    assert calendar.on(date(2026, 11, 26)) is None
    assert calendar.first_on_or_after(date(2026, 11, 26)).day == date(2026, 11, 27)
    assert calendar.last_on_or_before(date(2026, 11, 26)).day == date(2026, 11, 25)


def test_the_day_is_new_yorks() -> None:
    assert new_york_date(parse("2026-11-24T04:59:59Z")) == date(2026, 11, 23)


def test_a_fast_clock_stands_still_where_the_calendar_ends(calendar: SessionCalendar) -> None:
    clock = SandboxClock(
        at=parse("2026-11-24T15:00:00Z"), speed=1e12, until=calendar.end, monotonic_ns=iter(range(9)).__next__
    )
    clock.advance(100 * 365 * 86_400 * 1_000_000_000)

    assert clock.now() == calendar.end
    assert calendar.covers(clock.now())
