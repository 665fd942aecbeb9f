"""The admin routes: accounts and their connections, counted."""

from gateway.legacy.clients import Services
from gateway.legacy.errors import read_problem
from gateway.legacy.known_accounts import list_accounts
from gateway.legacy.rights import check_admin
from gateway.visit import current_visit
from opitios.account.v1.account_pb2 import Account
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from runtime.errors import ServiceError


class AdminRoutes:
    """Counts accounts, for admins and callers inside."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def pool_stats(self) -> legacy.GetAccountPoolStatsResponse:
        """The counts; raises HttpProblem."""
        return legacy.GetAccountPoolStatsResponse(stats=await self._stats())

    async def system_health(self) -> legacy.GetSystemHealthResponse:
        """The counts once more, in short; raises HttpProblem."""
        stats = await self._stats()
        return legacy.GetSystemHealthResponse(
            status="healthy",
            account_pool=stats,
            system_info=legacy.SystemInfo(
                timestamp="placeholder",
                active_accounts=stats.active_accounts,
                total_connections=stats.total_connections,
            ),
        )

    async def _stats(self) -> legacy.AccountPoolStats:
        check_admin(current_visit().known_caller())
        try:
            accounts = await list_accounts(self._services)
        except ServiceError as error:
            raise read_problem(error, "") from error
        active = {one.account_id: _entry(one) for one in accounts if one.enabled and one.tradable}
        return legacy.AccountPoolStats(
            total_accounts=len(accounts),
            active_accounts=len(active),
            total_connections=sum(one.connection_count for one in active.values()),
            account_stats=active,
        )


def _entry(account: Account) -> legacy.AccountPoolEntry:
    return legacy.AccountPoolEntry(
        account_name=account.name,
        tier="standard",
        connection_count=1,
        is_available=account.tradable,
        paper_trading=account.paper_trading,
    )
