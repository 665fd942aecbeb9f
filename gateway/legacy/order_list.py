"""GET /orders and DELETE /orders/{order_id}."""

import uuid
from typing import Final

from gateway.legacy.bodies import DEFAULT_LIMIT
from gateway.legacy.clients import CANCEL_SECONDS, READ_SECONDS, Services, answer_of
from gateway.legacy.errors import already_final, cancel_problem, read_problem
from gateway.legacy.order_filter import INVALID_STATUS, parse_filter
from gateway.legacy.order_views import order_view
from gateway.legacy.order_words import status_word
from gateway.legacy.problem import legacy_problem
from gateway.legacy.rights import check_reach
from gateway.visit import current_visit
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from opitios.order.v1 import order_service_pb2 as service
from runtime.errors import ServiceError

LIST_ACCOUNT_MISSING: Final = "Account ID is required for order retrieval"
CANCEL_ACCOUNT_MISSING: Final = "Account ID is required for order cancellation"
BAD_UUID: Final = "badly formed hexadecimal UUID string"


class OrderListRoutes:
    """Lists and cancels orders."""

    def __init__(self, services: Services, *, any_account: bool) -> None:
        self._orders = services.orders
        self._any_account = any_account

    async def list_orders(self, request: legacy.ListOrdersRequest) -> legacy.ListOrdersResponse:
        """The orders, newest first, at most `limit` of them before the status filter; raises HttpProblem."""
        self._admit(request.account_id, LIST_ACCOUNT_MISSING)
        chosen = parse_filter(request.status if request.HasField("status") else None)
        if chosen is None:
            raise legacy_problem(400, f"status: {INVALID_STATUS}, got '{request.status}'")
        limit = request.limit if request.HasField("limit") else DEFAULT_LIMIT
        if limit <= 0:
            raise legacy_problem(400, f"limit: must be above 0, got {limit}")
        asked = service.ListOrdersRequest(account_id=request.account_id, scope=chosen.scope, limit=limit)
        try:
            found = await answer_of(self._orders.ListOrders(asked, timeout=READ_SECONDS))
        except ServiceError as error:
            raise read_problem(error, request.account_id) from error
        # Open orders come complete, whatever the limit says.
        kept = chosen.keep(found.orders[:limit])
        return legacy.ListOrdersResponse(
            orders=[order_view(order, asset_class=order.asset_class or None) for order in kept]
        )

    async def cancel(self, request: legacy.CancelOrderRequest) -> legacy.CancelOrderResponse:
        """Says that the exchange took the request, not that the order has ended; raises HttpProblem.

        Safe to repeat.
        """
        self._admit(request.account_id, CANCEL_ACCOUNT_MISSING)
        if not _is_uuid(request.order_id):
            raise legacy_problem(400, BAD_UUID)
        asked = service.CancelOrderRequest(account_id=request.account_id, order_id=request.order_id)
        metadata = (("x-opitios-caller", current_visit().known_caller().as_metadata),)
        try:
            answer = await answer_of(
                self._orders.CancelOrder(asked, timeout=CANCEL_SECONDS, metadata=metadata)
            )
        except ServiceError as error:
            raise cancel_problem(error, request.account_id, request.order_id) from error
        if answer.outcome == service.CANCEL_OUTCOME_ALREADY_FINAL:
            raise already_final(status_word(answer.order))
        if answer.outcome == service.CANCEL_OUTCOME_UNKNOWN:
            raise legacy_problem(
                503, "The answer to the cancellation was lost; it is safe to ask for it again"
            )
        return legacy.CancelOrderResponse(status="cancelled", order_id=request.order_id)

    def _admit(self, account_id: str, missing: str) -> None:
        if not account_id:
            raise legacy_problem(400, missing)
        check_reach(current_visit().known_caller(), account_id, any_account=self._any_account)


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
