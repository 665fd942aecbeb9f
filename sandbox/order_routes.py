"""Orders: place, read, list and cancel."""

from uuid import UUID

from sandbox.calls import Call, Reply
from sandbox.errors import AlpacaError, bad_field, not_found
from sandbox.order_selection import selected
from sandbox.order_ticket import read_ticket
from sandbox.orders import Order
from sandbox.replacement import read_change
from sandbox.trading_json import order_json


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
    order = call.exchange.find_by_client_order_id(call.account, client_order_id)
    if order is None:
        raise not_found(f"order not found for {client_order_id}")
    return Reply(body=order_json(order))


def replace_order(call: Call) -> Reply:
    """PATCH /v2/orders/{order_id}: the new order; it is rejected if the old one fills before it is in force."""
    order = _order_of(call)
    change = read_change(call.json_object(), order)
    return Reply(body=order_json(call.exchange.replace_order(call.account, order, change, call.now)))


def cancel_order(call: Call) -> Reply:
    """DELETE /v2/orders/{order_id}: 204 means that the request is taken, not that the order is gone."""
    call.exchange.cancel(_order_of(call), call.now)
    return Reply(status=204)


def cancel_orders(call: Call) -> Reply:
    """DELETE /v2/orders: one entry for each open order, with the status its own cancel would have had."""
    return Reply(status=207, body=cancel_all(call))


def cancel_all(call: Call) -> list[dict[str, object]]:
    """Ask to cancel every open order of the account, and say how each request was taken."""
    orders = [order for order in call.account.open_orders.values() if order.strategy is None]
    return [_cancel_entry(call, order) for order in orders]


def list_orders(call: Call) -> Reply:
    """GET /v2/orders, filtered; newest first unless asked otherwise."""
    nested = call.query.get("nested", "").lower() == "true"
    return Reply(body=[order_json(order, nested=nested) for order in selected(call, nested=nested)])


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
