"""Builds the service from its configuration and closes it in reverse."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, NamedTuple

import aiohttp
import grpc

from config.schema import Configuration
from runtime.channel import open_channel
from runtime.clock import SYSTEM_CLOCK, Clock
from runtime.health import PROCESS, READ, TRADE
from runtime.server import GrpcServer
from runtime.storage import Store, service_url
from runtime.tasks import Periodic
from sell_svc.account_watch import Pace
from sell_svc.channels import open_channels
from sell_svc.clients import ACCOUNT_RETRIES, ORDER_RETRIES, AccountClient, OrderClient
from sell_svc.control import Control
from sell_svc.decisions import Decisions
from sell_svc.desired_state import METADATA, StoredState
from sell_svc.herald import LOOK_SECONDS, Herald
from sell_svc.monitor import Monitor
from sell_svc.notifier import Notifier
from sell_svc.policies import Policies
from sell_svc.readiness import Readiness
from sell_svc.servicer import SellServicer
from sell_svc.shared_read import SharedRead
from sell_svc.stored_policies import StoredPolicies

SERVICE: Final = "sell_svc"
MARKET_MAX_AGE_SECONDS: Final = 1.0
"""The clock is one for all accounts; read for each, it would eat the broker's budget."""
READINESS_SECONDS: Final = 2.0


@asynccontextmanager
async def open_app(settings: Configuration, *, clock: Clock = SYSTEM_CLOCK) -> AsyncIterator[GrpcServer]:
    """The running service; the monitor resumes what it was told last.

    Raises StartupError, StoreLocked where another instance has the store (S-39).
    """
    async with AsyncExitStack() as opened:
        store = await opened.enter_async_context(
            Store(service_url(settings.storage.url, SERVICE), metadata=METADATA)
        )
        peers = await _open_peers(opened, settings, clock)
        policies = Policies(
            settings.sell_module,
            store=StoredPolicies(store),
            list_accounts=AccountClient(peers.account, clock).list_accounts,
            clock=clock,
        )
        await policies.load()
        decisions = Decisions()
        monitor = await _open_monitor(opened, settings, peers, policies, decisions, clock)
        await _open_notices(opened, settings, monitor, decisions, clock)
        control = Control(
            monitor=monitor, state=StoredState(store), enabled=settings.sell_module.enabled, clock=clock
        )
        opened.push_async_callback(control.close)
        servicer = SellServicer(control=control, monitor=monitor, decisions=decisions, policies=policies)
        server = await opened.enter_async_context(_server(settings, servicer, clock))
        await control.resume()
        for name in (PROCESS, READ, servicer.registration.service):
            await server.health.set(name, serving=True)
        readiness = Readiness(
            board=server.health, control=control, peers={READ: peers.account, TRADE: peers.order}
        )
        await opened.enter_async_context(
            Periodic(readiness.update, name="readiness", interval_seconds=READINESS_SECONDS, clock=clock)
        )
        yield server


class _Peers(NamedTuple):
    account: grpc.aio.Channel
    order: grpc.aio.Channel


async def _open_peers(opened: AsyncExitStack, settings: Configuration, clock: Clock) -> _Peers:
    services, tls = settings.services, settings.services.tls_files
    account = open_channel(services.account.dial, tls=tls, retries=ACCOUNT_RETRIES, clock=clock)
    await opened.enter_async_context(account)
    order = open_channel(services.order.dial, tls=tls, retries=ORDER_RETRIES, clock=clock)
    await opened.enter_async_context(order)
    return _Peers(account=account, order=order)


async def _open_monitor(
    opened: AsyncExitStack,
    settings: Configuration,
    peers: _Peers,
    policies: Policies,
    decisions: Decisions,
    clock: Clock,
) -> Monitor:
    accounts = AccountClient(peers.account, clock)
    read_market = await opened.enter_async_context(
        SharedRead(accounts.read_market, max_age_seconds=MARKET_MAX_AGE_SECONDS, clock=clock)
    )
    return Monitor(
        accounts=accounts,
        orders=OrderClient(peers.order, clock),
        read_market=read_market,
        read_policy=policies.of,
        decisions=decisions,
        pace=Pace(interval_seconds=settings.sell_module.check_interval),
        clock=clock,
    )


async def _open_notices(
    opened: AsyncExitStack, settings: Configuration, monitor: Monitor, decisions: Decisions, clock: Clock
) -> None:
    # Opened before the loops and closed behind them, so that the last sale is told too.
    session = await opened.enter_async_context(
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
    )
    channels = open_channels(settings.discord.transaction_channel, settings.notifications, session)
    if not channels:
        return
    notifier = await opened.enter_async_context(Notifier(channels, clock=clock))
    herald = Herald(
        tell=notifier.tell,
        read_report=lambda: monitor.report,
        summary_hour=settings.notifications.summary_hour,
        clock=clock,
    )
    decisions.on_decision = herald.decided
    monitor.on_change = herald.catch_up
    await opened.enter_async_context(
        Periodic(herald.look, name="herald", interval_seconds=LOOK_SECONDS, clock=clock)
    )


def _server(settings: Configuration, servicer: SellServicer, clock: Clock) -> GrpcServer:
    return GrpcServer(
        listen=str(settings.services.sell.listen),
        listen_key="services.sell.listen",
        services=[servicer.registration],
        internal_networks=settings.auth.networks,
        tls=settings.services.tls_files,
        clock=clock,
    )
