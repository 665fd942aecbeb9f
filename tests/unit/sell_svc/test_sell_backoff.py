from fakes.sell_world import ManualClock
from sell_svc.backoff import Backoff


def test_the_wait_doubles_with_each_failure_up_to_the_longest() -> None:
    clock = ManualClock()
    backoff = Backoff(clock, first_seconds=5, longest_seconds=30)
    waits = []
    for _ in range(5):
        backoff.failed("AAPL", "REJECTED")
        waits.append(backoff.remaining_seconds("AAPL"))
        clock.advance(waits[-1])

    assert waits == [5, 10, 20, 30, 30]
    assert backoff.remaining_seconds("AAPL") == 0


def test_a_cause_is_news_once() -> None:
    backoff = Backoff(ManualClock())

    told = [backoff.failed("AAPL", cause) for cause in ("DENIED", "DENIED", "REJECTED", "DENIED")]

    assert told == [True, False, True, True]


def test_keys_do_not_share_waits_and_success_forgets() -> None:
    backoff = Backoff(ManualClock())
    backoff.failed("AAPL", "DENIED")
    backoff.failed("MSFT", "DENIED")

    backoff.succeeded("AAPL")

    assert backoff.remaining_seconds("AAPL") == 0
    assert backoff.remaining_seconds("MSFT") == 5
    assert backoff.cause("MSFT") == "DENIED"


def test_what_is_gone_is_forgotten() -> None:
    backoff = Backoff(ManualClock())
    backoff.failed("AAPL", "DENIED")

    backoff.keep_only({"MSFT"})

    assert backoff.cause("AAPL") == ""
