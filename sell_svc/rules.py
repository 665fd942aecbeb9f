"""The five reasons to sell, in the order in which they are asked (legacy-sell.md, section 4)."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

from sell_svc.known import Seen, Unknown
from sell_svc.observation import Lot, Market, OptionPosition
from sell_svc.permission import held_too_long
from sell_svc.policy import Policy
from sell_svc.price import Mark
from sell_svc.verdict import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One long position that may be sold in an open session."""

    position: OptionPosition
    market: Market
    lots: Seen[tuple[Lot, ...]]
    mark: Seen[Mark]
    no_bid: bool
    """Whether a fresh quote says that nobody bids."""
    permitted: Decimal
    """Contracts that may be sold without asking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """The rule says sell."""

    rule: Rule
    reason: str
    at_most: Decimal
    """Contracts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """The rule cannot tell."""

    rule: Rule
    reason: str


Answer: TypeAlias = Fired | Unjudged | None


def time_limit(case: Case, policy: Policy) -> Answer:
    """Sells what was filled at least `position_time_limit.max_hold_minutes` ago."""
    if policy.max_hold is None:
        return None
    due = held_too_long(
        case.position, case.lots, auto_sell=policy.auto_sell, now=case.market.now, limit=policy.max_hold
    )
    if isinstance(due, Unknown):
        return Unjudged(rule=Rule.ENTRY_TIME_UNKNOWN, reason=due.reason)
    if due.qty <= 0:
        return None
    return Fired(
        rule=Rule.TIME_LIMIT,
        reason=f"{due.qty:f} held for {policy.max_hold} or longer",
        at_most=min(due.qty, case.permitted),
    )


def zero_day(case: Case, policy: Policy) -> Answer:
    """Sells on the expiry day of New York, at once or from the configured time before the close (S-06, S-07)."""
    today = case.market.session_date
    if not policy.zero_day or case.position.contract.expiration_date != today:
        return None
    left = case.market.next_close - case.market.now
    if policy.zero_day_before_close is not None and left > policy.zero_day_before_close:
        return None
    return Fired(rule=Rule.ZERO_DAY, reason=f"expires today, {today}", at_most=case.permitted)


def take_profit(case: Case, policy: Policy) -> Answer:
    """Sells at `profit_rate` times the average entry price, inclusive (S-32)."""
    if policy.strategy is None:
        return None
    if isinstance(case.mark, Unknown):
        return Unjudged(rule=Rule.PRICE_UNKNOWN, reason=case.mark.reason)
    entry, rate, mark = case.position.avg_entry_price, policy.strategy.profit_rate, case.mark.value
    # A profit that nobody bids for is none: the order would fetch the minimum tick.
    if case.no_bid or mark.price < entry * rate:
        return None
    return Fired(rule=Rule.TAKE_PROFIT, reason=_compared(mark, ">=", entry, rate), at_most=case.permitted)


def stop_loss(case: Case, policy: Policy) -> Answer:
    """Sells at `stop_loss_rate` times the average entry price, inclusive."""
    if policy.strategy is None:
        return None
    if isinstance(case.mark, Unknown):
        return Unjudged(rule=Rule.PRICE_UNKNOWN, reason=case.mark.reason)
    entry, rate, mark = case.position.avg_entry_price, policy.strategy.stop_loss_rate, case.mark.value
    if mark.price > entry * rate:
        return None
    return Fired(rule=Rule.STOP_LOSS, reason=_compared(mark, "<=", entry, rate), at_most=case.permitted)


def close_window(case: Case, policy: Policy) -> Answer:
    """Sells in the last minutes before the session's real close, the close itself excluded (S-18)."""
    left = case.market.next_close - case.market.now
    if not policy.close_window or not 0 < left.total_seconds() <= policy.close_window.total_seconds():
        return None
    return Fired(
        rule=Rule.CLOSE_WINDOW,
        reason=f"{left.total_seconds():.0f} s before the close at {case.market.next_close:%H:%M:%S} UTC",
        at_most=case.permitted,
    )


IN_ORDER: Final[tuple[Callable[[Case, Policy], Answer], ...]] = (
    time_limit,
    zero_day,
    take_profit,
    stop_loss,
    close_window,
)


def _compared(mark: Mark, sign: str, entry: Decimal, rate: Decimal) -> str:
    return f"price {mark} {sign} {entry * rate:f} = entry {entry:f} x {rate:f}"
