"""Trading sessions of the New York Stock Exchange: holidays, early closes and daylight saving included."""

import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from enum import Enum
from functools import cache

import exchange_calendars

from sandbox.instant import Instant, in_new_york, new_york_date

_FIRST_DAY = "2000-01-01"
LAST_YEAR = 2029
_REGULAR_CLOSE = time(16, 0)
_PRE_OPEN = time(4, 0)
_POST_CLOSE = time(20, 0)
_EARLY_POST_CLOSE = time(17, 0)


class Phase(Enum):
    """What the market is doing."""

    CLOSED = "closed"
    PRE_MARKET = "pre_market"
    OPEN = "open"
    POST_MARKET = "post_market"


class Boundary(Enum):
    """A moment at which the phase changes."""

    PRE_OPEN = "pre_open"
    OPEN = "open"
    CLOSE = "close"
    POST_CLOSE = "post_close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One trading day; `pre_open` and `post_close` bound the extended hours."""

    day: date
    pre_open: Instant
    open: Instant
    close: Instant
    post_close: Instant

    def phase(self, at: Instant) -> Phase:
        """The phase of this day's session; bounds belong to the phase they start."""
        if self.open <= at < self.close:
            return Phase.OPEN
        if self.pre_open <= at < self.open:
            return Phase.PRE_MARKET
        if self.close <= at < self.post_close:
            return Phase.POST_MARKET
        return Phase.CLOSED


class SessionCalendar:
    """Answers questions about a sorted list of sessions."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self._sessions = tuple(sessions)
        self._days = [session.day for session in sessions]
        self._opens = [session.open for session in sessions]
        self._closes = [session.close for session in sessions]
        self._post_closes = [session.post_close for session in sessions]
        bounds = [
            bound
            for s in sessions
            for bound in (
                (s.pre_open, Boundary.PRE_OPEN),
                (s.open, Boundary.OPEN),
                (s.close, Boundary.CLOSE),
                (s.post_close, Boundary.POST_CLOSE),
            )
        ]
        self._boundary_times = [at for at, _ in bounds]
        self._boundaries = [kind for _, kind in bounds]

    def __deepcopy__(self, memo: dict[int, object]) -> "SessionCalendar":
        """The same: it never changes."""
        return self

    def phase(self, at: Instant) -> Phase:
        """What the market is doing at that moment."""
        index = bisect_right(self._post_closes, at)
        return self._sessions[index].phase(at) if index < len(self._sessions) else Phase.CLOSED

    def is_open(self, at: Instant) -> bool:
        """Whether the regular session is on."""
        return self.phase(at) is Phase.OPEN

    def next_open(self, after: Instant) -> Instant:
        """The first regular open later than `after`."""
        return self._sessions[bisect_right(self._opens, after)].open

    def next_close(self, after: Instant) -> Instant:
        """The first regular close later than `after`."""
        return self.session_closing_after(after).close

    def last_close(self, at: Instant) -> Instant:
        """The latest regular close that is not later than `at`."""
        return self._closes[bisect_right(self._closes, at) - 1]

    def session_closing_after(self, at: Instant) -> Session:
        """The session under way, or the next one: where a day order sent now lives."""
        return self._sessions[bisect_right(self._closes, at)]

    def extended_session_closing_after(self, at: Instant) -> Session:
        """The same with the extended hours: where an extended-hours order lives."""
        return self._sessions[bisect_right(self._post_closes, at)]

    def find_boundary(self, after: Instant) -> tuple[Instant, Boundary] | None:
        """The first change of phase later than `after`, None past the calendar's end."""
        index = bisect_right(self._boundary_times, after)
        return (
            (self._boundary_times[index], self._boundaries[index]) if index < len(self._boundaries) else None
        )

    def index_at(self, at: Instant) -> int:
        """The number of the session that a moment is in, or of the last one before it."""
        return max(bisect_right(self._opens, at) - 1, 0)

    def at_index(self, index: int) -> Session:
        """The session of a number."""
        return self._sessions[index]

    def on(self, day: date) -> Session | None:
        """The session of a day, or None when the exchange is closed all day."""
        index = bisect_left(self._days, day)
        return self._sessions[index] if index < len(self._days) and self._days[index] == day else None

    def first_on_or_after(self, day: date) -> Session:
        """The first session that is not before a day."""
        return self._sessions[bisect_left(self._days, day)]

    def last_on_or_before(self, day: date) -> Session:
        """The latest session that is not after a day."""
        return self._sessions[bisect_right(self._days, day) - 1]

    def between(self, start: date, end: date) -> tuple[Session, ...]:
        """The sessions of a range of days, both ends included."""
        return self._sessions[bisect_left(self._days, start) : bisect_right(self._days, end)]

    def covers(self, at: Instant) -> bool:
        """Whether there is a session before and after that moment, so that every answer exists."""
        # A year's margin: an order sent on the last covered day still needs its 90 days.
        return self._days[0] < new_york_date(at) < date(self._days[-1].year, 1, 1)

    @property
    def start(self) -> Instant:
        """The first session's beginning."""
        return self._sessions[0].pre_open

    @property
    def end(self) -> Instant:
        """The last moment that is covered."""
        return Instant(in_new_york(date(self._days[-1].year, 1, 1), time(0)) - 1)


@cache
def new_york_sessions(through_year: int = LAST_YEAR) -> SessionCalendar:
    """The exchange's real calendar from 2000 on; computed once a process, in about a second."""
    end = f"{through_year}-12-31"
    with warnings.catch_warnings():
        # exchange-calendars itself calls what pandas 3.1 has deprecated; nothing here can change that.
        warnings.simplefilter("ignore", DeprecationWarning)
        schedule = exchange_calendars.get_calendar("XNYS", start=_FIRST_DAY, end=end).schedule
    opens = schedule["open"].astype("int64").tolist()
    closes = schedule["close"].astype("int64").tolist()
    days = [stamp.date() for stamp in schedule.index]
    return SessionCalendar(
        [_session(day, Instant(o), Instant(c)) for day, o, c in zip(days, opens, closes, strict=True)]
    )


def _session(day: date, opens: Instant, closes: Instant) -> Session:
    early = closes < in_new_york(day, _REGULAR_CLOSE)
    return Session(
        day=day,
        pre_open=in_new_york(day, _PRE_OPEN),
        open=opens,
        close=closes,
        post_close=in_new_york(day, _EARLY_POST_CLOSE if early else _POST_CLOSE),
    )
