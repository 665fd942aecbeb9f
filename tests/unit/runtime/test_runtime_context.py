import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.clock import SystemClock
from runtime.context import (
    Deadline,
    accept_request_id,
    current_request_id,
    deadline,
    new_request_id,
    remaining_seconds,
    use_deadline,
    use_request_id,
)


@dataclass(slots=True)
class HandClock:
    """A clock that stands still until told."""

    seconds: float = 100.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


def test_the_system_clock_is_aware_utc_and_never_goes_back() -> None:
    clock = SystemClock()

    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


async def test_a_task_started_inside_keeps_its_request_id() -> None:
    async def ask() -> str | None:
        return current_request_id()

    with use_request_id("a"):
        task = asyncio.create_task(ask())
        with use_request_id("b"):
            inner = current_request_id()

    assert (await task, inner, current_request_id()) == ("a", "b", None)


def test_without_a_deadline_the_cap_counts() -> None:
    assert remaining_seconds(3.0) == 3.0


@pytest.mark.parametrize(
    ("elapsed", "remaining"),
    [pytest.param(0.0, 3.0, id="the cap is smaller"), (8.0, 1.95), (9.96, 0.0), (20.0, 0.0)],
)
def test_the_smaller_of_the_cap_and_the_callers_time_less_50_ms_counts(
    elapsed: float, remaining: float
) -> None:
    clock = HandClock()
    with use_deadline(Deadline.after(10.0, clock)):
        clock.seconds += elapsed

        assert remaining_seconds(3.0, clock) == pytest.approx(remaining)


def test_work_that_outlives_its_caller_is_freed_from_the_deadline() -> None:
    with use_deadline(Deadline.after(1.0)):
        with use_deadline(None):
            assert remaining_seconds(30.0) == 30.0
        assert deadline.get() is not None


@given(st.text())
def test_an_accepted_request_id_is_safe_in_a_log_line(received: str) -> None:
    accepted = accept_request_id(received)

    assert accepted
    assert accepted.isascii()
    assert accepted.isprintable()
    assert "|" not in accepted
    assert " " not in accepted


def test_a_fit_request_id_is_kept_and_new_ones_differ() -> None:
    assert accept_request_id("abc-1") == "abc-1"
    assert new_request_id() != new_request_id()
