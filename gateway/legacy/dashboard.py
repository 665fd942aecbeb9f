"""GET /dashboard/{account_name}: an account's figures, holdings, trades and profit."""

import asyncio
from collections.abc import Sequence
from typing import Final

from loguru import logger

from gateway.legacy.accounts import ACCOUNT_MISSING
from gateway.legacy.bodies import DEFAULT_DAYS
from gateway.legacy.clients import READ_SECONDS, Services, answer_of
from gateway.legacy.dashboard_views import account_view, fills_of, history_view, holding_view, report_view
from gateway.legacy.errors import read_problem
from gateway.legacy.order_views import order_view
from gateway.legacy.problem import legacy_problem
from gateway.legacy.rights import check_dashboard, check_reach
from gateway.legacy.trade_history import History, new_york_day, trade_history
from gateway.visit import current_visit
from opitios.account.v1 import account_service_pb2 as accounts
from opitios.account.v1.account_pb2 import AccountSnapshot, Position
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from opitios.order.v1 import order_service_pb2 as order_service
from opitios.order.v1.order_pb2 import Order
from runtime.clock import Clock
from runtime.errors import ServiceError

MAX_ORDERS: Final = 500
"""The exchange's largest page: an older trade is beyond what a dashboard tells."""
MIN_RECENT: Final = 50
RECENT_PER_DAY: Final = 10


class DashboardRoutes:
    """Gathers a dashboard; what only adorns it does not fail it."""

    def __init__(self, services: Services, *, any_account: bool, clock: Clock) -> None:
        self._services = services
        self._any_account = any_account
        self._clock = clock

    async def get(self, request: legacy.GetDashboardRequest) -> legacy.GetDashboardResponse:
        """The dashboard; raises HttpProblem where account or positions cannot be read."""
        account_id = request.account_id
        self._admit(account_id)
        days = request.days if request.HasField("days") else DEFAULT_DAYS
        try:
            snapshot, positions, history, recent = await asyncio.gather(
                self._snapshot(account_id),
                self._positions(account_id),
                self._history(account_id, days),
                self._recent(account_id, days) if request.include_recent_orders else _none(),
            )
        except ServiceError as error:
            raise read_problem(error, account_id) from error
        all_holdings = request.all_holdings if request.HasField("all_holdings") else True
        holdings = [holding_view(one) for one in positions]
        return legacy.GetDashboardResponse(
            account_details=account_view(request.account_name, snapshot),
            holdings=[one for one in holdings if all_holdings or one.quantity],
            trading_history=history_view(history),
            profit_report=report_view(history, new_york_day(self._clock.now())),
            recent_orders=[order_view(one, asset_class=one.asset_class or None) for one in recent],
        )

    def _admit(self, account_id: str) -> None:
        caller = current_visit().known_caller()
        check_dashboard(caller, account_id)
        if not account_id:
            raise legacy_problem(400, ACCOUNT_MISSING)
        check_reach(caller, account_id, any_account=self._any_account)

    async def _snapshot(self, account_id: str) -> AccountSnapshot:
        asked = accounts.GetAccountRequest(account_id=account_id)
        return (await answer_of(self._services.accounts.GetAccount(asked, timeout=READ_SECONDS))).snapshot

    async def _positions(self, account_id: str) -> Sequence[Position]:
        asked = accounts.ListPositionsRequest(account_id=account_id)
        answer = await answer_of(self._services.accounts.ListPositions(asked, timeout=READ_SECONDS))
        problem = next((one.error for one in answer.accounts if one.error), None)
        if problem is not None:
            raise legacy_problem(503, problem)
        return [position for one in answer.accounts for position in one.positions]

    async def _history(self, account_id: str, days: int) -> History:
        found = await self._orders(account_id, order_service.ORDER_SCOPE_CLOSED, MAX_ORDERS)
        return trade_history(fills_of(found), now=self._clock.now(), days=days)

    async def _recent(self, account_id: str, days: int) -> Sequence[Order]:
        limit = min(max(days * RECENT_PER_DAY, MIN_RECENT), MAX_ORDERS)
        return await self._orders(account_id, order_service.ORDER_SCOPE_ALL, limit)

    async def _orders(
        self, account_id: str, scope: order_service.OrderScope.ValueType, limit: int
    ) -> Sequence[Order]:
        """The orders, none where they cannot be read: the dashboard then says that it has no data."""
        asked = order_service.ListOrdersRequest(account_id=account_id, scope=scope, limit=limit)
        try:
            return (await answer_of(self._services.orders.ListOrders(asked, timeout=READ_SECONDS))).orders
        except ServiceError as error:
            logger.warning(f"The dashboard of {account_id} is without orders: {error.message}")
            return ()


async def _none() -> Sequence[Order]:
    return ()
