"""What is told to people and what is not."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fakes.sell_values import AAPL, ACCOUNT, NOW
from fakes.sell_world import ManualClock
from sell_svc.channels import plain_message
from sell_svc.decisions import Decision, Verdict
from sell_svc.herald import Herald
from sell_svc.notice import Notice, NoticeKind, of_change, of_decision
from sell_svc.report import AccountReport, MonitorReport
from sell_svc.tally import Tally
from sell_svc.verdict import Rule

DECISION = Decision(
    account_id=ACCOUNT,
    symbol=AAPL,
    verdict=Verdict.SELL,
    rule=Rule.STOP_LOSS,
    reason="price 0.50 <= 0.80",
    decided_at=NOW,
)
BLOCKED = "denied: INSUFFICIENT_BALANCE: cash 1"
RUNNING = MonitorReport(
    running=True, started_at=NOW, ticks=1, accounts_known=True, tally=Tally(), accounts=()
)
STOPPED = replace(RUNNING, running=False, started_at=None)


def account(error: str = "") -> AccountReport:
    return AccountReport(account_id=ACCOUNT, error=error, unseen=error)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        pytest.param({"outcome": "accepted"}, NoticeKind.SOLD, id="sold"),
        pytest.param(
            {"outcome": BLOCKED, "failed": True, "alerts": True}, NoticeKind.EXIT_BLOCKED, id="blocked"
        ),
        pytest.param({"outcome": BLOCKED, "failed": True}, None, id="blocked again for the same cause"),
        pytest.param(
            {"outcome": "rejected: ORDER_REJECTED: no", "failed": True, "alerts": True},
            NoticeKind.EXIT_FAILED,
            id="rejected",
        ),
        pytest.param(
            {"outcome": "unknown: being resolved", "alerts": True}, NoticeKind.NEEDS_A_LOOK, id="unknown"
        ),
        pytest.param(
            {"verdict": Verdict.CANCEL, "outcome": "requested"}, NoticeKind.CANCELLED, id="cancelled"
        ),
        pytest.param(
            {"verdict": Verdict.CANCEL, "outcome": "already final: filled"}, None, id="nothing to cancel"
        ),
        pytest.param(
            {"verdict": Verdict.CANCEL, "outcome": "failed: X: y", "failed": True, "alerts": True},
            NoticeKind.CANCEL_FAILED,
            id="not cancelled",
        ),
        pytest.param({"verdict": Verdict.HOLD}, None, id="held"),
        pytest.param(
            {"verdict": Verdict.HOLD, "alerts": True}, NoticeKind.NEEDS_A_LOOK, id="held and worth a look"
        ),
        pytest.param({"verdict": Verdict.UNDECIDED, "alerts": True}, NoticeKind.NEEDS_A_LOOK, id="undecided"),
    ],
)
def test_decisions_that_concern_somebody(changes: dict[str, object], kind: NoticeKind | None) -> None:
    notice = of_decision(replace(DECISION, **changes))  # type: ignore[arg-type] # rows of a table

    assert (None if notice is None else notice.kind) is kind


def test_one_cause_has_one_name_whatever_its_figures() -> None:
    denied = replace(DECISION, failed=True, alerts=True)
    first = of_decision(replace(denied, outcome=BLOCKED))
    later = of_decision(replace(denied, outcome="denied: INSUFFICIENT_BALANCE: cash 2", reason="price 0.49"))
    other = of_decision(replace(denied, outcome="rejected: ORDER_REJECTED: no"))

    assert first is not None
    assert later is not None
    assert other is not None
    assert first.cause == later.cause != ""
    assert first.cause != other.cause
    assert "cash 1" in first.text


@pytest.mark.parametrize(
    ("before", "now", "kinds"),
    [
        pytest.param(None, STOPPED, [], id="it never ran"),
        pytest.param(None, RUNNING, [NoticeKind.STARTED], id="it runs at the first look"),
        pytest.param(STOPPED, RUNNING, [NoticeKind.STARTED], id="started"),
        pytest.param(RUNNING, RUNNING, [], id="nothing new"),
        pytest.param(RUNNING, STOPPED, [NoticeKind.STOPPED], id="stopped"),
        pytest.param(
            RUNNING,
            replace(RUNNING, started_at=datetime(2026, 11, 25, tzinfo=UTC)),
            [NoticeKind.STOPPED, NoticeKind.STARTED],
            id="restarted",
        ),
        pytest.param(
            RUNNING, replace(RUNNING, accounts=(account("x"),)), [NoticeKind.ACCOUNT_FAILING], id="failing"
        ),
        pytest.param(
            RUNNING,
            replace(RUNNING, accounts=(replace(account("one exit is blocked"), unseen=""),)),
            [],
            id="a blocked exit was told already",
        ),
        pytest.param(
            replace(RUNNING, accounts=(account("x"),)),
            replace(RUNNING, accounts=(account("y"),)),
            [],
            id="still failing",
        ),
        pytest.param(
            replace(RUNNING, accounts=(account("x"),)),
            replace(RUNNING, accounts=(account(),)),
            [NoticeKind.ACCOUNT_RECOVERED],
            id="works again",
        ),
    ],
)
def test_changes_of_the_monitor(
    before: MonitorReport | None, now: MonitorReport, kinds: list[NoticeKind]
) -> None:
    assert [one.kind for one in of_change(before, now, NOW)] == kinds


@pytest.mark.parametrize(
    ("start", "due"),
    [
        pytest.param(
            datetime(2026, 11, 24, 15, tzinfo=UTC), datetime(2026, 11, 24, 22, tzinfo=UTC), id="winter"
        ),
        pytest.param(datetime(2026, 7, 1, 15, tzinfo=UTC), datetime(2026, 7, 1, 21, tzinfo=UTC), id="summer"),
    ],
)
async def test_the_day_is_told_once_at_its_hour_in_new_york(start: datetime, due: datetime) -> None:
    clock = ManualClock(start)
    told: list[Notice] = []
    herald = Herald(tell=told.append, read_report=lambda: RUNNING, summary_hour=17, clock=clock)
    await herald.look()
    herald.decided(replace(DECISION, outcome="accepted"))
    herald.decided(replace(DECISION, outcome=BLOCKED, failed=True))
    herald.decided(replace(DECISION, verdict=Verdict.CANCEL, outcome="canceled"))
    clock.advance((due - start).total_seconds() - 1)
    await herald.look()
    early = [one for one in told if one.kind is NoticeKind.DAILY_SUMMARY]
    clock.advance(1)
    await herald.look()
    await herald.look()
    clock.advance(86_400)
    await herald.look()

    days = [one.text for one in told if one.kind is NoticeKind.DAILY_SUMMARY]
    assert early == []
    assert days[0].startswith(f"{start:%F}: sold 1, cancelled 1, blocked by the guard 1, failed 0; running")
    assert "sold 0" in days[1]
    assert len(days) == 2


async def test_a_monitor_that_did_nothing_and_does_not_run_has_no_summary() -> None:
    clock = ManualClock()
    told: list[Notice] = []
    herald = Herald(tell=told.append, read_report=lambda: STOPPED, summary_hour=17, clock=clock)
    await herald.look()
    clock.advance(86_400)
    await herald.look()

    assert told == []


def test_plain_text_names_each_notice() -> None:
    one = Notice(kind=NoticeKind.SOLD, text="2 x A", at=NOW)

    assert plain_message([one]) == ("Sold", "2 x A")
    title, body = plain_message([one, replace(one, kind=NoticeKind.CANCELLED)])
    assert title == "Sell monitor: 2 notices"
    assert body == "Sold (15:30:00 UTC)\n2 x A\n\nStale order cancelled (15:30:00 UTC)\n2 x A"
