"""Which open orders have waited too long: a pure function of orders, the broker's time and the policy."""

from datetime import datetime
from typing import TypeAlias, assert_never

from config.selling import CancelScope
from sell_svc.known import Unknown
from sell_svc.observation import Observation, OpenOrder
from sell_svc.policy import Policy
from sell_svc.verdict import Cancel, Rule, Undecided

OrderJudgement: TypeAlias = Cancel | Undecided


def decide_cancels(seen: Observation, policy: Policy) -> tuple[OrderJudgement, ...]:
    """The stale orders of the scope, oldest first, and those whose age is not known (I11).

    Asks neither for positions (S-03) nor for an open session. An unknown age is never zero and never old.
    """
    if isinstance(seen.orders, Unknown) or isinstance(seen.market, Unknown):
        return ()
    now = seen.market.value.now
    judged = (
        _judge(order, now, policy)
        for order in sorted(seen.orders.value.orders, key=lambda one: one.submitted_at or now)
        if _is_in_scope(order, policy.cancel_scope) and not order.cancel_pending
    )
    unreadable = (
        Undecided(
            symbol=order_id, rule=Rule.ORDER_AGE_UNKNOWN, reason="the broker's answer could not be read"
        )
        for order_id in seen.orders.value.unreadable
    )
    return (*(one for one in judged if one is not None), *unreadable)


def _judge(order: OpenOrder, now: datetime, policy: Policy) -> OrderJudgement | None:
    if order.submitted_at is None:
        return Undecided(
            symbol=order.symbol,
            rule=Rule.ORDER_AGE_UNKNOWN,
            reason=f"order {order.client_order_id} has no time of submission",
            client_order_id=order.client_order_id,
        )
    age = now - order.submitted_at
    if age < policy.cancel_after:
        return None
    return Cancel(
        order=order,
        rule=Rule.STALE_ORDER,
        reason=f"open for {age.total_seconds():.0f} s, limit {policy.cancel_after.total_seconds():.0f} s",
    )


def _is_in_scope(order: OpenOrder, scope: CancelScope) -> bool:
    match scope:
        case CancelScope.ALL:
            return True
        case CancelScope.OPTIONS:
            return order.is_option
        case CancelScope.OWN:
            return order.placed_here
    assert_never(scope)
