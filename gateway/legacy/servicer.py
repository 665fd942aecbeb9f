"""opitios.legacy.v1.LegacyApi, served inside the gateway's process."""

# ruff: noqa: ARG002 - gRPC fixes the arguments of every method

from gateway.legacy.accounts import AccountRoutes
from gateway.legacy.health import HealthRoutes
from gateway.legacy.order_list import OrderListRoutes
from gateway.legacy.orders import OrderRoutes
from gateway.legacy.sell import SellRoutes
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from opitios.legacy.v1.legacy_api_pb2_grpc import LegacyApiServicer


class LegacyApi(LegacyApiServicer):
    """Each method is one route; refusals are HttpProblems, complete answers in the legacy form."""

    def __init__(
        self,
        *,
        accounts: AccountRoutes,
        orders: OrderRoutes,
        order_list: OrderListRoutes,
        sell: SellRoutes,
        health: HealthRoutes,
    ) -> None:
        self._accounts = accounts
        self._orders = orders
        self._order_list = order_list
        self._sell = sell
        self._health = health

    async def PlaceStockOrder(
        self, request: legacy.PlaceStockOrderRequest, context: object
    ) -> legacy.PlaceStockOrderResponse:
        """POST /api/v1/stocks/order."""
        return await self._orders.place_stock(request)

    async def PlaceOptionOrder(
        self, request: legacy.PlaceOptionOrderRequest, context: object
    ) -> legacy.PlaceOptionOrderResponse:
        """POST /api/v1/options/order."""
        return await self._orders.place_option(request)

    async def GetAccount(
        self, request: legacy.GetAccountRequest, context: object
    ) -> legacy.GetAccountResponse:
        """GET /api/v1/account."""
        return await self._accounts.get_account(request)

    async def ListPositions(
        self, request: legacy.ListPositionsRequest, context: object
    ) -> legacy.ListPositionsResponse:
        """GET /api/v1/positions."""
        return await self._accounts.list_positions(request)

    async def ListOrders(
        self, request: legacy.ListOrdersRequest, context: object
    ) -> legacy.ListOrdersResponse:
        """GET /api/v1/orders."""
        return await self._order_list.list_orders(request)

    async def CancelOrder(
        self, request: legacy.CancelOrderRequest, context: object
    ) -> legacy.CancelOrderResponse:
        """DELETE /api/v1/orders/{order_id}."""
        return await self._order_list.cancel(request)

    async def GetSellStatus(
        self, request: legacy.GetSellStatusRequest, context: object
    ) -> legacy.GetSellStatusResponse:
        """GET /api/v1/sell."""
        return await self._sell.get_status()

    async def ControlSell(
        self, request: legacy.ControlSellRequest, context: object
    ) -> legacy.ControlSellResponse:
        """POST /api/v1/sell/control."""
        return await self._sell.control(request)

    async def GetHealth(self, request: legacy.GetHealthRequest, context: object) -> legacy.GetHealthResponse:
        """GET /health."""
        return await self._health.get_health()

    async def GetApiHealth(
        self, request: legacy.GetApiHealthRequest, context: object
    ) -> legacy.GetApiHealthResponse:
        """GET /api/v1/health."""
        return await self._health.get_api_health()
