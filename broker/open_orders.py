"""Reads every open order, however many pages that takes."""

# ruff: noqa: ASYNC109 - a time limit is a value here: it spans several steps, and is part of the port

from datetime import datetime, timedelta
from typing import Protocol

from alpaca.common.enums import Sort
from alpaca.trading.enums import QueryOrderStatus

from broker.rate_budget import Priority
from broker.raw_json import UnreadableAnswer
from broker.reports import BrokerOrder, Listing
from runtime.clock import Clock

__all__ = ["OrderPages", "read_open_orders"]

_PAGE = 500
_TICK = timedelta(microseconds=1)


class OrderPages(Protocol):
    """Whatever lists one page of orders."""

    async def list_orders(
        self,
        *,
        status: QueryOrderStatus,
        limit: int,
        after: datetime | None,
        direction: Sort,
        timeout: float,
        priority: Priority,
    ) -> Listing[BrokerOrder]:
        """One page by the time of submission; `after` is exclusive."""
        ...


async def read_open_orders(
    pages: OrderPages, *, timeout: float, priority: Priority, clock: Clock
) -> Listing[BrokerOrder]:
    """Every open order, oldest first.

    Alpaca has no page token, so each page starts where the last ended. Its stamps are finer than ours
    and several orders can share one: the next page starts a microsecond early and known orders are
    skipped. A page that brings nothing new raises UnreadableAnswer, for the rest cannot be reached.
    """
    deadline = clock.monotonic() + timeout
    orders: dict[str, BrokerOrder] = {}
    unreadable: dict[str, None] = {}
    after: datetime | None = None
    while True:
        page = await pages.list_orders(
            status=QueryOrderStatus.OPEN,
            limit=_PAGE,
            after=after,
            direction=Sort.ASC,
            timeout=deadline - clock.monotonic(),
            priority=priority,
        )
        known = len(orders) + len(unreadable)
        orders |= {order.order_id: order for order in page.items}
        unreadable |= dict.fromkeys(page.unreadable)
        if len(page.items) + len(page.unreadable) < _PAGE:
            return Listing(items=tuple(orders.values()), unreadable=tuple(unreadable))
        newest = max((order.submitted_at for order in page.items if order.submitted_at), default=None)
        if newest is None or len(orders) + len(unreadable) == known:
            raise UnreadableAnswer("the open orders cannot be paged: a full page brought no later time")
        after = newest - _TICK
