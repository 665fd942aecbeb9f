"""What goes on without anybody asking: holds end, and health says what works."""

import asyncio
from collections.abc import Container
from typing import Final

from loguru import logger

from account_svc.balance_report import BalanceReports
from account_svc.holds import Holds
from account_svc.ports import Accounts
from runtime.errors import ServiceError
from runtime.health import TRADE, HealthBoard

SETTLE_SECONDS: Final = 20.0
"""Between two rounds. Decisions settle for themselves; this is for accounts that nobody asks about."""
HEALTH_SECONDS: Final = 1.0
FORGET_SECONDS: Final = 3_600.0
CONCURRENT_ACCOUNTS: Final = 16


class Settler:
    """Ends the holds that the broker's truth ends, and clears them away."""

    def __init__(self, *, balances: BalanceReports, holds: Holds, known: Container[str]) -> None:
        self._balances = balances
        self._holds = holds
        self._known = known
        self._slots = asyncio.Semaphore(CONCURRENT_ACCOUNTS)

    async def run(self) -> None:
        """One round over every account with open holds; a failing account delays no other."""
        accounts = [one for one in await self._holds.list_accounts() if one in self._known]
        async with asyncio.TaskGroup() as group:
            for account_id in accounts:
                group.create_task(self._settle(account_id), name=f"settle {account_id}")

    async def forget(self) -> None:
        """Deletes what ended long ago."""
        forgotten = await self._holds.forget()
        if forgotten:
            logger.info(f"Forgot {forgotten} holds that ended long ago")

    async def _settle(self, account_id: str) -> None:
        async with self._slots:
            try:
                await self._balances.settle(account_id)
            except ServiceError as error:
                line = logger.bind(account=account_id, reason=error.reason)
                line.warning(f"Holds not settled, they stay: {error.message}")


class TradeHealth:
    """Keeps `trade` SERVING while an order could be let out: a usable account and a store that writes."""

    def __init__(self, *, board: HealthBoard, accounts: Accounts, holds: Holds) -> None:
        self._board = board
        self._accounts = accounts
        self._holds = holds

    async def update(self) -> None:
        """Looks once and tells."""
        problem = await self._problem()
        if self._board.is_serving(TRADE) and problem is not None:
            logger.warning(f"Trading is not possible: {problem}")
        await self._board.set(TRADE, serving=problem is None)

    async def _problem(self) -> str | None:
        if not any(account.standing.tradable for account in self._accounts.all()):
            return "no account may trade"
        try:
            await self._holds.check_writable()
        except ServiceError as error:
            return error.message
        return None
