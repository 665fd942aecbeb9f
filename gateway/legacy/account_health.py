"""The health routes that look at accounts; each shows only what its caller may see."""

import asyncio
from collections.abc import Sequence
from typing import Final

from gateway.auth.token import MISSING
from gateway.background import Background
from gateway.legacy.account_check import AccountCheck
from gateway.legacy.clients import READ_SECONDS, Services, answer_of
from gateway.legacy.data_account import OPTION_ACCOUNT
from gateway.legacy.errors import error_text, read_problem
from gateway.legacy.health_score import ERROR, SUCCESS
from gateway.legacy.known_accounts import list_accounts
from gateway.legacy.numbers import number
from gateway.legacy.problem import legacy_problem
from gateway.legacy.rights import may_see
from gateway.legacy.time_formats import server_wall_clock
from gateway.visit import current_visit
from opitios.account.v1.account_pb2 import Account, AccountSnapshot
from opitios.account.v1.account_service_pb2 import GetAccountRequest
from opitios.account.v1.market_data_service_pb2 import GetMarketClockRequest
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from runtime.clock import Clock
from runtime.errors import ServiceError

COMPLETED: Final = "completed"
ACTIVE: Final = "ACTIVE"
FRESH_SECONDS: Final = 10.0
"""A check this young is shown again: these routes are public and unlimited, the exchange's budget is neither."""
MAX_CONCURRENT: Final = 10


class AccountHealthRoutes:
    """Checks accounts, one check of them all at a time."""

    def __init__(
        self, services: Services, *, any_account: bool, background: Background, clock: Clock
    ) -> None:
        self._services = services
        self._any_account = any_account
        self._background = background
        self._clock = clock
        self._check = AccountCheck(services, clock)
        self._last: legacy.HealthResults | None = None
        self._checked_at = 0.0
        self._is_running = False

    async def check_all(self) -> legacy.CheckHealthResponse:
        """Every account that the caller may see; an outage is an answer too, never an HTTP error."""
        if self._is_running:
            return legacy.CheckHealthResponse(status="running", message="A check is running")
        try:
            results = await self._fresh_results()
        except ServiceError as error:
            return legacy.CheckHealthResponse(
                status=ERROR, error=error_text(error), message="The check could not be done"
            )
        return legacy.CheckHealthResponse(
            status=COMPLETED, results=self._visible(results), message="The check is done"
        )

    async def check_one(self, request: legacy.CheckAccountHealthRequest) -> legacy.CheckAccountHealthResponse:
        """One account; raises HttpProblem for one that is not known or not the caller's to see."""
        account_id = request.account_id
        self._admit(account_id)
        try:
            accounts = await list_accounts(self._services)
        except ServiceError as error:
            return legacy.CheckAccountHealthResponse(
                status=ERROR, error=error_text(error), message="The check could not be done"
            )
        account = next((one for one in accounts if one.account_id == account_id), None)
        if account is None:
            raise legacy_problem(404, f"Account '{account_id}' not found")
        return legacy.CheckAccountHealthResponse(
            status=COMPLETED,
            account_id=account_id,
            result=await self._check.run(account),
            message="The check is done",
        )

    async def trading_permissions(self) -> legacy.GetTradingPermissionsResponse:
        """What the enabled accounts that the caller may see may do."""
        try:
            known = await list_accounts(self._services)
        except ServiceError as error:
            return legacy.GetTradingPermissionsResponse(
                status=ERROR, error=error_text(error), message="The accounts could not be listed"
            )
        seen = [one.account_id for one in known if one.enabled and self._may_see(one.account_id)]
        found = await asyncio.gather(*(self._permissions(account_id) for account_id in seen))
        return legacy.GetTradingPermissionsResponse(
            status=COMPLETED,
            accounts=dict(zip(seen, found, strict=True)),
            message="The permissions were read",
        )

    def last_check(self) -> legacy.GetLastCheckResponse:
        """The last check of them all, whoever asked for it."""
        if self._last is None:
            return legacy.GetLastCheckResponse(status="no_data", message="There was no check yet")
        return legacy.GetLastCheckResponse(
            status=SUCCESS, cached_results=self._visible(self._last), message="The last check's results"
        )

    def start_check(self) -> legacy.StartBackgroundCheckResponse:
        """Has every account checked; repeated calls while it runs, or soon after it, start no other."""
        if not self._is_running:
            self._background.start(self._check_in_background(), name="health check")
        return legacy.StartBackgroundCheckResponse(
            status="started", message="The check runs; last-check shows its results"
        )

    async def test_connection(self) -> legacy.TestConnectionResponse:
        """That the exchange answers; raises HttpProblem."""
        try:
            account = _tested(await list_accounts(self._services))
            asked = GetMarketClockRequest(account_id=account)
            await answer_of(self._services.market_data.GetMarketClock(asked, timeout=READ_SECONDS))
        except ServiceError as error:
            raise read_problem(error, OPTION_ACCOUNT) from error
        return legacy.TestConnectionResponse(
            status=SUCCESS, message="Connection to Alpaca API successful", account_tested=account
        )

    async def _check_in_background(self) -> None:
        if not self._is_running:
            await self._fresh_results()

    async def _fresh_results(self) -> legacy.HealthResults:
        if self._last is not None and self._clock.monotonic() - self._checked_at < FRESH_SECONDS:
            return self._last
        self._is_running = True
        try:
            self._last = await self._results()
            self._checked_at = self._clock.monotonic()
        finally:
            self._is_running = False
        return self._last

    async def _results(self) -> legacy.HealthResults:
        room = asyncio.Semaphore(MAX_CONCURRENT)

        async def check(account: Account) -> legacy.AccountHealth:
            async with room:
                return await self._check.run(account)

        accounts = await list_accounts(self._services)
        found = await asyncio.gather(*(check(account) for account in accounts))
        return legacy.HealthResults(
            timestamp=server_wall_clock(self._clock.now()),
            accounts={one.account_id: one for one in found},
        )

    async def _permissions(self, account_id: str) -> legacy.AccountPermissions:
        asked = GetAccountRequest(account_id=account_id)
        try:
            answer = await answer_of(self._services.accounts.GetAccount(asked, timeout=READ_SECONDS))
        except ServiceError as error:
            return legacy.AccountPermissions(status=ERROR, error=error_text(error))
        return _permissions_view(answer.snapshot)

    def _visible(self, results: legacy.HealthResults) -> legacy.HealthResults:
        accounts = {
            account_id: one for account_id, one in results.accounts.items() if self._may_see(account_id)
        }
        return legacy.HealthResults(timestamp=results.timestamp, accounts=accounts)

    def _may_see(self, account_id: str) -> bool:
        return may_see(current_visit().known_caller(), account_id, any_account=self._any_account)

    def _admit(self, account_id: str) -> None:
        if self._may_see(account_id):
            return
        if current_visit().known_caller().claims is None:
            raise legacy_problem(401, MISSING)
        raise legacy_problem(403, f"this token does not reach account '{account_id}'")


def _permissions_view(snapshot: AccountSnapshot) -> legacy.AccountPermissions:
    permissions = legacy.TradingPermissions(
        account_active=snapshot.status == ACTIVE,
        trading_allowed=not (snapshot.trading_blocked or snapshot.trade_suspended_by_user),
        account_unblocked=not snapshot.account_blocked,
        transfers_allowed=True,
        buying_power=number(snapshot.buying_power),
        pattern_day_trader=snapshot.pattern_day_trader,
    )
    enabled = permissions.account_active and permissions.trading_allowed and permissions.account_unblocked
    return legacy.AccountPermissions(status=SUCCESS, permissions=permissions, overall_trading_enabled=enabled)


def _tested(accounts: Sequence[Account]) -> str:
    """option_ws where it is enabled, else the first enabled account; its usual name where there is none."""
    enabled = [one.account_id for one in accounts if one.enabled]
    return OPTION_ACCOUNT if OPTION_ACCOUNT in enabled or not enabled else enabled[0]
