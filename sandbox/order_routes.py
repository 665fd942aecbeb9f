"""Orders: place, read, list and cancel."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from uuid import UUID

from sandbox.calls import Call, Reply
from sandbox.errors import AlpacaError, bad_field, not_found
from sandbox.instruments import AssetClass, OptionContract
from sandbox.order_ticket import read_ticket
from sandbox.orders import Order
from sandbox.trading_json import order_json

_DEFAULT_PAGE, _LARGEST_PAGE = 50, 500


def place_order(call: Call) -> Reply:
    """POST /v2/orders: the order as accepted; what becomes of it shows on the next read."""
    ticket = read_ticket(call.json_object())
    return Reply(body=order_json(call.exchange.submit(call.account, ticket, call.now)))


def get_order(call: Call) -> Reply:
    """GET /v2/orders/{order_id}."""
    return Reply(body=order_json(_order_of(call)))


def get_order_by_client_order_id(call: Call) -> Reply:
    """GET /v2/orders:by_client_order_id."""
    client_order_id = call.query.get("client_order_id")
    if not client_order_id:
        raise bad_field("client_order_id is required")
    order = call.account.by_client_order_id.get(client_order_id)
    if order is None:
        raise not_found(f"order not found for {client_order_id}")
    return Reply(body=order_json(order))


def cancel_order(call: Call) -> Reply:
    """DELETE /v2/orders/{order_id}: 204 means that the request is taken, not that the order is gone."""
    call.exchange.cancel(_order_of(call), call.now)
    return Reply(status=204)


def cancel_orders(call: Call) -> Reply:
    """DELETE /v2/orders: one entry for each open order, with the status its own cancel would have had."""
    return Reply(
        status=207, body=[_cancel_entry(call, order) for order in [*call.account.open_orders.values()]]
    )


def list_orders(call: Call) -> Reply:
    """GET /v2/orders, filtered; newest first unless asked otherwise."""
    return Reply(body=[order_json(order) for order in _selected(call)])


def _order_of(call: Call) -> Order:
    order_id = call.parts["order_id"]
    try:
        canonical = str(UUID(order_id))
    except ValueError:
        raise bad_field(f"order_id {order_id!r} is not a UUID") from None
    return call.exchange.find_order(call.account, canonical)


def _cancel_entry(call: Call, order: Order) -> dict[str, object]:
    try:
        call.exchange.cancel(order, call.now)
    except AlpacaError as error:
        return {"id": order.order_id, "status": error.status, "body": error.body()}
    return {"id": order.order_id, "status": 200}


def _selected(call: Call) -> Iterator[Order]:
    status = call.word("status", ("open", "closed", "all"), "open")
    direction = call.word("direction", ("asc", "desc"), "desc")
    limit = call.whole("limit", _DEFAULT_PAGE, most=_LARGEST_PAGE)
    orders = _in_period(
        call, [*call.account.open_orders.values()] if status == "open" else call.account.orders
    )
    ordered: Iterable[Order] = orders if direction == "asc" else reversed(orders)
    if status == "closed":
        ordered = (order for order in ordered if order.status.is_final)
    return islice(_filtered(call, ordered), limit)


def _in_period(call: Call, orders: Sequence[Order]) -> Sequence[Order]:
    """Both bounds are exclusive. The orders are sorted by submitted_at, which no two share."""
    after, until = call.moment("after"), call.moment("until")
    first = 0 if after is None else bisect_right(orders, after, key=lambda order: order.submitted_at)
    last = len(orders) if until is None else bisect_left(orders, until, key=lambda order: order.submitted_at)
    return orders if first == 0 and last == len(orders) else orders[first:last]


def _filtered(call: Call, orders: Iterable[Order]) -> Iterator[Order]:
    side = call.word("side", ("buy", "sell"), "") if call.query.get("side") else None
    symbols = frozenset(call.listed("symbols"))
    classes = frozenset(call.listed("asset_class"))
    for order in orders:
        if side is not None and order.side.value != side:
            continue
        if classes and order.instrument.asset_class.value not in classes:
            continue
        if symbols and not _named(order, symbols, underlyings=AssetClass.US_OPTION.value in classes):
            continue
        yield order


def _named(order: Order, symbols: frozenset[str], *, underlyings: bool) -> bool:
    if order.symbol in symbols:
        return True
    contract = order.instrument
    return underlyings and isinstance(contract, OptionContract) and contract.underlying_symbol in symbols
