from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.legacy.rate_limit import SlidingWindow, limit_key

STOCK_ORDER = "/api/v1/stocks/order"


class ManualClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 24, 16, 0, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        (STOCK_ORDER, 10),
        ("/api/v1/options/order", 200),
        ("/api/v1/options/quote", 60),
        ("/api/v1/options/quotes/batch", 20),
        ("/api/v1/orders", 120),
        ("/api/v1/orders/7", 120),
        ("/no/such/path", 120),
    ],
)
def test_each_path_has_the_limit_of_the_contract(path: str, limit: int) -> None:
    window = SlidingWindow(ManualClock())

    admissions = [window.admit("key", path) for _ in range(limit + 1)]

    assert [one.allowed for one in admissions] == [True] * limit + [False]
    assert [one.remaining for one in admissions] == [*range(limit - 1, -1, -1), 0]
    assert {one.limit for one in admissions} == {limit}


def test_a_refused_request_says_so_in_the_contract_s_words() -> None:
    clock = ManualClock()
    window = SlidingWindow(clock)
    for _ in range(10):
        window.admit("key", STOCK_ORDER)
    clock.seconds = 30.9

    refused = window.admit("key", STOCK_ORDER)

    reset = int(clock.now().timestamp() + 60)
    assert refused.problem == {
        "detail": "Rate limit exceeded",
        "limit": 10,
        "remaining": 0,
        "reset_time": reset,
    }
    assert refused.headers == (
        ("X-RateLimit-Limit", "10"),
        ("X-RateLimit-Remaining", "0"),
        ("X-RateLimit-Reset", str(reset)),
    )


def test_the_window_slides_and_refused_requests_do_not_count() -> None:
    clock = ManualClock()
    window = SlidingWindow(clock)
    for second in range(10):
        clock.seconds = second
        window.admit("key", STOCK_ORDER)
    clock.seconds = 59.9
    assert not window.admit("key", STOCK_ORDER).allowed

    clock.seconds = 60.0

    assert window.admit("key", STOCK_ORDER).allowed
    assert not window.admit("key", STOCK_ORDER).allowed


def test_a_budget_is_that_of_a_user_a_path_and_an_account() -> None:
    keys = {
        limit_key(user_id=user, path=path, account_id=account)
        for user in ("a", "b")
        for path in ("/x", "/y")
        for account in (None, "1", "2")
    }

    assert len(keys) == 12
    assert limit_key(user_id="a", path="/x", account_id="") == limit_key(
        user_id="a", path="/x", account_id=None
    )
    assert limit_key(user_id="u", path="/x", account_id="1") == "user:u:/x:account:1"


def test_one_account_s_orders_leave_the_other_its_budget() -> None:
    window = SlidingWindow(ManualClock())
    for _ in range(11):
        window.admit("one", STOCK_ORDER)

    assert window.admit("other", STOCK_ORDER).remaining == 9


def test_configured_defaults_count_where_a_path_has_no_limit_of_its_own() -> None:
    clock = ManualClock()
    window = SlidingWindow(clock, default_limit=1, window_seconds=5)

    assert [window.admit("k", "/x").allowed for _ in range(2)] == [True, False]
    assert window.admit("k2", STOCK_ORDER).limit == 10
    clock.seconds = 5
    assert window.admit("k", "/x").allowed


def test_keys_that_fell_silent_are_forgotten() -> None:
    clock = ManualClock()
    window = SlidingWindow(clock)
    for number in range(1000):
        window.admit(f"key-{number}", "/x")

    clock.seconds = 60
    window.admit("one more", "/x")

    assert window.keys == 1


@given(st.lists(st.floats(min_value=0, max_value=30), min_size=1, max_size=80))
def test_no_window_of_sixty_seconds_ever_admits_more_than_the_limit(pauses: list[float]) -> None:
    clock = ManualClock()
    window = SlidingWindow(clock)
    admitted: list[float] = []
    for pause in pauses:
        clock.seconds += pause
        if window.admit("key", STOCK_ORDER).allowed:
            admitted.append(clock.seconds)

    for moment in admitted:
        assert sum(moment - 60 < other <= moment for other in admitted) <= 10
