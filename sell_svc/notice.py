"""What people are told: one short message, made by pure functions from what happened."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Final

from sell_svc.decisions import Decision, Verdict
from sell_svc.observation import AccountId
from sell_svc.report import AccountReport, MonitorReport

_GUARD: Final = "denied: INSUFFICIENT_BALANCE"


class NoticeKind(Enum):
    """Every occasion to tell somebody; the value is the title."""

    STARTED = "Sell monitor started"
    STOPPED = "Sell monitor stopped"
    SOLD = "Sold"
    CANCELLED = "Stale order cancelled"
    EXIT_BLOCKED = "Exit blocked by the balance guard"
    EXIT_FAILED = "Exit failed"
    CANCEL_FAILED = "Cancellation failed"
    NEEDS_A_LOOK = "Position needs a look"
    ACCOUNT_FAILING = "Account failing"
    ACCOUNT_RECOVERED = "Account works again"
    DAILY_SUMMARY = "Daily summary"

    @property
    def is_trouble(self) -> bool:
        """Whether somebody should act."""
        return self in _TROUBLE


_TROUBLE: Final = frozenset(
    {
        NoticeKind.EXIT_BLOCKED,
        NoticeKind.EXIT_FAILED,
        NoticeKind.CANCEL_FAILED,
        NoticeKind.NEEDS_A_LOOK,
        NoticeKind.ACCOUNT_FAILING,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message."""

    kind: NoticeKind
    text: str
    at: datetime
    cause: str = ""
    """Notices of one kind and cause are told once in a while, however often they come; empty: always told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    """What was done in a day."""

    sold: int = 0
    cancelled: int = 0
    blocked: int = 0
    failed: int = 0

    def __str__(self) -> str:
        return (
            f"sold {self.sold}, cancelled {self.cancelled}, blocked by the guard {self.blocked}, "
            f"failed {self.failed}"
        )


def of_decision(decision: Decision) -> Notice | None:
    """What people hear of a decision; `None` for one that concerns nobody."""
    kind = _kind(decision)
    if kind is None:
        return None
    is_done = kind in {NoticeKind.SOLD, NoticeKind.CANCELLED}
    return Notice(
        kind=kind,
        text=_decision_text(decision),
        at=decision.decided_at,
        cause=""
        if is_done
        else "|".join((decision.account_id, decision.symbol, decision.rule, _why(decision))),
    )


def of_change(before: MonitorReport | None, now: MonitorReport, at: datetime) -> tuple[Notice, ...]:
    """What is new in the monitor's state since it was looked at last; `None` for the first look."""
    was_running = before is not None and before.running
    is_new = now.running and (before is None or before.started_at != now.started_at)
    notices = []
    if was_running and (is_new or not now.running):
        notices.append(Notice(kind=NoticeKind.STOPPED, text="No order of it leaves any more.", at=at))
    if is_new:
        notices.append(
            Notice(kind=NoticeKind.STARTED, text=f"Running since {now.started_at:%F %T} UTC.", at=at)
        )
    if now.running:
        notices += _of_accounts(
            {} if before is None else {one.account_id: one for one in before.accounts}, now, at
        )
    return tuple(notices)


def of_day(day: date, count: DayCount, report: MonitorReport, at: datetime) -> Notice:
    """The summary of a day in New York."""
    state = "running" if report.running else "stopped"
    failing = [one.account_id for one in report.accounts if one.unseen]
    accounts = f"{len(report.accounts)} accounts" + (f", failing: {', '.join(failing)}" if failing else "")
    return Notice(kind=NoticeKind.DAILY_SUMMARY, text=f"{day}: {count}; {state}, {accounts}.", at=at)


def counted(count: DayCount, decision: Decision) -> DayCount:
    """The day's count with one more decision."""
    match _kind_of_action(decision):
        case NoticeKind.SOLD:
            return _plus(count, sold=1)
        case NoticeKind.CANCELLED:
            return _plus(count, cancelled=1)
        case NoticeKind.EXIT_BLOCKED:
            return _plus(count, blocked=1)
        case NoticeKind.EXIT_FAILED | NoticeKind.CANCEL_FAILED:
            return _plus(count, failed=1)
        case _:
            return count


def _plus(
    count: DayCount, *, sold: int = 0, cancelled: int = 0, blocked: int = 0, failed: int = 0
) -> DayCount:
    return DayCount(
        sold=count.sold + sold,
        cancelled=count.cancelled + cancelled,
        blocked=count.blocked + blocked,
        failed=count.failed + failed,
    )


def _kind(decision: Decision) -> NoticeKind | None:
    action = _kind_of_action(decision)
    if action in {NoticeKind.SOLD, NoticeKind.CANCELLED}:
        return action
    if not decision.alerts:
        return None
    return action or NoticeKind.NEEDS_A_LOOK


def _kind_of_action(decision: Decision) -> NoticeKind | None:
    match decision.verdict:
        case Verdict.SELL if decision.outcome.startswith(_GUARD):
            return NoticeKind.EXIT_BLOCKED
        case Verdict.SELL if decision.failed:
            return NoticeKind.EXIT_FAILED
        case Verdict.SELL if decision.outcome == "accepted":
            return NoticeKind.SOLD
        case Verdict.CANCEL if decision.failed:
            return NoticeKind.CANCEL_FAILED
        case Verdict.CANCEL if decision.outcome in {"requested", "canceled"}:
            return NoticeKind.CANCELLED
        case _:
            return None


def _decision_text(decision: Decision) -> str:
    what = decision.symbol if decision.qty is None else f"{decision.qty:f} x {decision.symbol}"
    parts = [f"{what}, account {decision.account_id}", f"{decision.rule}: {decision.reason}"]
    if decision.outcome:
        parts.append(f"outcome: {decision.outcome}")
    return "\n".join(parts)


def _why(decision: Decision) -> str:
    # Up to the first figure: figures differ each time, and one cause is told once.
    return ": ".join(decision.outcome.split(": ")[:2])


def _of_accounts(before: dict[AccountId, AccountReport], now: MonitorReport, at: datetime) -> list[Notice]:
    notices = []
    for one in now.accounts:
        known = before.get(one.account_id)
        was_failing = known is not None and bool(known.unseen)
        if one.unseen and not was_failing:
            notices.append(
                Notice(
                    kind=NoticeKind.ACCOUNT_FAILING,
                    text=f"{one.account_id}: {one.unseen}",
                    at=at,
                    cause=one.account_id,
                )
            )
        elif was_failing and not one.unseen:
            notices.append(
                Notice(kind=NoticeKind.ACCOUNT_RECOVERED, text=one.account_id, at=at, cause=one.account_id)
            )
    return notices
