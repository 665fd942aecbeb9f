"""Where the chain of exits of one contract stands, and what may follow (I9)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from runtime.errors import Unavailable
from sell_svc.exit_key import exit_key
from sell_svc.observation import AccountId
from sell_svc.ports import ExitPhase, ExitReport, Orders
from sell_svc.verdict import Hold, Rule, Undecided

MAX_GENERATIONS: Final = 256
"""Of one contract in one session; bounds the walk (I14), and more would be a loop gone wrong."""

SETTLE: Final = timedelta(seconds=15)
"""Orders and positions of the broker can disagree for about 10 s after a fill (alpaca-facts.md, section 3)."""


class ExitLost(Unavailable):
    """An exit that was there is not found any more; nothing was sent."""

    reason = "EXIT_LOST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The newest exit of a chain."""

    generation: int
    report: ExitReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The chain may go on with this generation."""

    generation: int


def next_attempt(
    symbol: str, newest: Link | None, now: datetime, *, is_final: bool
) -> Attempt | Hold | Undecided:
    """What may follow the newest exit at `now` (the broker's time).

    After a fill the position read may still show what was sold, so the next one waits for it to settle.
    A refused exit may come to life again when its id is repeated, so it is repeated itself, until
    `is_final` says that order_svc has answered with a refusal for good; only then the next one begins.
    """
    if newest is None:
        return Attempt(generation=0)
    report = newest.report
    if report.phase is ExitPhase.OPEN:
        reason = f"{report.client_order_id} is {report.state}"
        return Hold(symbol=symbol, rule=Rule.EXIT_WORKING, reason=reason)
    if report.filled_qty > 0:
        if report.ended_at is None:
            reason = f"{report.client_order_id} has sold {report.filled_qty:f} at an unknown time"
            return Undecided(symbol=symbol, rule=Rule.EXIT_UNKNOWN, reason=reason)
        if now - report.ended_at < SETTLE:
            reason = f"{report.client_order_id} sold {report.filled_qty:f} less than {SETTLE.seconds} s ago"
            return Hold(symbol=symbol, rule=Rule.EXIT_SETTLING, reason=reason)
    if report.is_refusal and not is_final:
        return Attempt(generation=newest.generation)
    if newest.generation + 1 >= MAX_GENERATIONS:
        reason = f"{MAX_GENERATIONS} exits were tried this session"
        return Hold(symbol=symbol, rule=Rule.EXIT_BACKOFF, reason=reason, alerts=True)
    return Attempt(generation=newest.generation + 1)


class ExitChains:
    """The chains of one account, read from order_svc by their ids."""

    def __init__(self, account_id: AccountId, orders: Orders) -> None:
        self._account_id = account_id
        self._orders = orders
        # Where the last walk ended: saves reading what has long ended, decides nothing.
        self._newest: dict[tuple[str, date], int] = {}

    async def find_newest(self, symbol: str, session: date) -> Link | None:
        """The newest exit of the contract, `None` before the first. Raises ServiceError where it is not known."""
        start = self._newest.get((symbol, session), 0)
        newest: Link | None = None
        for generation in range(start, MAX_GENERATIONS):
            key = exit_key(account_id=self._account_id, symbol=symbol, session=session, generation=generation)
            report = await self._orders.find_exit(self._account_id, key)
            if report is None:
                break
            newest = Link(generation=generation, report=report)
            if report.phase is ExitPhase.OPEN:
                break
        if newest is None and start > 0:
            raise ExitLost(f"exit {start} of {symbol} was found before and is not found now")
        self._remember(symbol, session, newest)
        return newest

    def _remember(self, symbol: str, session: date, newest: Link | None) -> None:
        if newest is not None:
            self._newest = {key: last for key, last in self._newest.items() if key[1] == session}
            self._newest[symbol, session] = newest.generation
