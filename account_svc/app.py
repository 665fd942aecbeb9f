"""Builds the service from its configuration and closes it in reverse."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from loguru import logger

from account_svc.accounts import AccountBook
from account_svc.authorise import OrderGuard
from account_svc.balance_report import BalanceReports
from account_svc.cash import CashReader
from account_svc.guard import GuardMode
from account_svc.hold_tables import METADATA
from account_svc.holds import Holds
from account_svc.market_data import MarketData
from account_svc.minimums import Minimums
from account_svc.order_costs import OrderCosts
from account_svc.policy import GuardPolicy
from account_svc.positions import Positions
from account_svc.servicer import AccountServicer, MarketDataServicer, registrations
from account_svc.settle import SettleRules
from account_svc.upkeep import FORGET_SECONDS, HEALTH_SECONDS, SETTLE_SECONDS, Settler, TradeHealth
from broker.account_type import AccountType
from broker.credentials import AccountCredentials, BrokerUrls
from broker.pool import AccountPool, PoolLimits
from broker.transport import AsyncTransport
from config.schema import Configuration
from config.trading import AccountSettings, TradingSettings
from runtime.clock import SYSTEM_CLOCK, Clock
from runtime.health import PROCESS, READ
from runtime.server import GrpcServer, Registration
from runtime.storage import Store, service_url
from runtime.tasks import Periodic

SERVICE: Final = "account_svc"
START_SECONDS: Final = 3.0
"""How long the start waits for the first reading of each account; a slower one is read on in the background."""


@asynccontextmanager
async def open_app(settings: Configuration, *, clock: Clock = SYSTEM_CLOCK) -> AsyncIterator[GrpcServer]:
    """The running service, every account validated or its reason known.

    Raises StartupError, StoreLocked where another instance has the store.
    """
    policy = policy_of(settings.trading, settings.accounts)
    async with AsyncExitStack() as opened:
        store = await opened.enter_async_context(
            Store(service_url(settings.storage.url, SERVICE), metadata=METADATA)
        )
        holds = Holds(store, clock=clock)
        pool = await _open_pool(opened, settings, clock)
        readers = await _open_readers(opened, pool, holds, settings.trading, clock)
        balances = BalanceReports(policy=policy, holds=holds, readers=readers, clock=clock)
        accounts = AccountServicer(
            accounts=AccountBook(
                credentials_of(settings.accounts), pool, minimums=policy.minimums, clock=clock
            ),
            guard=OrderGuard(policy=policy, holds=holds, readers=readers, costs=OrderCosts(), clock=clock),
            balances=balances,
            positions=Positions(clock=clock),
        )
        services = registrations(accounts, MarketDataServicer(MarketData(pool, clock=clock), clock=clock))
        server = _server(settings, services, clock)
        await opened.enter_async_context(server)
        for name in (PROCESS, READ, *(one.service for one in services)):
            await server.health.set(name, serving=True)
        health = TradeHealth(board=server.health, accounts=pool, holds=holds)
        await health.update()
        settler = Settler(balances=balances, holds=holds, known=readers)
        await _repeat(opened, "trade health", health.update, HEALTH_SECONDS, clock)
        await _repeat(opened, "settle holds", settler.run, SETTLE_SECONDS, clock)
        await _repeat(opened, "forget holds", settler.forget, FORGET_SECONDS, clock)
        yield server


async def _open_pool(opened: AsyncExitStack, settings: Configuration, clock: Clock) -> AccountPool:
    transport = await opened.enter_async_context(AsyncTransport(clock=clock))
    pool = AccountPool(
        credentials_of(settings.accounts),
        transport=transport,
        urls=BrokerUrls(trading_url=settings.alpaca.trading_url, data_url=settings.alpaca.data_url),
        limits=PoolLimits(open_seconds=START_SECONDS),
        clock=clock,
    )
    return await opened.enter_async_context(pool)


async def _open_readers(
    opened: AsyncExitStack, pool: AccountPool, holds: Holds, trading: TradingSettings, clock: Clock
) -> Mapping[str, CashReader]:
    return {
        account.account_id: await opened.enter_async_context(
            CashReader(
                account,
                holds,
                rules=SettleRules(),
                max_age_seconds=trading.balance_max_age_ms / 1000,
                clock=clock,
            )
        )
        for account in pool.all()
    }


def _server(settings: Configuration, services: Sequence[Registration], clock: Clock) -> GrpcServer:
    return GrpcServer(
        listen=str(settings.services.account.listen),
        listen_key="services.account.listen",
        services=services,
        internal_networks=settings.auth.networks,
        tls=settings.services.tls_files,
        clock=clock,
    )


async def _repeat(
    opened: AsyncExitStack, name: str, work: Callable[[], Awaitable[None]], seconds: float, clock: Clock
) -> None:
    await opened.enter_async_context(Periodic(work, name=name, interval_seconds=seconds, clock=clock))


def credentials_of(accounts: Mapping[str, AccountSettings]) -> Sequence[AccountCredentials]:
    """The accounts as the broker knows them, in the order of the configuration."""
    return [
        AccountCredentials(
            account_id=account_id,
            name=one.name or account_id,
            api_key=one.api_key,
            secret_key=one.secret_key,
            paper_trading=one.paper_trading,
            enabled=one.enabled,
            account_type=None if one.account_type is None else AccountType(one.account_type.value),
        )
        for account_id, one in accounts.items()
    ]


def policy_of(trading: TradingSettings, accounts: Mapping[str, AccountSettings]) -> GuardPolicy:
    """The guard's policy; says loudly when the configuration switches it off."""
    if not trading.balance_check_enabled:
        logger.warning("trading.balance_check_enabled is false: orders leave without a check of the balance")
    own = {
        account_id: one.minimum_balance
        for account_id, one in accounts.items()
        if one.minimum_balance is not None
    }
    return GuardPolicy(
        enabled=trading.balance_check_enabled,
        mode=GuardMode(trading.balance_check_mode.value),
        exits_exempt=trading.exits_exempt,
        minimums=Minimums(general=trading.minimum_balance, own=own),
    )
