"""Which holds end, from what the broker says of their orders (reliability.md, section 4).

A hold is let go only on evidence. An order that has ended frees its cash once a reading of
the cash was asked for after the end was seen; an order that never appeared frees it once
nothing of ours can still be on its way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from account_svc.order_terms import HoldId
from broker.reports import BrokerOrder, OrderStatus


class Fate(Enum):
    """What the broker was last seen to have for a hold's order."""

    UNSEEN = "unseen"
    """No list we read had it; that alone proves nothing."""
    ABSENT = "absent"
    """Asked for by its own id, the broker said that it does not exist."""
    OPEN = "open"
    """It may still fill."""
    ENDED_UNFILLED = "ended_unfilled"
    """It has ended and took no cash."""
    ENDED_FILLED = "ended_filled"
    """It has ended and took some or all of the cash."""

    @property
    def has_ended(self) -> bool:
        """Whether the broker will not change it any more."""
        return self in {Fate.ENDED_UNFILLED, Fate.ENDED_FILLED}


class EndReason(Enum):
    """Why a hold is gone."""

    RELEASED = "released"
    """order_svc says that the broker has no such order and never will."""
    ORDER_ENDED_UNFILLED = "order_ended_unfilled"
    ORDER_ENDED_FILLED = "order_ended_filled"
    NEVER_APPEARED = "never_appeared"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleRules:
    """How long evidence has to be waited for; seconds of the monotonic clock."""

    quarantine_seconds: float = 120.0
    """After it a request that left us cannot still be under way (reliability.md, section 1)."""
    broker_lag_seconds: float = 1.0
    """How long after an order's end the broker's cash may not show it yet; to be measured on paper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What this process knows of one hold's order; moments are of the monotonic clock."""

    revision: int
    """The authorisation of the hold that this is about; a newer one starts the evidence afresh."""
    fate: Fate
    known_since: float
    """When this process first knew of the authorisation. Unlike the wall time at which the hold was
    taken it survives a step of the clock, and after a restart it only waits longer."""
    looked_at: float | None
    """When the reading was asked for that last said something about the order itself."""
    ended_seen_at: float | None
    """When the order was first seen to have ended."""


def sight(
    previous: Sighting | None, *, revision: int, found: Fate | None, looked_at: float, now: float
) -> Sighting:
    """The sighting after a reading; `found` is `None` where nothing was read.

    An end once seen stays, and a list that does not show the order says nothing: it may
    not reach back that far.
    """
    if previous is None or previous.revision != revision:
        previous = Sighting(
            revision=revision, fate=Fate.UNSEEN, known_since=now, looked_at=None, ended_seen_at=None
        )
    if found is None or found is Fate.UNSEEN or previous.fate.has_ended:
        return previous
    return Sighting(
        revision=revision,
        fate=found,
        known_since=previous.known_since,
        looked_at=looked_at,
        ended_seen_at=now if found.has_ended else None,
    )


def fate_of(hold_id: HoldId, orders: Sequence[BrokerOrder], *, complete: bool = True) -> Fate:
    """What a list of orders says of the order with this client_order_id, following replacements.

    `complete` is false for a list with entries that could not be read: the order may be one
    of those, so its absence is not even a hint.
    """
    first = next((order for order in orders if order.client_order_id == hold_id), None)
    if first is None:
        return Fate.UNSEEN if complete else Fate.OPEN
    return _fate_of_chain(first, {order.order_id: order for order in orders})


def ending(sighting: Sighting, *, cash_requested_at: float, rules: SettleRules) -> EndReason | None:
    """Why the hold ends under this reading of the cash, `None` while it stays.

    `cash_requested_at` is when the cash that will be used was asked for, by the monotonic clock.
    """
    match sighting.fate:
        case Fate.UNSEEN | Fate.OPEN:
            return None
        case Fate.ENDED_UNFILLED:
            return EndReason.ORDER_ENDED_UNFILLED
        case Fate.ENDED_FILLED:
            ready_at = settled_at(sighting, rules)
            shown = ready_at is not None and cash_requested_at >= ready_at
            return EndReason.ORDER_ENDED_FILLED if shown else None
        case Fate.ABSENT:
            over = sighting.looked_at is not None and sighting.looked_at >= quarantine_ends_at(
                sighting, rules
            )
            return EndReason.NEVER_APPEARED if over else None


def settled_at(sighting: Sighting, rules: SettleRules) -> float | None:
    """From when on a reading of the cash shows what the order took; `None` while that is not known."""
    if sighting.fate is not Fate.ENDED_FILLED or sighting.ended_seen_at is None:
        return None
    return sighting.ended_seen_at + rules.broker_lag_seconds


def quarantine_ends_at(sighting: Sighting, rules: SettleRules) -> float:
    """From when on the order's absence proves that it never arrived."""
    return sighting.known_since + rules.quarantine_seconds


def _fate_of_chain(first: BrokerOrder, by_id: Mapping[str, BrokerOrder]) -> Fate:
    filled = first.filled_qty != 0
    order, followed = first, {first.order_id}
    while order.status is OrderStatus.REPLACED:
        successor = by_id.get(order.replaced_by or "")
        if successor is None or successor.order_id in followed:
            # Somewhere there is an order that may still fill and that we do not see.
            return Fate.OPEN
        order = successor
        followed.add(order.order_id)
        filled = filled or order.filled_qty != 0
    if order.is_open:
        return Fate.OPEN
    # A filled order that reports no filled quantity is a report still on its way.
    return Fate.ENDED_FILLED if filled or order.status is OrderStatus.FILLED else Fate.ENDED_UNFILLED
