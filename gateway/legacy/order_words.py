"""The exchange's words for sides, types, times in force and states, to and from our enums; pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from opitios.order.v1 import order_pb2 as orders

SIDES: Final[Mapping[str, orders.Side.ValueType]] = MappingProxyType(
    {"buy": orders.SIDE_BUY, "sell": orders.SIDE_SELL}
)
ORDER_TYPES: Final[Mapping[str, orders.OrderType.ValueType]] = MappingProxyType(
    {
        "market": orders.ORDER_TYPE_MARKET,
        "limit": orders.ORDER_TYPE_LIMIT,
        "stop": orders.ORDER_TYPE_STOP,
        "stop_limit": orders.ORDER_TYPE_STOP_LIMIT,
    }
)
TIMES_IN_FORCE: Final[Mapping[str, orders.TimeInForce.ValueType]] = MappingProxyType(
    {
        "day": orders.TIME_IN_FORCE_DAY,
        "gtc": orders.TIME_IN_FORCE_GTC,
        "ioc": orders.TIME_IN_FORCE_IOC,
        "fok": orders.TIME_IN_FORCE_FOK,
    }
)
OPEN_STATUSES: Final = frozenset(
    {
        "new",
        "accepted",
        "pending_new",
        "accepted_for_bidding",
        "partially_filled",
        "held",
        "stopped",
        "suspended",
        "calculated",
        "pending_cancel",
        "pending_replace",
    }
)
"""What `open` in a comma list stands for: every word the exchange has for an order that can still trade."""

_SIDE_WORDS: Final = {number: word for word, number in SIDES.items()}
_TYPE_WORDS: Final = {number: word for word, number in ORDER_TYPES.items()}
_STATE_PREFIX: Final = "ORDER_STATE_"


def side_word(side: orders.Side.ValueType) -> str:
    """`buy`, `sell`, or nothing for an order without one side."""
    return _SIDE_WORDS.get(side, "")


def type_word(order_type: orders.OrderType.ValueType) -> str:
    """`market`, `limit`, ...; nothing for a type that cannot be placed here."""
    return _TYPE_WORDS.get(order_type, "")


def status_word(order: orders.Order) -> str:
    """The exchange's word for the status, ours (`unknown`, `new`) where the exchange has not spoken."""
    return order.broker_status or orders.OrderState.Name(order.state).removeprefix(_STATE_PREFIX).lower()
