"""Sends one order to order_svc and tells how it stands, also when the answer got lost on the way."""

from typing import Final

from gateway.legacy.clients import READ_SECONDS, Services, answer_of, was_never_sent
from gateway.legacy.errors import is_own_word
from gateway.order_key import make_order_key
from opitios.order.v1 import order_pb2 as orders
from opitios.order.v1.order_service_pb2 import GetOrderRequest, PlaceOrderRequest
from runtime.errors import FailedPrecondition, ServiceError, Unavailable

ANSWER_MARGIN_SECONDS: Final = 1.0
"""What order_svc gets beyond its own time for the order, so that it and not the deadline decides."""
UNSETTLED: Final = frozenset(
    {
        orders.ORDER_STATE_NEW,
        orders.ORDER_STATE_HELD,
        orders.ORDER_STATE_SENDING,
        orders.ORDER_STATE_UNKNOWN,
    }
)
"""States in which nobody knows yet whether the broker has the order: HTTP 202."""
_REFUSED: Final = frozenset({orders.ORDER_STATE_DENIED, orders.ORDER_STATE_REJECTED})


class OrderPlacing:
    """Places orders under a key of their own, so that none is ever placed twice."""

    def __init__(self, services: Services, *, order_seconds: float) -> None:
        self._orders = services.orders
        self._seconds = order_seconds + ANSWER_MARGIN_SECONDS

    async def place(self, request: PlaceOrderRequest, caller: str) -> orders.Order:
        """The order as far as its outcome is known; raises the ServiceError of a refusal.

        A lost answer is looked up once by the order's key. What is still not known after
        that is an order in state UNKNOWN, never an error: an error would invite a second order.
        """
        if not request.client_order_id:
            request.client_order_id = make_order_key()
        metadata = (("x-opitios-caller", caller),)
        try:
            placed = await answer_of(
                self._orders.PlaceOrder(request, timeout=self._seconds, metadata=metadata)
            )
        except ServiceError as error:
            if is_own_word(error) or was_never_sent(error):
                raise
            return await self._look_up(request)
        return placed.order

    async def _look_up(self, request: PlaceOrderRequest) -> orders.Order:
        named = GetOrderRequest(account_id=request.account_id, client_order_id=request.client_order_id)
        try:
            found = await answer_of(self._orders.GetOrder(named, timeout=READ_SECONDS))
        except ServiceError:
            # Not even "not found" is proof: the order may still be on its way into the journal.
            return _unknown(request)
        _raise_refusal(found.order)
        return found.order


def _unknown(request: PlaceOrderRequest) -> orders.Order:
    return orders.Order(
        account_id=request.account_id,
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=request.side,
        order_type=request.order_type,
        time_in_force=request.time_in_force,
        qty=request.qty,
        limit_price=request.limit_price,
        stop_price=request.stop_price,
        state=orders.ORDER_STATE_UNKNOWN,
    )


def _raise_refusal(order: orders.Order) -> None:
    """Raises what PlaceOrder would have raised, for an order that was found refused."""
    if order.state == orders.ORDER_STATE_NOT_PLACED:
        raise Unavailable(order.reason_text or "the order never reached the broker; it may be placed again")
    if order.state in _REFUSED and not order.order_id:
        error = FailedPrecondition(
            order.reason_text or order.reason, metadata={"broker_answer": order.broker_answer}
        )
        vars(error)["reason"] = order.reason or error.reason
        raise error
