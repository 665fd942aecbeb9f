from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from alpaca.common.enums import Sort
from alpaca.trading.enums import QueryOrderStatus
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.open_orders import read_open_orders
from broker.rate_budget import Priority
from broker.raw_json import UnreadableAnswer
from broker.report_parsing import broker_order
from broker.reports import BrokerOrder, Listing
from runtime.clock import SystemClock

START = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


def order(number: int, nanoseconds: int) -> tuple[int, BrokerOrder]:
    at = START + timedelta(microseconds=nanoseconds // 1000)
    raw = {
        "id": f"order-{number}",
        "client_order_id": f"op-{number}",
        "status": "new",
        "filled_qty": "0",
        "time_in_force": "day",
        "submitted_at": at.isoformat(),
    }
    return nanoseconds, broker_order(raw)


@dataclass
class Exchange:
    """Orders with stamps in nanoseconds, listed as Alpaca lists them."""

    orders: list[tuple[int, BrokerOrder]]
    unreadable: tuple[str, ...] = ()
    pages: int = field(default=0, init=False)

    async def list_orders(
        self,
        *,
        status: QueryOrderStatus,
        limit: int,
        after: datetime | None,
        direction: Sort,
        timeout: float,  # noqa: ASYNC109 - as the port has it
        priority: Priority,
    ) -> Listing[BrokerOrder]:
        assert (status, direction) == (QueryOrderStatus.OPEN, Sort.ASC)
        self.pages += 1
        bound = -1 if after is None else (after - START) // timedelta(microseconds=1) * 1000
        later = [one for stamp, one in sorted(self.orders, key=lambda pair: pair[0]) if stamp > bound]
        return Listing(items=tuple(later[:limit]), unreadable=self.unreadable)


async def read(exchange: Exchange) -> Listing[BrokerOrder]:
    return await read_open_orders(exchange, timeout=5.0, priority=Priority.READ, clock=SystemClock())


@settings(max_examples=30)
@given(
    count=st.integers(0, 1200),
    spread=st.sampled_from([300, 1_000, 10_000]),
    together=st.sampled_from([1, 7, 60]),
)
async def test_every_order_is_read_once_also_where_stamps_fall_together(
    count: int, spread: int, together: int
) -> None:
    exchange = Exchange([order(number, number // together * spread) for number in range(count)])

    listed = await read(exchange)

    assert [one.order_id for one in listed.items] == [f"order-{number}" for number in range(count)]
    assert listed.complete


async def test_one_page_that_is_not_full_is_one_request() -> None:
    exchange = Exchange([order(number, number) for number in range(499)])

    await read(exchange)

    assert exchange.pages == 1


async def test_a_page_of_orders_with_one_stamp_is_an_error_and_no_endless_loop() -> None:
    with pytest.raises(UnreadableAnswer, match="cannot be paged"):
        await read(Exchange([order(number, 17) for number in range(600)]))


async def test_what_could_not_be_read_is_still_told() -> None:
    listed = await read(Exchange([order(1, 1)], unreadable=("order 7: odd",)))

    assert (len(listed.items), listed.unreadable) == (1, ("order 7: odd",))
