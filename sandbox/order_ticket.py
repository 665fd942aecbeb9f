"""Reads the body of POST /v2/orders into a ticket, with Alpaca's refusals for what is wrong in itself."""

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import TypeVar

from sandbox.errors import bad_field, refused
from sandbox.orders import OrderTicket, OrderType, PositionIntent, Side, TimeInForce

_MAX_CLIENT_ORDER_ID = 128
_MAX_QTY_DECIMALS = 9
# Narrower than Decimal: no NaN, no underscores, no digits of other scripts.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LARGEST = Decimal(10) ** 12
_ONE_DOLLAR = Decimal(1)
_TAKES_LIMIT = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_TAKES_STOP = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})

_Closed = TypeVar("_Closed", bound=Enum)


def read_ticket(body: Mapping[str, object]) -> OrderTicket:
    """The order asked for.

    Raises:
        AlpacaError: 422/40010001 for a missing or malformed field, 422/42210000 for a price no venue takes.
    """
    order_class = _text(body, "order_class") or ""
    if order_class not in ("", "simple"):
        raise bad_field(f"order class {order_class!r} is not supported by this exchange")
    order_type = _required(body, "type", OrderType)
    ticket = OrderTicket(
        symbol=_symbol(body),
        side=_required(body, "side", Side),
        order_type=order_type,
        time_in_force=_required(body, "time_in_force", TimeInForce),
        qty=_amount(body, "qty"),
        notional=_amount(body, "notional"),
        limit_price=_price(body, "limit_price"),
        stop_price=_price(body, "stop_price"),
        trail_price=_amount(body, "trail_price"),
        trail_percent=_amount(body, "trail_percent"),
        extended_hours=_flag(body, "extended_hours"),
        client_order_id=_client_order_id(body),
        position_intent=_optional(body, "position_intent", PositionIntent),
        order_class=order_class,
    )
    _check_size(ticket)
    _check_prices(ticket)
    _check_intent(ticket)
    if ticket.extended_hours and (
        order_type is not OrderType.LIMIT or ticket.time_in_force is not TimeInForce.DAY
    ):
        raise bad_field("extended hours order must be DAY limit orders")
    return ticket


def _check_size(ticket: OrderTicket) -> None:
    if ticket.qty is None and ticket.notional is None:
        raise bad_field("qty or notional is required")
    if ticket.qty is not None and ticket.notional is not None:
        raise bad_field("only one of qty or notional is accepted")


def _check_prices(ticket: OrderTicket) -> None:
    name = ticket.order_type.value.replace("_", " ")
    for field, price, wanted in (
        ("limit_price", ticket.limit_price, ticket.order_type in _TAKES_LIMIT),
        ("stop_price", ticket.stop_price, ticket.order_type in _TAKES_STOP),
    ):
        if wanted and price is None:
            raise bad_field(f"{name} orders require {field.replace('_', ' ')}")
        if not wanted and price is not None:
            raise bad_field(f"{name} orders require no {field.replace('_', ' ')}")
    trails = [trail for trail in (ticket.trail_price, ticket.trail_percent) if trail is not None]
    if ticket.order_type is OrderType.TRAILING_STOP:
        if len(trails) != 1:
            raise bad_field("trailing stop orders require exactly one of trail_price or trail_percent")
    elif trails:
        raise bad_field(f"{name} orders require no trail_price or trail_percent")


def _check_intent(ticket: OrderTicket) -> None:
    intent = ticket.position_intent
    if intent is not None and not intent.value.startswith(ticket.side.value):
        raise bad_field(f"position_intent {intent.value} does not match side {ticket.side.value}")


def _symbol(body: Mapping[str, object]) -> str:
    symbol = _text(body, "symbol")
    if not symbol:
        raise bad_field("symbol is required")
    return symbol


def _client_order_id(body: Mapping[str, object]) -> str | None:
    text = _text(body, "client_order_id")
    if text is not None and len(text) > _MAX_CLIENT_ORDER_ID:
        raise bad_field(f"client_order_id must be no more than {_MAX_CLIENT_ORDER_ID} characters")
    return text or None


def _text(body: Mapping[str, object], field: str) -> str | None:
    value = body.get(field)
    if value is None:
        return None
    # JSON can spell half a surrogate pair, which no answer could carry back.
    if not isinstance(value, str) or _SURROGATE.search(value):
        raise bad_field(f"{field} must be a string")
    return value


def _flag(body: Mapping[str, object], field: str) -> bool:
    value = body.get(field)
    if value is None:
        return False
    if isinstance(value, bool):
        return value
    raise bad_field(f"{field} must be a boolean")


def _required(body: Mapping[str, object], field: str, words: type[_Closed]) -> _Closed:
    value = _optional(body, field, words)
    if value is None:
        raise bad_field(f"{field} is required")
    return value


def _optional(body: Mapping[str, object], field: str, words: type[_Closed]) -> _Closed | None:
    text = _text(body, field)
    if not text:
        return None
    try:
        return words(text)
    except ValueError:
        raise bad_field(f"invalid {field}: {text}") from None


def _amount(body: Mapping[str, object], field: str) -> Decimal | None:
    """A positive number, given as a JSON number or string; both are sent by clients."""
    value = body.get(field)
    if value is None or value == "":
        return None
    number = _decimal(field, value)
    if number <= 0:
        raise bad_field(f"{field} must be > 0")
    if number >= _LARGEST:
        raise bad_field(f"{field} is too large")
    exponent = number.normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_MAX_QTY_DECIMALS:
        raise bad_field(f"{field} must be limited to {_MAX_QTY_DECIMALS} decimal places")
    return number


def _price(body: Mapping[str, object], field: str) -> Decimal | None:
    price = _amount(body, field)
    if price is None:
        return None
    exponent = price.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > (2 if price >= _ONE_DOLLAR else 4):
        raise refused(
            f"invalid {field} {price}. sub-penny increment does not fulfill minimum pricing criteria"
        )
    return price


def _decimal(field: str, value: object) -> Decimal:
    if isinstance(value, Decimal):
        number = value
    elif (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and _NUMBER.fullmatch(value)
    ):
        number = Decimal(value)
    else:
        raise bad_field(f"{field} must be a number")
    return number
