"""Follows an order that was replaced at the broker to the one that took its place."""

# ruff: noqa: ASYNC109 - a time limit is a value of the broker's port

from typing import Final

from broker.rate_budget import Priority
from broker.reports import BrokerOrder, OrderStatus
from order_svc.ports import OrderClient

MAX_REPLACEMENTS: Final = 20
"""Beyond it something circles, and the last one read stands."""


async def read_latest(
    client: OrderClient, order: BrokerOrder, *, timeout: float, priority: Priority
) -> BrokerOrder:
    """The order itself, or the last of those that replaced it; raises what reads raise."""
    for _ in range(MAX_REPLACEMENTS):
        if order.status is not OrderStatus.REPLACED or order.replaced_by is None:
            break
        successor = await client.find_order(order.replaced_by, timeout=timeout, priority=priority)
        if successor is None:
            break
        order = successor
    return order
