import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.legacy.time_formats import (
    EASTERN,
    eastern_wall_clock,
    eastern_with_zone,
    server_wall_clock,
)

moments = st.integers(min_value=0, max_value=2**32 * 10**6).map(
    lambda microseconds: datetime(1970, 1, 2, tzinfo=UTC) + timedelta(microseconds=microseconds)
)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]  # six or seven whole numbers


@pytest.mark.parametrize(
    ("moment", "with_zone", "wall_clock"),
    [
        (utc(2025, 9, 18, 19, 53, 53, 783132), "2025-09-18 15:53:53 EDT", "2025-09-18T15:53:53"),
        (utc(2025, 1, 15, 14, 30, 25), "2025-01-15 09:30:25 EST", "2025-01-15T09:30:25"),
        (utc(2025, 3, 9, 6, 59, 59), "2025-03-09 01:59:59 EST", "2025-03-09T01:59:59"),
        (utc(2025, 3, 9, 7, 0, 0), "2025-03-09 03:00:00 EDT", "2025-03-09T03:00:00"),
        (utc(2025, 11, 2, 5, 30, 0), "2025-11-02 01:30:00 EDT", "2025-11-02T01:30:00"),
        (utc(2025, 11, 2, 6, 30, 0), "2025-11-02 01:30:00 EST", "2025-11-02T01:30:00"),
        (utc(2025, 1, 1, 4, 59, 59), "2024-12-31 23:59:59 EST", "2024-12-31T23:59:59"),
    ],
    ids=[
        "summer",
        "winter",
        "last second of winter",
        "first second of summer",
        "autumn's hour, first pass",
        "autumn's hour, second pass",
        "the year before",
    ],
)
def test_order_times_are_those_of_new_york(moment: datetime, with_zone: str, wall_clock: str) -> None:
    assert eastern_with_zone(moment) == with_zone
    assert eastern_wall_clock(moment) == wall_clock


@given(moments)
def test_a_time_with_its_zone_reads_back_to_the_second(moment: datetime) -> None:
    text, zone = eastern_with_zone(moment).rsplit(" ", 1)
    offset = {"EST": timedelta(hours=-5), "EDT": timedelta(hours=-4)}[zone]

    read = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone(offset))

    assert read == moment.replace(microsecond=0)


@given(moments)
def test_a_time_without_zone_has_exactly_nineteen_characters(moment: datetime) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", eastern_wall_clock(moment))


@given(moments)
def test_server_time_always_has_microseconds_and_no_zone(moment: datetime) -> None:
    text = server_wall_clock(moment)

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", text)
    assert datetime.fromisoformat(text).replace(fold=moment.astimezone().fold).astimezone() == moment


def test_server_time_is_that_of_the_given_zone() -> None:
    moment = utc(2026, 11, 24, 16, 12, 38, 160058)

    assert server_wall_clock(moment, EASTERN) == "2026-11-24T11:12:38.160058"
    assert server_wall_clock(moment.replace(microsecond=0), EASTERN) == "2026-11-24T11:12:38.000000"
