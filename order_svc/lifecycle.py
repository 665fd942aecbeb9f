"""How an order's state changes: one table of (state, event) to state, everything else raises.

reliability.md, section 3, and promise I3: nothing ends without a definite refusal, a record of the
broker's, or the quarantine with its "not found" answers. Each of those is an event here.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from broker.reports import BrokerOrder, OrderStatus


class OrderState(Enum):
    """Where an order stands, as far as evidence goes."""

    NEW = "new"
    """Journalled; nothing else has happened."""
    HELD = "held"
    """The guard has set cash aside."""
    SENDING = "sending"
    """May be on its way to the broker."""
    DENIED = "denied"
    """Refused by this service; the broker never saw it."""
    REJECTED = "rejected"
    """Refused by the broker, at once or later."""
    UNKNOWN = "unknown"
    """Sent, and the answer was lost."""
    NOT_PLACED = "not_placed"
    """Proven never to have become an order."""
    WORKING = "working"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"

    @property
    def is_final(self) -> bool:
        """Whether nothing is awaited any more."""
        return self not in _OPEN

    @property
    def is_unresolved(self) -> bool:
        """Whether a crash now would leave open what became of it: what recovery looks at."""
        return self in _UNRESOLVED

    @property
    def is_open_at_broker(self) -> bool:
        """Whether the broker has it and it may still fill."""
        return self in _AT_BROKER


class OrderEvent(Enum):
    """What we have seen happen to an order."""

    HOLD_TAKEN = "hold taken"
    DENIED_BY_US = "denied by this service"
    SEND_STARTED = "sending started"
    REFUSED_BY_BROKER = "refused by the broker"
    ANSWER_LOST = "answer lost"
    FOUND_UNSENT = "found never to have been sent"
    ABSENCE_PROVEN = "absence proven"
    TRIED_AGAIN = "tried again"
    REPORTED_WORKING = "reported working"
    REPORTED_PARTIALLY_FILLED = "reported partially filled"
    REPORTED_FILLED = "reported filled"
    REPORTED_CANCELED = "reported canceled"
    REPORTED_EXPIRED = "reported expired"
    REPORTED_REJECTED = "reported rejected"
    REPORTED_REPLACED = "reported replaced"


class IllegalTransition(ValueError):
    """The event cannot happen to an order in this state: a bug, or a broker that contradicts itself."""

    def __init__(self, state: OrderState, event: OrderEvent) -> None:
        super().__init__(f"an order that is {state.value} cannot be {event.value}")
        self.state = state
        self.event = event


_OPEN: Final = frozenset(
    {
        OrderState.NEW,
        OrderState.HELD,
        OrderState.SENDING,
        OrderState.UNKNOWN,
        OrderState.WORKING,
        OrderState.PARTIALLY_FILLED,
    }
)
_UNRESOLVED: Final = frozenset({OrderState.NEW, OrderState.HELD, OrderState.SENDING, OrderState.UNKNOWN})
_AT_BROKER: Final = frozenset({OrderState.WORKING, OrderState.PARTIALLY_FILLED})

_REPORTS: Final[Mapping[OrderEvent, OrderState]] = MappingProxyType(
    {
        OrderEvent.REPORTED_WORKING: OrderState.WORKING,
        OrderEvent.REPORTED_PARTIALLY_FILLED: OrderState.PARTIALLY_FILLED,
        OrderEvent.REPORTED_FILLED: OrderState.FILLED,
        OrderEvent.REPORTED_CANCELED: OrderState.CANCELED,
        OrderEvent.REPORTED_EXPIRED: OrderState.EXPIRED,
        OrderEvent.REPORTED_REJECTED: OrderState.REJECTED,
        OrderEvent.REPORTED_REPLACED: OrderState.REPLACED,
    }
)
_STILL_OPEN: Final = (OrderEvent.REPORTED_WORKING, OrderEvent.REPORTED_PARTIALLY_FILLED)


def _after_reports(*states: OrderState) -> dict[tuple[OrderState, OrderEvent], OrderState]:
    return {(state, event): target for state in states for event, target in _REPORTS.items()}


def _stale_reads(*states: OrderState) -> dict[tuple[OrderState, OrderEvent], OrderState]:
    """A reading that began before the end was seen may be recorded after it: the end stands."""
    return {(state, event): state for state in states for event in _STILL_OPEN}


def _repeated_ends() -> dict[tuple[OrderState, OrderEvent], OrderState]:
    return {(state, event): state for event, state in _REPORTS.items() if state.is_final}


_TABLE: Final[Mapping[tuple[OrderState, OrderEvent], OrderState]] = MappingProxyType(
    {
        (OrderState.NEW, OrderEvent.HOLD_TAKEN): OrderState.HELD,
        (OrderState.NEW, OrderEvent.DENIED_BY_US): OrderState.DENIED,
        (OrderState.HELD, OrderEvent.SEND_STARTED): OrderState.SENDING,
        (OrderState.HELD, OrderEvent.DENIED_BY_US): OrderState.DENIED,
        (OrderState.SENDING, OrderEvent.REFUSED_BY_BROKER): OrderState.REJECTED,
        (OrderState.SENDING, OrderEvent.ANSWER_LOST): OrderState.UNKNOWN,
        # Odd but real: the process was paused between the record and the first byte, the
        # authorisation ran out meanwhile, and the guard refuses to renew it.
        (OrderState.SENDING, OrderEvent.DENIED_BY_US): OrderState.DENIED,
        # No connection could be made, so no byte left.
        (OrderState.SENDING, OrderEvent.FOUND_UNSENT): OrderState.NOT_PLACED,
        # A process that died before it recorded SENDING.
        (OrderState.NEW, OrderEvent.FOUND_UNSENT): OrderState.NOT_PLACED,
        (OrderState.HELD, OrderEvent.FOUND_UNSENT): OrderState.NOT_PLACED,
        (OrderState.UNKNOWN, OrderEvent.ABSENCE_PROVEN): OrderState.NOT_PLACED,
        # The lookup by client_order_id shows an order that is not this one: the id is taken.
        (OrderState.UNKNOWN, OrderEvent.REFUSED_BY_BROKER): OrderState.REJECTED,
        (OrderState.UNKNOWN, OrderEvent.SEND_STARTED): OrderState.SENDING,
        # Only outcomes that say "nothing was done, retry" are tried again; see refusals.py.
        (OrderState.DENIED, OrderEvent.TRIED_AGAIN): OrderState.NEW,
        (OrderState.REJECTED, OrderEvent.TRIED_AGAIN): OrderState.NEW,
        (OrderState.NOT_PLACED, OrderEvent.TRIED_AGAIN): OrderState.NEW,
        **_after_reports(
            OrderState.SENDING, OrderState.UNKNOWN, OrderState.WORKING, OrderState.PARTIALLY_FILLED
        ),
        # Odd but real: a stale reading must not undo a fill that was seen.
        (OrderState.PARTIALLY_FILLED, OrderEvent.REPORTED_WORKING): OrderState.PARTIALLY_FILLED,
        # Odd but real: an order that arrives after its quarantine is adopted.
        **_after_reports(OrderState.NOT_PLACED),
        **_stale_reads(
            OrderState.FILLED,
            OrderState.CANCELED,
            OrderState.EXPIRED,
            OrderState.REPLACED,
            OrderState.REJECTED,
        ),
        **_repeated_ends(),
        # Odd but real: the fill and the end cross at the exchange, and the broker corrects itself.
        (OrderState.CANCELED, OrderEvent.REPORTED_FILLED): OrderState.FILLED,
        (OrderState.EXPIRED, OrderEvent.REPORTED_FILLED): OrderState.FILLED,
        (OrderState.REPLACED, OrderEvent.REPORTED_FILLED): OrderState.FILLED,
    }
)


def apply(state: OrderState, event: OrderEvent) -> OrderState:
    """The state after the event; raises IllegalTransition where the two do not go together."""
    after = _TABLE.get((state, event))
    if after is None:
        raise IllegalTransition(state, event)
    return after


def event_of(order: BrokerOrder) -> OrderEvent:
    """What a reading of the broker's order says happened; a status it has added since is still open."""
    ended = _ENDS.get(order.status)
    if ended is not None:
        return ended
    # pending_cancel and the like keep what is filled already.
    partly = order.status is OrderStatus.PARTIALLY_FILLED or order.filled_qty > 0
    return OrderEvent.REPORTED_PARTIALLY_FILLED if partly else OrderEvent.REPORTED_WORKING


_ENDS: Final[Mapping[OrderStatus, OrderEvent]] = MappingProxyType(
    {
        OrderStatus.FILLED: OrderEvent.REPORTED_FILLED,
        OrderStatus.CANCELED: OrderEvent.REPORTED_CANCELED,
        OrderStatus.EXPIRED: OrderEvent.REPORTED_EXPIRED,
        OrderStatus.REJECTED: OrderEvent.REPORTED_REJECTED,
        OrderStatus.REPLACED: OrderEvent.REPORTED_REPLACED,
    }
)


def state_of(order: BrokerOrder) -> OrderState:
    """The state that a reading of the broker's order shows by itself."""
    return _REPORTS[event_of(order)]
