"""POST /stocks/order and /options/order: one order, or the same one on every account."""

from typing import Final

from gateway.legacy.bulk import BulkPlacing
from gateway.legacy.clients import Services
from gateway.legacy.errors import ACCOUNT_NOT_TRADABLE, order_problem, unknown_order_account
from gateway.legacy.known_accounts import is_enabled
from gateway.legacy.order_terms import option_refusal, option_request, stock_refusal, stock_request
from gateway.legacy.order_views import OPTION, PlacingTimes, option_order_view, order_view
from gateway.legacy.placing import UNSETTLED, OrderPlacing
from gateway.legacy.problem import legacy_problem
from gateway.legacy.rights import check_bulk, check_identity, check_reach
from gateway.visit import Visit, current_visit
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from opitios.order.v1 import order_pb2 as orders
from opitios.order.v1.order_service_pb2 import PlaceOrderRequest
from runtime.clock import Clock
from runtime.errors import ServiceError

ACCOUNT_MISSING: Final = "Account ID is required for order placement"
CLIENT_ORDER_ID: Final = "X-Client-Order-Id"
"""Answer header: by this the order is found on /v1 while the exchange's id is not known."""


class OrderRoutes:
    """Places orders. The strategy's name is accepted and decides nothing without the legacy database."""

    def __init__(
        self,
        services: Services,
        *,
        placing: OrderPlacing,
        bulk: BulkPlacing,
        any_account: bool,
        clock: Clock,
    ) -> None:
        self._services = services
        self._placing = placing
        self._bulk = bulk
        self._any_account = any_account
        self._clock = clock

    async def place_stock(self, request: legacy.PlaceStockOrderRequest) -> legacy.PlaceStockOrderResponse:
        """The order or the bulk result; raises HttpProblem."""
        visit = self._admit(request.account_id, is_bulk=request.order.bulk_place)
        refusal = stock_refusal(request.order)
        wanted = stock_request(request.order)
        if request.order.bulk_place:
            return legacy.PlaceStockOrderResponse(bulk=await self._place_bulk(wanted, refusal, None, visit))
        order = await self._place(request.account_id, wanted, refusal, visit)
        return legacy.PlaceStockOrderResponse(order=order_view(order, asset_class=None))

    async def place_option(self, request: legacy.PlaceOptionOrderRequest) -> legacy.PlaceOptionOrderResponse:
        """The order with its timing, or the bulk result; raises HttpProblem."""
        started = self._clock.monotonic()
        visit = self._admit(request.account_id, is_bulk=request.order.bulk_place)
        refusal = option_refusal(request.order)
        wanted = option_request(request.order)
        checked = self._clock.monotonic()
        if request.order.bulk_place:
            return legacy.PlaceOptionOrderResponse(
                bulk=await self._place_bulk(wanted, refusal, OPTION, visit)
            )
        order = await self._place(request.account_id, wanted, refusal, visit)
        times = PlacingTimes(
            validation_ms=(checked - started) * 1000, total_ms=(self._clock.monotonic() - started) * 1000
        )
        return legacy.PlaceOptionOrderResponse(order=option_order_view(order, times))

    def _admit(self, account_id: str, *, is_bulk: bool) -> Visit:
        visit = current_visit()
        caller = visit.known_caller()
        if not account_id:
            raise legacy_problem(400, ACCOUNT_MISSING)
        check_identity(caller)
        if is_bulk:
            check_bulk(caller, any_account=self._any_account)
        else:
            check_reach(caller, account_id, any_account=self._any_account)
        return visit

    async def _place(
        self, account_id: str, wanted: PlaceOrderRequest, refusal: str | None, visit: Visit
    ) -> orders.Order:
        if refusal is not None:
            # An unknown account was always noticed before a bad order.
            await self._refuse_unknown(account_id)
            raise legacy_problem(400, refusal)
        wanted.account_id = account_id
        wanted.client_order_id = visit.idempotency_key
        try:
            order = await self._placing.place(wanted, visit.known_caller().as_metadata)
        except ServiceError as error:
            if error.reason == ACCOUNT_NOT_TRADABLE:
                await self._refuse_unknown(account_id)
            raise order_problem(error, account_id) from error
        visit.headers.append((CLIENT_ORDER_ID, order.client_order_id))
        visit.is_unsettled = order.state in UNSETTLED
        return order

    async def _place_bulk(
        self, wanted: PlaceOrderRequest, refusal: str | None, asset_class: str | None, visit: Visit
    ) -> legacy.BulkResult:
        wanted.client_order_id = visit.idempotency_key
        return await self._bulk.place(
            wanted,
            refusal=refusal,
            asset_class=asset_class,
            caller=visit.known_caller().as_metadata,
        )

    async def _refuse_unknown(self, account_id: str) -> None:
        if not await is_enabled(self._services, account_id):
            raise unknown_order_account(account_id)
