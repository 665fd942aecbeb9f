"""A legacy order as order_svc wants it, and what the old service refused before it asked anyone; pure."""

from typing import Final

from broker.option_symbol import is_option_symbol
from gateway.legacy.order_words import ORDER_TYPES, SIDES, TIMES_IN_FORCE
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from opitios.order.v1.order_service_pb2 import PlaceOrderRequest

_PRICES_MISSING: Final = "Invalid order type or missing required price parameters"


def stock_refusal(order: legacy.StockOrder) -> str | None:
    """Why a stock order is refused with 400, `None` when it may go on."""
    if order.type == "market":
        return None
    price = order.limit_price if order.type == "limit" else order.stop_price
    return None if order.type in {"limit", "stop"} and price else _PRICES_MISSING


def option_refusal(order: legacy.OptionOrder) -> str | None:
    """Why an option order is refused with 400, `None` when it may go on; stop and stop_limit always are."""
    if not is_option_symbol(order.option_symbol):
        return (
            f"Invalid option symbol format: {order.option_symbol}. "
            "Expected format: SYMBOL[YY]MMDD[C/P]XXXXXXXX"
        )
    if order.type == "market" or (order.type == "limit" and order.limit_price):
        return None
    return f"{_PRICES_MISSING} for options"


def stock_request(order: legacy.StockOrder) -> PlaceOrderRequest:
    """The order without account and key; a price that its type does not use is dropped, as it always was."""
    return PlaceOrderRequest(
        symbol=order.symbol,
        side=SIDES[order.side],
        order_type=ORDER_TYPES[order.type],
        time_in_force=TIMES_IN_FORCE[order.time_in_force],
        qty=order.qty,
        limit_price=order.limit_price if order.type == "limit" else "",
        stop_price=order.stop_price if order.type == "stop" else "",
    )


def option_request(order: legacy.OptionOrder) -> PlaceOrderRequest:
    """The order without account and key; only a buy can allow the sell monitor anything."""
    return PlaceOrderRequest(
        symbol=order.option_symbol,
        side=SIDES[order.side],
        order_type=ORDER_TYPES[order.type],
        time_in_force=TIMES_IN_FORCE[order.time_in_force],
        qty=str(order.qty),
        limit_price=order.limit_price if order.type == "limit" else "",
        auto_sell_enabled=order.auto_sell_enabled and order.side == "buy",
    )
