"""How a caller names one order of an account."""

from dataclasses import dataclass

from order_svc.identifiers import ClientOrderId, OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderName:
    """One order, by exactly one of its two ids; `wire` sees to that."""

    account: str
    """The account's id or name."""
    order_id: OrderId | None
    client_order_id: ClientOrderId | None

    def __str__(self) -> str:
        return str(self.order_id or self.client_order_id)
