"""The guard's answer to one order, in the words and figures that callers and logs show."""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import assert_never

from account_svc.grant import Claim, Grant, Refusal
from account_svc.guard import Allowed, Denied, Undecided
from account_svc.hold import HeldCash, Hold
from account_svc.minimums import Minimum
from broker.reports import AccountReading
from broker.standing import Standing


class Verdict(Enum):
    """Whether orders may leave; only ALLOWED lets one out."""

    ALLOWED = "allowed"
    BELOW = "below"
    UNKNOWN = "unknown"


class RefusalReason(Enum):
    """Why not, as callers read it."""

    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    BALANCE_UNKNOWN = "BALANCE_UNKNOWN"
    ACCOUNT_NOT_TRADABLE = "ACCOUNT_NOT_TRADABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorisation:
    """The answer to an order that asks to be let out; amounts in USD."""

    standing: Standing
    verdict: Verdict
    minimum: Decimal
    reason: RefusalReason | None = None
    """Set unless the verdict is ALLOWED."""
    message: str = ""
    """The reason in words, with the figures; empty when allowed."""
    cash: Decimal | None = None
    """`None` where it is not known, or was not asked for."""
    held_by_others: Decimal | None = None
    """`None` where the question did not come up."""
    hold: Hold | None = None
    """What was set aside; set when allowed."""
    valid_seconds: float = 0.0
    """How long from now the order may be sent."""


def granted(standing: Standing, grant: Grant) -> Authorisation:
    """The order may leave."""
    return Authorisation(
        standing=standing,
        verdict=Verdict.ALLOWED,
        minimum=grant.minimum,
        cash=grant.cash,
        held_by_others=grant.held_by_others,
        hold=grant.hold,
        valid_seconds=grant.valid_seconds,
    )


def refused_by_rule(
    standing: Standing, refusal: Refusal, *, claim: Claim, cash: Decimal, minimum: Minimum
) -> Authorisation:
    """The rule keeps the order back."""
    match refusal.decision:
        case Denied():
            verdict, reason = Verdict.BELOW, RefusalReason.INSUFFICIENT_BALANCE
            message = explain_denial(standing, cash=cash, held=refusal.held, minimum=minimum, cost=claim.cost)
        case Undecided(problem=problem):
            verdict, reason = Verdict.UNKNOWN, RefusalReason.BALANCE_UNKNOWN
            message = f"account {describe(standing)}: {problem}"
        case Allowed():
            raise ValueError("an allowed order is not refused")
        case _:
            assert_never(refusal.decision)
    return Authorisation(
        standing=standing,
        verdict=verdict,
        reason=reason,
        message=message,
        cash=cash,
        held_by_others=refusal.held.total,
        minimum=minimum.amount,
    )


def refused_unknown(standing: Standing, problem: str, *, minimum: Minimum) -> Authorisation:
    """The cash is not known well enough."""
    return Authorisation(
        standing=standing,
        verdict=Verdict.UNKNOWN,
        reason=RefusalReason.BALANCE_UNKNOWN,
        message=f"{problem} (account {describe(standing)}, minimum {minimum.amount:f} USD)",
        minimum=minimum.amount,
    )


def refused_not_tradable(
    standing: Standing, problem: str, *, minimum: Minimum, cash: Decimal | None = None
) -> Authorisation:
    """The account may not trade, whatever cash it has."""
    return Authorisation(
        standing=standing,
        verdict=Verdict.UNKNOWN,
        reason=RefusalReason.ACCOUNT_NOT_TRADABLE,
        message=f"account {describe(standing)} may not trade: {problem}",
        cash=cash,
        minimum=minimum.amount,
    )


def explain_denial(
    standing: Standing, *, cash: Decimal, held: HeldCash, minimum: Minimum, cost: Decimal | None = None
) -> str:
    """Why an account is below its minimum, with every figure and the key that sets the minimum.

    The order's `cost` is named where cash and holds alone would have been enough.
    """
    left = cash - held.total
    sums = f"cash {cash:f} less holds {held.total:f}"
    if left >= minimum.amount and cost is not None:
        left -= cost
        sums += f" less this order's cost of at most {cost:f}"
    note = "; an order of unknown cost is in flight and holds all headroom" if held.all_headroom_held else ""
    return (
        f"account {describe(standing)}: {sums} leaves {left:f} USD, "
        f"the minimum is {minimum.amount:f} USD ({minimum.key}){note}"
    )


def describe(standing: Standing) -> str:
    """The account as people recognise it: `main (PA3ABC, paper)`."""
    kind = "type unknown" if standing.account_type is None else standing.account_type.value
    return f"{standing.account_id} ({standing.account_number or 'number unknown'}, {kind})"


def why_not_tradable(standing: Standing, reading: AccountReading) -> str | None:
    """Why no order may be sent for the account, by its type or by the broker; `None` when orders may."""
    if not standing.tradable:
        return standing.why_not or "its standing is not known"
    if reading.may_trade:
        return None
    flags = {
        "trading_blocked": reading.trading_blocked,
        "account_blocked": reading.account_blocked,
        "trade_suspended_by_user": reading.trade_suspended_by_user,
    }
    raised = [name for name, is_set in flags.items() if is_set]
    return f"the broker says status {reading.status}" + (f" and {', '.join(raised)}" if raised else "")
