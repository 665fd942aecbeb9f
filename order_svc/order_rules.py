"""What must hold between the fields of an order before anything is done with it; pure.

Only rules that the broker is sure to enforce (its documentation, alpaca-py and seen answers agree);
the others are the broker's to decide. Every violation names its field.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from broker.reports import AssetClass, OrderSide, OrderType, PositionIntent, TimeInForce
from order_svc import fields
from order_svc.content import OrderContent
from order_svc.fields import Violations

MAX_SHARES: Final = Decimal(10**9)
MAX_CONTRACTS: Final = Decimal(10**6)
MAX_NOTIONAL: Final = Decimal(10**10)
MAX_PRICE: Final = Decimal(10**7)
"""USD; the dearest share costs below a million."""

_LIMITED: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_STOPPED: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_BUYING: Final = frozenset({PositionIntent.BUY_TO_OPEN, PositionIntent.BUY_TO_CLOSE})


@dataclass(frozen=True, slots=True, kw_only=True)
class RawOrder:
    """An order as it came: enums known, numbers and symbol still text."""

    symbol: str
    side: OrderSide | None
    order_type: OrderType
    time_in_force: TimeInForce
    qty: str
    notional: str
    limit_price: str
    stop_price: str
    position_intent: PositionIntent | None
    extended_hours: bool
    auto_sell_enabled: bool


def check_order(raw: RawOrder, violations: Violations) -> OrderContent | None:
    """The order's content; `None` when `violations` has learnt what is wrong."""
    already = len(violations.found)
    named = fields.symbol(raw.symbol, violations)
    if raw.side is None and not violations.has("side"):
        violations.add("side", "is missing: must be SIDE_BUY or SIDE_SELL")
    is_option = named is not None and named[1] is AssetClass.US_OPTION
    qty = fields.amount(raw.qty, "qty", violations, maximum=MAX_CONTRACTS if is_option else MAX_SHARES)
    notional = fields.amount(raw.notional, "notional", violations, maximum=MAX_NOTIONAL)
    limit_price = _price(raw.limit_price, "limit_price", raw.order_type, _LIMITED, violations)
    stop_price = _price(raw.stop_price, "stop_price", raw.order_type, _STOPPED, violations)
    _check_quantity(raw, qty, violations, is_option=is_option)
    _check_extended_hours(raw, violations, is_option=is_option)
    _check_intent(raw, violations)
    if named is None or raw.side is None or len(violations.found) > already:
        return None
    return OrderContent(
        symbol=named[0],
        asset_class=named[1],
        side=raw.side,
        order_type=raw.order_type,
        time_in_force=raw.time_in_force,
        qty=qty,
        notional=notional,
        limit_price=limit_price,
        stop_price=stop_price,
        position_intent=raw.position_intent,
        extended_hours=raw.extended_hours,
        auto_sell_enabled=raw.auto_sell_enabled,
    )


def _price(
    text: str, path: str, order_type: OrderType, wanted: frozenset[OrderType], violations: Violations
) -> Decimal | None:
    if order_type not in wanted:
        if text:
            # Ignoring it would send a market order to someone who named a price.
            violations.add(path, f"is given, but a {order_type.value} order has none: remove it")
        return None
    if not text:
        violations.add(path, f"is missing: a {order_type.value} order needs it")
        return None
    price = fields.amount(text, path, violations, maximum=MAX_PRICE)
    if price is not None and price != price.quantize(_tick(price)):
        violations.add(
            path, f"is {text}: at most {-int(_tick(price).as_tuple().exponent)} decimals at this price"
        )
    return price


def _tick(price: Decimal) -> Decimal:
    """The finest step of a price: the sub-penny rule (Alpaca answers 42210000)."""
    return Decimal("0.01") if price >= 1 else Decimal("0.0001")


def _check_quantity(raw: RawOrder, qty: Decimal | None, violations: Violations, *, is_option: bool) -> None:
    if raw.qty and raw.notional:
        violations.add("notional", "is given together with qty: give exactly one of them")
    elif not raw.qty and not raw.notional:
        violations.add("qty", "is missing: give exactly one of qty and notional")
    elif is_option and raw.notional:
        violations.add("notional", "is given for an option: options trade by whole contracts, give qty")
    fractional = qty is not None and qty != qty.to_integral_value()
    if is_option and fractional:
        violations.add("qty", f"is {raw.qty}: options trade in whole contracts")
    elif (fractional or raw.notional) and raw.time_in_force is not TimeInForce.DAY:
        violations.add(
            "time_in_force", f"is {raw.time_in_force.value}: fractions of a share trade for the day only"
        )


def _check_extended_hours(raw: RawOrder, violations: Violations, *, is_option: bool) -> None:
    if not raw.extended_hours:
        return
    if is_option:
        violations.add("extended_hours", "is set for an option: options trade in the regular session only")
    elif raw.order_type is not OrderType.LIMIT or raw.time_in_force is not TimeInForce.DAY:
        violations.add(
            "extended_hours",
            f"is set for a {raw.order_type.value} order, {raw.time_in_force.value}: only limit orders for the day may",
        )


def _check_intent(raw: RawOrder, violations: Violations) -> None:
    if raw.position_intent is None or raw.side is None:
        return
    if (raw.position_intent in _BUYING) is not (raw.side is OrderSide.BUY):
        violations.add("position_intent", f"is {raw.position_intent.value}, but the side is {raw.side.value}")
