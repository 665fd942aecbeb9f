"""An order as we ask for it, and its form on Alpaca's wire with every decimal exact."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from alpaca.trading.requests import (
    LimitOrderRequest,
    MarketOrderRequest,
    StopLimitOrderRequest,
    StopOrderRequest,
)
from alpaca.trading.requests import OrderRequest as AlpacaOrderRequest
from pydantic import PrivateAttr

from broker.order_ids import client_order_id_problem
from broker.reports import AssetClass, OrderSide, OrderType, PositionIntent, TimeInForce
from broker.symbols import UnknownSymbol, asset_class_of, check_symbol
from runtime.errors import FieldViolation, MalformedRequest

__all__ = ["OrderRequest", "to_alpaca"]

_MAX_AMOUNT = Decimal(10) ** 12
_SMALLEST = Decimal("1E-9")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """One order for one symbol; it cannot be built in a form that Alpaca would not understand.

    Raises MalformedRequest naming every field that is wrong. Whether the broker takes the order, for
    example its time in force, is the broker's to say.
    """

    symbol: str
    side: OrderSide
    order_type: OrderType
    time_in_force: TimeInForce
    client_order_id: str
    """1 to 128 printable ASCII characters, unique per account for ever: what makes a repeat safe."""
    qty: Decimal | None = None
    """Shares, or whole contracts; exactly one of `qty` and `notional`."""
    notional: Decimal | None = None
    """USD; stocks only."""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    extended_hours: bool = False
    position_intent: PositionIntent | None = None
    """Say it when closing: without it the broker can read a sell as opening a short."""

    def __post_init__(self) -> None:
        violations = tuple(_violations(self))
        if violations:
            raise MalformedRequest(violations)

    @property
    def asset_class(self) -> AssetClass:
        """What the symbol names, by its form."""
        return asset_class_of(self.symbol)


def to_alpaca(order: OrderRequest) -> AlpacaOrderRequest:
    """alpaca-py's request for the order, with amounts as exact JSON strings."""
    amounts = {
        name: amount
        for name in ("qty", "notional", "limit_price", "stop_price")
        if (amount := getattr(order, name)) is not None
    }
    request = _FORMS[order.order_type](
        symbol=order.symbol,
        side=order.side,
        time_in_force=order.time_in_force,
        client_order_id=order.client_order_id,
        extended_hours=order.extended_hours or None,
        position_intent=order.position_intent,
        **amounts,
    )
    request.keep_exact(amounts)
    return request


class _Exact(AlpacaOrderRequest):
    """alpaca-py turns amounts into floats; this puts the decimals back in what it sends."""

    _amounts: dict[str, str] = PrivateAttr(default_factory=dict)

    def keep_exact(self, amounts: Mapping[str, Decimal]) -> None:
        self._amounts = {name: format(amount.normalize(), "f") for name, amount in amounts.items()}

    def to_request_fields(self) -> dict[str, object]:
        return {**super().to_request_fields(), **self._amounts}


class _ExactMarket(_Exact, MarketOrderRequest):
    pass


class _ExactLimit(_Exact, LimitOrderRequest):
    pass


class _ExactStop(_Exact, StopOrderRequest):
    pass


class _ExactStopLimit(_Exact, StopLimitOrderRequest):
    pass


_FORMS: Mapping[OrderType, Callable[..., _Exact]] = MappingProxyType(
    {
        OrderType.MARKET: _ExactMarket,
        OrderType.LIMIT: _ExactLimit,
        OrderType.STOP: _ExactStop,
        OrderType.STOP_LIMIT: _ExactStopLimit,
    }
)
_LIMITED = (OrderType.LIMIT, OrderType.STOP_LIMIT)
_STOPPED = (OrderType.STOP, OrderType.STOP_LIMIT)


def _violations(order: OrderRequest) -> Iterator[FieldViolation]:
    yield from _symbol_violations(order)
    if problem := client_order_id_problem(order.client_order_id):
        yield _violation("client_order_id", problem)
    if order.order_type not in _FORMS:
        wanted = ", ".join(one.value for one in _FORMS)
        yield _violation("order_type", f"is {order.order_type.value}, not one of {wanted}")
    yield from _quantity_violations(order)
    yield from _price_violations("limit_price", order.limit_price, order, _LIMITED)
    yield from _price_violations("stop_price", order.stop_price, order, _STOPPED)


def _symbol_violations(order: OrderRequest) -> Iterator[FieldViolation]:
    try:
        check_symbol(order.symbol)
    except UnknownSymbol as e:
        yield _violation("symbol", e.message)


def _quantity_violations(order: OrderRequest) -> Iterator[FieldViolation]:
    if order.qty is not None and order.notional is None:
        yield from _qty_violations(order.qty, order.asset_class)
    elif order.notional is not None and order.qty is None:
        yield from _notional_violations(order.notional, order.asset_class)
    else:
        yield _violation("qty", "exactly one of qty and notional must be given")


def _qty_violations(qty: Decimal, asset_class: AssetClass) -> Iterator[FieldViolation]:
    if problem := _amount_problem(qty):
        yield _violation("qty", problem)
    elif asset_class is AssetClass.US_OPTION and qty != qty.to_integral_value():
        yield _violation("qty", f"is {qty}; options trade in whole contracts")


def _notional_violations(notional: Decimal, asset_class: AssetClass) -> Iterator[FieldViolation]:
    if problem := _amount_problem(notional):
        yield _violation("notional", problem)
    elif asset_class is AssetClass.US_OPTION:
        yield _violation("notional", "an option order is by contracts; give qty")


def _price_violations(
    name: str, price: Decimal | None, order: OrderRequest, wanting: tuple[OrderType, ...]
) -> Iterator[FieldViolation]:
    wanted = order.order_type in wanting
    if price is None:
        if wanted:
            yield _violation(name, f"is missing; a {order.order_type.value} order needs it")
    elif not wanted:
        yield _violation(name, f"is given, but a {order.order_type.value} order has none")
    elif problem := _amount_problem(price):
        yield _violation(name, problem)


def _amount_problem(amount: Decimal) -> str | None:
    if not amount.is_finite():
        return f"is {amount}, not a finite number"
    if not 0 < amount < _MAX_AMOUNT:
        return "is not above 0 and below 10^12"
    if amount != amount.quantize(_SMALLEST):
        return "has more than 9 decimals"
    return None


def _violation(field: str, description: str) -> FieldViolation:
    return FieldViolation(field=field, description=description)
