"""GET /health and GET /api/v1/health: they place no orders and need no account."""

from typing import Final

from gateway.legacy.clients import HEALTH_SECONDS, Services
from gateway.legacy.known_accounts import list_accounts
from gateway.legacy.time_formats import server_wall_clock
from gateway.visit import current_visit
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from runtime.clock import Clock
from runtime.errors import ServiceError

SERVICE_NAME: Final = "Opitios Alpaca Trading Service"
DATA_POLICY: Final = "Real Alpaca market data only, no mock data"


class HealthRoutes:
    """Tells that the service runs."""

    def __init__(
        self, services: Services, *, configured_accounts: int, max_option_symbols: int, clock: Clock
    ) -> None:
        self._services = services
        self._configured_accounts = configured_accounts
        self._max_option_symbols = max_option_symbols
        self._clock = clock

    async def get_health(self) -> legacy.GetHealthResponse:
        """The public health, with the number of enabled accounts."""
        accounts = await self._count_accounts()
        elapsed = self._clock.monotonic() - current_visit().started
        return legacy.GetHealthResponse(
            status="healthy",
            service=SERVICE_NAME,
            response_time_ms=round(elapsed * 1000, 2),
            configuration=legacy.HealthConfiguration(
                real_data_only=True, accounts_configured=accounts, multi_account_mode=accounts > 1
            ),
            timestamp=server_wall_clock(self._clock.now()),
        )

    async def get_api_health(self) -> legacy.GetApiHealthResponse:
        """The public health of the API, with the data policy."""
        return legacy.GetApiHealthResponse(
            status="healthy",
            service=SERVICE_NAME,
            configuration=legacy.ApiHealthConfiguration(
                real_data_only=True,
                mock_data_enabled=False,
                strict_error_handling=True,
                multi_account_mode=await self._count_accounts() > 0,
                max_option_symbols_per_request=self._max_option_symbols,
            ),
            data_policy=DATA_POLICY,
        )

    async def _count_accounts(self) -> int:
        """Enabled accounts; what the configuration says where account_svc does not answer in time."""
        try:
            accounts = await list_accounts(self._services, HEALTH_SECONDS)
        except ServiceError:
            return self._configured_accounts
        return sum(account.enabled for account in accounts)
