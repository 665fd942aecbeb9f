"""Reads the body of POST /v2/orders into a ticket, with Alpaca's refusals for what is wrong in itself."""

from collections.abc import Mapping
from decimal import Decimal

from sandbox import ticket_fields as fields
from sandbox.errors import bad_field, refused
from sandbox.orders import (
    LegTicket,
    OrderClass,
    OrderTicket,
    OrderType,
    PositionIntent,
    Side,
    StopLoss,
    TimeInForce,
)

_TAKES_LIMIT = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_TAKES_STOP = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_PLAIN_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT})
_GROUP_TIMES = frozenset({TimeInForce.DAY, TimeInForce.GTC})
_FEWEST_LEGS, _MOST_LEGS = 2, 4


def read_ticket(body: Mapping[str, object]) -> OrderTicket:
    """The order asked for.

    Raises:
        AlpacaError: 422/40010001 for a missing or malformed field, 422/42210000 for a price no venue takes.
    """
    order_class = fields.optional(body, "order_class", OrderClass) or OrderClass.UNSAID
    ticket = _read_multileg(body) if order_class is OrderClass.MLEG else _read_single(body, order_class)
    check_ticket(ticket)
    return ticket


def check_ticket(ticket: OrderTicket) -> None:
    """Refuse a ticket whose parts contradict each other.

    Raises:
        AlpacaError: 422 with the first contradiction.
    """
    _check_size(ticket)
    _check_prices(ticket)
    _check_intent(ticket)
    if not ticket.order_class.is_simple:
        _check_class(ticket)
    if ticket.extended_hours and (
        ticket.order_type is not OrderType.LIMIT or ticket.time_in_force is not TimeInForce.DAY
    ):
        raise bad_field("extended hours order must be DAY limit orders")


def _read_single(body: Mapping[str, object], order_class: OrderClass) -> OrderTicket:
    profit, loss = _take_profit(body), _stop_loss(body)
    if body.get("legs") and order_class is not OrderClass.MLEG:
        raise bad_field("legs are only accepted for mleg orders")
    if order_class.is_simple and (profit is not None or loss is not None):
        raise bad_field("take_profit and stop_loss require order class bracket, oco or oto")
    order_type = fields.required(body, "type", OrderType)
    limit_price = fields.price(body, "limit_price")
    if order_class is OrderClass.OCO:
        # The take-profit is the order itself; clients give its price in either place.
        profit = limit_price if profit is None else profit
        limit_price = profit
    return OrderTicket(
        symbol=fields.symbol(body),
        side=fields.required(body, "side", Side),
        order_type=order_type,
        time_in_force=fields.required(body, "time_in_force", TimeInForce),
        qty=fields.amount(body, "qty"),
        notional=fields.amount(body, "notional"),
        limit_price=limit_price,
        stop_price=fields.price(body, "stop_price"),
        trail_price=fields.amount(body, "trail_price"),
        trail_percent=fields.amount(body, "trail_percent"),
        extended_hours=fields.flag(body, "extended_hours"),
        client_order_id=fields.client_order_id(body),
        position_intent=fields.optional(body, "position_intent", PositionIntent),
        order_class=order_class,
        take_profit=profit,
        stop_loss=loss,
    )


def _read_multileg(body: Mapping[str, object]) -> OrderTicket:
    for field in ("symbol", "side", "position_intent"):
        if body.get(field):
            raise bad_field(f"{field} is not allowed for mleg orders")
    for field in ("notional", "stop_price", "trail_price", "trail_percent", "take_profit", "stop_loss"):
        if body.get(field) is not None:
            raise bad_field(f"{field} is not allowed for mleg orders")
    return OrderTicket(
        symbol="",
        side=Side.BUY,
        order_type=fields.required(body, "type", OrderType),
        time_in_force=fields.required(body, "time_in_force", TimeInForce),
        qty=fields.amount(body, "qty"),
        notional=None,
        limit_price=fields.net_price(body, "limit_price"),
        stop_price=None,
        trail_price=None,
        trail_percent=None,
        extended_hours=fields.flag(body, "extended_hours"),
        client_order_id=fields.client_order_id(body),
        position_intent=None,
        order_class=OrderClass.MLEG,
        legs=_read_legs(body),
    )


def _read_legs(body: Mapping[str, object]) -> tuple[LegTicket, ...]:
    value = body.get("legs")
    if not isinstance(value, list) or not _FEWEST_LEGS <= len(value) <= _MOST_LEGS:
        raise bad_field(f"mleg orders require {_FEWEST_LEGS} to {_MOST_LEGS} legs")
    legs = tuple(_read_leg(each) for each in value)
    if len({leg.symbol for leg in legs}) != len(legs):
        raise bad_field("mleg orders require legs with unique symbols")
    return legs


def _read_leg(value: object) -> LegTicket:
    if not isinstance(value, dict):
        raise bad_field("legs must be objects")
    intent = fields.optional(value, "position_intent", PositionIntent)
    side = fields.optional(value, "side", Side)
    if side is None and intent is None:
        raise bad_field("side is required for each leg")
    if side is None and intent is not None:
        side = Side(intent.value.partition("_")[0])
    ratio = fields.amount(value, "ratio_qty")
    if ratio is None or ratio % 1:
        raise bad_field("ratio_qty must be a whole number for each leg")
    leg = LegTicket(
        symbol=fields.symbol(value), side=side or Side.BUY, ratio_qty=ratio, position_intent=intent
    )
    if intent is not None and not intent.value.startswith(leg.side.value):
        raise bad_field(f"position_intent {intent.value} does not match side {leg.side.value}")
    return leg


def _take_profit(body: Mapping[str, object]) -> Decimal | None:
    section = fields.find_object(body, "take_profit")
    return None if section is None else fields.price(section, "limit_price")


def _stop_loss(body: Mapping[str, object]) -> StopLoss | None:
    section = fields.find_object(body, "stop_loss")
    stop = None if section is None else fields.price(section, "stop_price")
    if section is None or stop is None:
        return None
    return StopLoss(stop_price=stop, limit_price=fields.price(section, "limit_price"))


def _check_class(ticket: OrderTicket) -> None:
    name = ticket.order_class.value
    if ticket.order_type not in _PLAIN_TYPES:
        raise bad_field(f"{name} orders must be market or limit orders")
    if ticket.qty is None or ticket.qty % 1:
        raise refused("fractional orders must be simple orders")
    if ticket.time_in_force not in _GROUP_TIMES:
        raise bad_field(f"{name} orders require time in force day or gtc")
    if ticket.extended_hours:
        raise bad_field(f"{name} orders are not supported in extended hours")
    _check_exits(ticket)


def _check_exits(ticket: OrderTicket) -> None:
    name, profit, loss = ticket.order_class.value, ticket.take_profit, ticket.stop_loss
    if ticket.order_class is OrderClass.OTO:
        if (profit is None) is (loss is None):
            raise bad_field("oto orders require either take_profit.limit_price or stop_loss.stop_price")
    elif ticket.order_class in (OrderClass.BRACKET, OrderClass.OCO):
        if profit is None:
            raise bad_field(f"{name} orders require take_profit.limit_price")
        if loss is None:
            raise bad_field(f"{name} orders require stop_loss.stop_price")
    if ticket.order_class is OrderClass.OCO and ticket.order_type is not OrderType.LIMIT:
        raise bad_field("oco orders must be limit orders")
    if profit is not None and loss is not None:
        exits_by_selling = (ticket.side is Side.BUY) is not (ticket.order_class is OrderClass.OCO)
        if (profit <= loss.stop_price) if exits_by_selling else (profit >= loss.stop_price):
            raise refused("take_profit.limit_price must be on the winning side of stop_loss.stop_price")


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
