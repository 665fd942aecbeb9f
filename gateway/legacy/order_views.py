"""Orders as the former service showed them; pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from gateway.legacy.numbers import number, number_or_none
from gateway.legacy.order_words import side_word, status_word, type_word
from gateway.legacy.time_formats import eastern_wall_clock, eastern_with_zone
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from opitios.order.v1 import order_pb2 as orders

OPTION: Final = "option"
"""The asset class of a new option order, here and in bulk results; lists say us_option."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacingTimes:
    """Where the time of one order went, milliseconds, as the gateway saw it."""

    validation_ms: float
    total_ms: float


def order_view(order: orders.Order, *, asset_class: str | None) -> legacy.OrderView:
    """An order with T2 times; `asset_class` is the route's to say."""
    return legacy.OrderView(
        id=order.order_id,
        symbol=order.symbol,
        qty=number_or_none(order.qty),
        side=side_word(order.side),
        order_type=type_word(order.order_type),
        status=status_word(order),
        filled_qty=number(order.filled_qty),
        filled_avg_price=number_or_none(order.filled_avg_price),
        submitted_at=_written(order, "submitted_at", eastern_wall_clock),
        filled_at=_written(order, "filled_at", eastern_wall_clock),
        asset_class=asset_class,
    )


def option_order_view(order: orders.Order, times: PlacingTimes) -> legacy.OptionOrderView:
    """A new option order with T1 times and its timing."""
    return legacy.OptionOrderView(
        id=order.order_id,
        symbol=order.symbol,
        qty=number(order.qty),
        side=side_word(order.side),
        order_type=type_word(order.order_type),
        status=status_word(order),
        filled_qty=number(order.filled_qty),
        filled_avg_price=number_or_none(order.filled_avg_price),
        submitted_at=_written(order, "submitted_at", eastern_with_zone),
        filled_at=_written(order, "filled_at", eastern_with_zone),
        limit_price=number_or_none(order.limit_price),
        asset_class=OPTION,
        timing=_timing(order, times),
    )


def _written(
    order: orders.Order, field: Literal["submitted_at", "filled_at"], write: Callable[[datetime], str]
) -> str | None:
    if not order.HasField(field):
        return None
    moment = order.submitted_at if field == "submitted_at" else order.filled_at
    return write(moment.ToDatetime(tzinfo=UTC))


def _timing(order: orders.Order, times: PlacingTimes) -> legacy.OptionOrderTiming:
    submit = float(order.broker_ms)
    return legacy.OptionOrderTiming(
        validation_time_ms=round(times.validation_ms, 2),
        prep_time_ms=round(max(0.0, times.total_ms - submit - times.validation_ms), 2),
        submit_time_ms=submit,
        total_time_ms=round(times.total_ms, 2),
    )
