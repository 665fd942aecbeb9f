"""The `status` parameter of GET /orders: what to ask order_svc for, and what to keep of it; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from gateway.legacy.order_words import OPEN_STATUSES, status_word
from opitios.order.v1 import order_pb2 as orders
from opitios.order.v1 import order_service_pb2 as service

INVALID_STATUS: Final = "Input should be 'open', 'closed' or 'all', or a comma list of statuses"

_SCOPES: Final[Mapping[str | None, service.OrderScope.ValueType]] = MappingProxyType(
    {
        None: service.ORDER_SCOPE_OPEN,
        "open": service.ORDER_SCOPE_OPEN,
        "all": service.ORDER_SCOPE_ALL,
        "closed": service.ORDER_SCOPE_CLOSED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """Which orders to read and which of those to show."""

    scope: service.OrderScope.ValueType
    statuses: frozenset[str] | None = None
    """Only these words; `None` for all."""

    def keep(self, found: Sequence[orders.Order]) -> list[orders.Order]:
        """Those to show, in the same order."""
        if self.statuses is None:
            return list(found)
        return [order for order in found if status_word(order) in self.statuses]


def parse_filter(status: str | None) -> OrderFilter | None:
    """What a status parameter means; `None` for a single word that is none of open, closed and all."""
    if status is not None and "," in status:
        return _listed({word.strip() for word in status.split(",")} - {""})
    scope = _SCOPES.get(status)
    return None if scope is None else OrderFilter(scope=scope)


def _listed(words: set[str]) -> OrderFilter:
    wanted = (words | OPEN_STATUSES) - {"open"} if "open" in words else words
    return OrderFilter(scope=service.ORDER_SCOPE_ALL, statuses=frozenset(wanted))
