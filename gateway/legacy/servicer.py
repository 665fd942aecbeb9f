"""opitios.legacy.v1.LegacyApi, served inside the gateway's process."""

# ruff: noqa: ARG002 - gRPC fixes the arguments of every method

from dataclasses import dataclass

from gateway.legacy.account_health import AccountHealthRoutes
from gateway.legacy.accounts import AccountRoutes
from gateway.legacy.admin import AdminRoutes
from gateway.legacy.dashboard import DashboardRoutes
from gateway.legacy.health import HealthRoutes
from gateway.legacy.option_data import OptionDataRoutes
from gateway.legacy.order_list import OrderListRoutes
from gateway.legacy.orders import OrderRoutes
from gateway.legacy.sell import SellRoutes
from gateway.legacy.stock_data import StockDataRoutes
from gateway.legacy.stream_status import stream_status
from gateway.legacy.tokens import TokenRoutes
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from opitios.legacy.v1.legacy_api_pb2_grpc import LegacyApiServicer


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyRoutes:
    """What is behind the routes, by group."""

    accounts: AccountRoutes
    orders: OrderRoutes
    order_list: OrderListRoutes
    sell: SellRoutes
    health: HealthRoutes
    account_health: AccountHealthRoutes
    stock_data: StockDataRoutes
    option_data: OptionDataRoutes
    tokens: TokenRoutes
    admin: AdminRoutes
    dashboard: DashboardRoutes


class LegacyApi(LegacyApiServicer):
    """Each method is one route; refusals are HttpProblems, complete answers in the legacy form."""

    def __init__(self, routes: LegacyRoutes) -> None:
        self._routes = routes

    async def PlaceStockOrder(
        self, request: legacy.PlaceStockOrderRequest, context: object
    ) -> legacy.PlaceStockOrderResponse:
        """POST /api/v1/stocks/order."""
        return await self._routes.orders.place_stock(request)

    async def PlaceOptionOrder(
        self, request: legacy.PlaceOptionOrderRequest, context: object
    ) -> legacy.PlaceOptionOrderResponse:
        """POST /api/v1/options/order."""
        return await self._routes.orders.place_option(request)

    async def GetAccount(
        self, request: legacy.GetAccountRequest, context: object
    ) -> legacy.GetAccountResponse:
        """GET /api/v1/account."""
        return await self._routes.accounts.get_account(request)

    async def ListPositions(
        self, request: legacy.ListPositionsRequest, context: object
    ) -> legacy.ListPositionsResponse:
        """GET /api/v1/positions."""
        return await self._routes.accounts.list_positions(request)

    async def ListOrders(
        self, request: legacy.ListOrdersRequest, context: object
    ) -> legacy.ListOrdersResponse:
        """GET /api/v1/orders."""
        return await self._routes.order_list.list_orders(request)

    async def CancelOrder(
        self, request: legacy.CancelOrderRequest, context: object
    ) -> legacy.CancelOrderResponse:
        """DELETE /api/v1/orders/{order_id}."""
        return await self._routes.order_list.cancel(request)

    async def GetSellStatus(
        self, request: legacy.GetSellStatusRequest, context: object
    ) -> legacy.GetSellStatusResponse:
        """GET /api/v1/sell."""
        return await self._routes.sell.get_status()

    async def ControlSell(
        self, request: legacy.ControlSellRequest, context: object
    ) -> legacy.ControlSellResponse:
        """POST /api/v1/sell/control."""
        return await self._routes.sell.control(request)

    async def GetHealth(self, request: legacy.GetHealthRequest, context: object) -> legacy.GetHealthResponse:
        """GET /health."""
        return await self._routes.health.get_health()

    async def GetApiHealth(
        self, request: legacy.GetApiHealthRequest, context: object
    ) -> legacy.GetApiHealthResponse:
        """GET /api/v1/health."""
        return await self._routes.health.get_api_health()

    async def GetStockQuote(
        self, request: legacy.GetStockQuoteRequest, context: object
    ) -> legacy.GetStockQuoteResponse:
        """GET /api/v1/stocks/{symbol}/quote."""
        return await self._routes.stock_data.get_quote(request)

    async def GetStockQuotes(
        self, request: legacy.GetStockQuotesRequest, context: object
    ) -> legacy.GetStockQuotesResponse:
        """POST /api/v1/stocks/quotes."""
        return await self._routes.stock_data.get_quotes(request)

    async def GetStockBars(
        self, request: legacy.GetStockBarsRequest, context: object
    ) -> legacy.GetStockBarsResponse:
        """GET /api/v1/stocks/{symbol}/bars."""
        return await self._routes.stock_data.get_bars(request)

    async def QueryOptionChain(
        self, request: legacy.QueryOptionChainRequest, context: object
    ) -> legacy.QueryOptionChainResponse:
        """POST /api/v1/options/chain."""
        return await self._routes.option_data.query_chain(request)

    async def GetOptionChain(
        self, request: legacy.GetOptionChainRequest, context: object
    ) -> legacy.GetOptionChainResponse:
        """GET /api/v1/options/{underlying_symbol}/chain."""
        return await self._routes.option_data.get_chain(request)

    async def GetOptionQuote(
        self, request: legacy.GetOptionQuoteRequest, context: object
    ) -> legacy.GetOptionQuoteResponse:
        """POST /api/v1/options/quote."""
        return await self._routes.option_data.get_quote(request)

    async def GetOptionQuotes(
        self, request: legacy.GetOptionQuotesRequest, context: object
    ) -> legacy.GetOptionQuotesResponse:
        """POST /api/v1/options/quotes/batch."""
        return await self._routes.option_data.get_quotes(request)

    async def CheckHealth(
        self, request: legacy.CheckHealthRequest, context: object
    ) -> legacy.CheckHealthResponse:
        """GET /api/v1/health/comprehensive."""
        return await self._routes.account_health.check_all()

    async def CheckAccountHealth(
        self, request: legacy.CheckAccountHealthRequest, context: object
    ) -> legacy.CheckAccountHealthResponse:
        """GET /api/v1/health/account/{account_id}."""
        return await self._routes.account_health.check_one(request)

    async def GetTradingPermissions(
        self, request: legacy.GetTradingPermissionsRequest, context: object
    ) -> legacy.GetTradingPermissionsResponse:
        """GET /api/v1/health/trading-permissions."""
        return await self._routes.account_health.trading_permissions()

    async def GetWebSocketStatus(
        self, request: legacy.GetWebSocketStatusRequest, context: object
    ) -> legacy.GetWebSocketStatusResponse:
        """GET /api/v1/health/websocket-status."""
        return stream_status()

    async def GetLastCheck(
        self, request: legacy.GetLastCheckRequest, context: object
    ) -> legacy.GetLastCheckResponse:
        """GET /api/v1/health/last-check."""
        return self._routes.account_health.last_check()

    async def StartBackgroundCheck(
        self, request: legacy.StartBackgroundCheckRequest, context: object
    ) -> legacy.StartBackgroundCheckResponse:
        """POST /api/v1/health/background-check."""
        return self._routes.account_health.start_check()

    async def TestConnection(
        self, request: legacy.TestConnectionRequest, context: object
    ) -> legacy.TestConnectionResponse:
        """GET /api/v1/test-connection."""
        return await self._routes.account_health.test_connection()

    async def VerifyToken(
        self, request: legacy.VerifyTokenRequest, context: object
    ) -> legacy.VerifyTokenResponse:
        """POST /api/v1/auth/verify-token."""
        return self._routes.tokens.verify()

    async def GetAdminToken(
        self, request: legacy.GetAdminTokenRequest, context: object
    ) -> legacy.GetAdminTokenResponse:
        """GET /api/v1/auth/admin-token."""
        return self._routes.tokens.issue_admin()

    async def GetAccountPoolStats(
        self, request: legacy.GetAccountPoolStatsRequest, context: object
    ) -> legacy.GetAccountPoolStatsResponse:
        """GET /api/v1/admin/account-pool/stats."""
        return await self._routes.admin.pool_stats()

    async def GetSystemHealth(
        self, request: legacy.GetSystemHealthRequest, context: object
    ) -> legacy.GetSystemHealthResponse:
        """GET /api/v1/admin/system/health."""
        return await self._routes.admin.system_health()

    async def GetDashboard(
        self, request: legacy.GetDashboardRequest, context: object
    ) -> legacy.GetDashboardResponse:
        """GET /api/v1/dashboard/{account_name}."""
        return await self._routes.dashboard.get(request)
