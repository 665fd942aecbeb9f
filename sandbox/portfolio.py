"""GET /v2/account/portfolio/history: an account's equity over time."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from sandbox import valuation
from sandbox.accounts import EquityMark
from sandbox.calls import Call, Reply
from sandbox.errors import bad_field
from sandbox.instant import SECOND, Instant, new_york_date
from sandbox.price_history import MINUTE
from sandbox.sessions import Session

_PERIOD = re.compile(r"(\d{1,3})([DWMA])")
_DAYS = {"D": 1, "W": 7, "M": 30, "A": 365}
_FRAMES = {"1Min": 1, "5Min": 5, "15Min": 15, "1H": 60}
_SHORT, _MIDDLE = timedelta(days=7), timedelta(days=30)
_MOST_POINTS = 10_000


def portfolio_history(call: Call) -> Reply:
    """The account's worth at each step of a period, and what it has won since the first one."""
    start, end = _period(call)
    length = timedelta(seconds=(end - start) / SECOND)
    usual = "1Min" if length < _SHORT else "15Min" if length < _MIDDLE else "1D"
    timeframe = call.word("timeframe", (*_FRAMES, "1D"), usual)
    call.word("intraday_reporting", ("market_hours", "extended_hours", "continuous"), "market_hours")
    call.word("pnl_reset", ("per_day", "no_reset"), "per_day")
    if timeframe != "1D" and length > _MIDDLE + timedelta(days=1):
        raise bad_field("timeframe must be 1D for periods longer than 30 days")
    times = [*_times(call, start, end, timeframe)][-_MOST_POINTS:]
    equities = [_equity_at(call, at) for at in times]
    base = next((each for each in equities if each), call.account.last_equity)
    return Reply(
        body={
            "timestamp": [at // SECOND for at in times],
            "equity": [float(each) for each in equities],
            "profit_loss": [float(each - base) if each else 0.0 for each in equities],
            "profit_loss_pct": [_fraction(each, base) for each in equities],
            "base_value": float(base),
            "timeframe": timeframe,
            "cashflow": {},
        }
    )


def _period(call: Call) -> tuple[Instant, Instant]:
    start, end = call.moment("start"), call.moment("end") or call.moment("date_end")
    text = call.query.get("period") or "1M"
    if start is not None and end is not None and call.query.get("period"):
        raise bad_field("only two of start, end and period are accepted")
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise bad_field(f"invalid period: {text}")
    length = int(match[1]) * _DAYS[match[2]] * 86_400 * SECOND
    if start is None:
        end = call.now if end is None else min(end, call.now)
        start = Instant(end - length)
    elif end is None:
        end = Instant(min(start + length, call.now))
    first = call.exchange.calendar.start
    return Instant(max(start, first)), Instant(max(min(end, call.now), first))


def _times(call: Call, start: Instant, end: Instant, timeframe: str) -> Iterator[Instant]:
    """The closes of the trading days, or the steps within their regular sessions."""
    for session in call.exchange.calendar.between(new_york_date(start), new_york_date(end)):
        if timeframe == "1D":
            if session.open <= end:
                yield Instant(min(session.close, end))
        else:
            yield from _steps(session, start, end, _FRAMES[timeframe] * MINUTE)


def _steps(session: Session, start: Instant, end: Instant, step: int) -> Iterator[Instant]:
    for at in range(session.open, session.close, step):
        if start <= at <= end:
            yield Instant(at)


def _equity_at(call: Call, at: Instant) -> Decimal:
    """The last equity noted before a moment, 0 before the account was opened."""
    if at >= call.now:
        return valuation.value(call.account, call.exchange.quotes).equity
    marks = call.account.equity_marks
    index = bisect_right(marks, at, key=_moment)
    return marks[index - 1].equity if index else Decimal(0)


def _moment(mark: EquityMark) -> Instant:
    return mark.at


def _fraction(equity: Decimal, base: Decimal) -> float:
    return round(float((equity - base) / base), 6) if base and equity else 0.0
