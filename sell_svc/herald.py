"""Hears every decision, looks at the monitor now and then, and has people told of both."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final

from runtime.clock import Clock
from sell_svc.decisions import Decision
from sell_svc.notice import DayCount, Notice, counted, of_change, of_day, of_decision
from sell_svc.observation import EXCHANGE_ZONE
from sell_svc.report import MonitorReport

LOOK_SECONDS: Final = 1.0


class Herald:
    """Tells of decisions as they are made, and of the rest at each `look`; it asks nothing of the monitor."""

    def __init__(
        self,
        *,
        tell: Callable[[Notice], None],
        read_report: Callable[[], MonitorReport],
        summary_hour: int,
        clock: Clock,
    ) -> None:
        """`summary_hour` is the hour of New York from which the day's summary is told."""
        self._tell = tell
        self._read_report = read_report
        self._summary_hour = summary_hour
        self._clock = clock
        self._seen: MonitorReport | None = None
        self._count = DayCount()
        self._summed = self._last_due(clock.now())

    def decided(self, decision: Decision) -> None:
        """Counts it and tells of it where it concerns anybody."""
        self._count = counted(self._count, decision)
        notice = of_decision(decision)
        if notice is not None:
            self._tell(notice)

    async def look(self) -> None:
        """As `catch_up`, to be run again and again."""
        self.catch_up()

    def catch_up(self) -> None:
        """Tells of what changed since the last look, and of the day when it is over."""
        now, report = self._clock.now(), self._read_report()
        for notice in of_change(self._seen, report, now):
            self._tell(notice)
        self._seen = report
        due = self._last_due(now)
        if due > self._summed:
            self._summed = due
            count, self._count = self._count, DayCount()
            if report.running or count != DayCount():
                self._tell(of_day(due, count, report, now))

    def _last_due(self, now: datetime) -> date:
        return (now.astimezone(EXCHANGE_ZONE) - timedelta(hours=self._summary_hour)).date()
