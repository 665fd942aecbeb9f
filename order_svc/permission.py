"""The checks between the journal and the send, each with its figures; PlaceOrder and PreviewOrder share them.

Pure: what they need is read before. The guard stands between the two groups.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from broker.reports import OrderSide
from broker.standing import AccountUnverified, Standing
from order_svc.ceilings import Ceilings, check_notional, check_rate
from order_svc.content import OrderContent, stated_notional
from order_svc.halts import Halt, check_halts
from order_svc.identifiers import AccountId
from order_svc.ports import Authorized
from order_svc.records import Refusal
from order_svc.refusals import AccountNotTradable


class CheckName(Enum):
    """What is checked, in the order in which it is."""

    CLIENT_ORDER_ID = "client_order_id"
    ACCOUNT = "account"
    TRADING_SWITCH = "trading_switch"
    ORDER_RATE = "order_rate"
    ORDER_NOTIONAL = "order_notional"
    BALANCE = "balance"


class Unit(Enum):
    """What the figures of a check count."""

    NONE = ""
    USD = "USD"
    ORDERS_PER_MINUTE = "orders/minute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of an order; a figure is `None` where there is none or it is not known."""

    name: CheckName
    refusal: Refusal | None = None
    undecided: str = ""
    """Why it cannot be told here whether the order passes; empty where it can."""
    unit: Unit = Unit.NONE
    limit: Decimal | None = None
    """What there is in all."""
    used: Decimal | None = None
    """What is taken already."""
    needed: Decimal | None = None
    """What the order takes."""

    @property
    def left(self) -> Decimal | None:
        """What is there for the order; negative where too much is taken already."""
        return None if self.limit is None or self.used is None else self.limit - self.used


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """An order and what it meets."""

    account_id: AccountId
    content: OrderContent
    standing: Standing
    halts: tuple[Halt, ...]
    ceilings: Ceilings
    recent_orders: int
    """Of the account in the last minute, without this one."""


def checks_before_guard(situation: Situation) -> tuple[Check, ...]:
    """What can be told without asking anybody."""
    return (
        Check(name=CheckName.ACCOUNT, refusal=_check_standing(situation.standing)),
        Check(
            name=CheckName.TRADING_SWITCH,
            refusal=check_halts(situation.halts, situation.account_id, situation.content),
        ),
        _rate(situation),
        notional_check(situation, hold_amount=None),
    )


def checks_after_guard(situation: Situation, answer: Authorized) -> tuple[Check, ...]:
    """What needs the guard's answer."""
    return (
        Check(
            name=CheckName.ACCOUNT,
            refusal=check_identity(situation.standing, account_number=answer.account_number),
        ),
        notional_check(situation, hold_amount=answer.hold_amount),
    )


def first_refusal(checks: Iterable[Check]) -> Refusal | None:
    """Why the order may not leave: what the first check that it fails says."""
    return next((check.refusal for check in checks if check.refusal is not None), None)


def check_identity(standing: Standing, *, account_number: str) -> Refusal | None:
    """Denies an order unless the guard speaks of the account whose keys are used here (I8)."""
    if not standing.tradable:
        return Refusal(
            reason=AccountUnverified.reason, text=f"the account is not verified yet: {standing.why_not}"
        )
    if account_number and standing.account_number not in (None, account_number):
        return Refusal(
            reason=AccountNotTradable.reason,
            text=f"account_svc checked account {account_number}, these keys are for "
            f"{standing.account_number}: give both services one configuration",
        )
    return None


def notional_check(situation: Situation, *, hold_amount: Decimal | None) -> Check:
    """The order's worth against its ceiling; a buy at the market is worth what the guard holds for it."""
    content, limit = situation.content, situation.ceilings.max_order_notional
    worth = stated_notional(content)
    if worth is None and content.side is OrderSide.BUY:
        worth = hold_amount
    return Check(
        name=CheckName.ORDER_NOTIONAL,
        refusal=check_notional(situation.ceilings, content, hold_amount=hold_amount),
        unit=Unit.USD,
        limit=limit,
        used=None if limit is None else Decimal(0),
        needed=worth,
    )


def _check_standing(standing: Standing) -> Refusal | None:
    if standing.problem is None or standing.problem.heals:
        return None
    return Refusal(reason=AccountNotTradable.reason, text=f"the account may not trade: {standing.why_not}")


def _rate(situation: Situation) -> Check:
    limit = situation.ceilings.max_orders_per_minute
    return Check(
        name=CheckName.ORDER_RATE,
        refusal=check_rate(situation.ceilings, recent_orders=situation.recent_orders),
        unit=Unit.ORDERS_PER_MINUTE,
        limit=None if limit is None else Decimal(limit),
        used=Decimal(situation.recent_orders),
        needed=Decimal(1),
    )
