"""Keeps one watch for every enabled account, and none for the others."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from loguru import logger

from runtime.clock import Clock
from runtime.errors import ServiceError
from runtime.tasks import Periodic
from sell_svc.account_watch import AccountWatch, Pace
from sell_svc.decisions import Decisions
from sell_svc.observation import AccountId
from sell_svc.observe import Observer, ReadMarket
from sell_svc.policy import Policy
from sell_svc.ports import Accounts, Orders
from sell_svc.report import MonitorReport
from sell_svc.tally import Tally

ReadPolicy = Callable[[AccountId], Policy]


class Monitor:
    """The loops; `start` and `stop` as often as wanted, one at a time.

    The list of accounts is read at every interval. While it cannot be read the watches that exist
    go on: an account that is not seen has not gone (I10).
    """

    def __init__(
        self,
        *,
        accounts: Accounts,
        orders: Orders,
        read_market: ReadMarket,
        read_policy: ReadPolicy,
        decisions: Decisions,
        pace: Pace,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._orders = orders
        self._read_market = read_market
        self._read_policy = read_policy
        self._decisions = decisions
        self._pace = pace
        self._clock = clock
        self._watches: dict[AccountId, AccountWatch] = {}
        self._retired = Tally()
        self._started_at: datetime | None = None
        self._rounds = 0
        self._accounts_known = False
        self.on_change: Callable[[], None] | None = None
        """Called right after a start and a stop; must neither wait nor fail."""
        self._roster = Periodic(
            self._round, name="sell-monitor", interval_seconds=pace.interval_seconds, clock=clock
        )

    @property
    def is_running(self) -> bool:
        """Whether the loops run."""
        return self._started_at is not None

    @property
    def report(self) -> MonitorReport:
        """How the monitor and each account fare; after a stop, how they fared until then."""
        watches = tuple(self._watches.values())
        tally = Tally()
        for one in (self._retired, *(watch.tally for watch in watches)):
            tally.add(one)
        return MonitorReport(
            running=self.is_running,
            started_at=self._started_at,
            ticks=self._rounds,
            accounts_known=self._accounts_known,
            tally=tally,
            accounts=tuple(watch.report for watch in watches),
        )

    def start(self) -> None:
        """Begins with a tick of every account; safe to repeat."""
        if self.is_running:
            return
        self._watches = {}
        self._retired = Tally()
        self._rounds = 0
        self._accounts_known = False
        self._started_at = self._clock.now()
        self._roster.start()
        self._changed("started")

    async def stop(self) -> None:
        """Returns when the last action has drained: no order of the loops leaves after that (I12). Safe to repeat."""
        if not self.is_running:
            return
        for watch in self._watches.values():
            watch.begin_stop()
        await self._roster.stop()
        await asyncio.gather(*(watch.stop() for watch in self._watches.values()))
        self._started_at = None
        self._changed("stopped")

    def _changed(self, what: str) -> None:
        logger.info(f"Sell monitor {what}")
        if self.on_change is not None:
            self.on_change()

    async def _round(self) -> None:
        try:
            listed = await self._accounts.list_accounts()
        except ServiceError as error:
            if self._accounts_known or self._rounds == 0:
                logger.warning(f"The accounts cannot be listed: {error.reason}: {error.message}")
            self._accounts_known = False
        else:
            self._accounts_known = True
            await self._adjust(listed)
        self._rounds += 1

    async def _adjust(self, listed: tuple[AccountId, ...]) -> None:
        for account_id in listed:
            if account_id not in self._watches:
                self._watches[account_id] = watch = self._watch(account_id)
                watch.start()
        gone = [account_id for account_id in self._watches if account_id not in listed]
        await asyncio.gather(*(self._retire(account_id) for account_id in gone))

    async def _retire(self, account_id: AccountId) -> None:
        logger.info(f"Account {account_id} is no longer enabled and not watched any more")
        watch = self._watches[account_id]
        await watch.stop()
        self._retired.add(watch.tally)
        del self._watches[account_id]

    def _watch(self, account_id: AccountId) -> AccountWatch:
        return AccountWatch(
            account_id,
            observer=Observer(
                account_id,
                accounts=self._accounts,
                orders=self._orders,
                read_market=self._read_market,
            ),
            orders=self._orders,
            read_policy=lambda: self._read_policy(account_id),
            decisions=self._decisions,
            pace=self._pace,
            clock=self._clock,
        )
