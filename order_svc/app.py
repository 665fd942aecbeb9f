"""Builds the service from its configuration and closes it in reverse."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from loguru import logger

from broker.credentials import BrokerUrls
from broker.pool import AccountPool, PoolLimits
from broker.transport import AsyncTransport
from config.schema import Configuration
from order_svc.attempt_log import AttemptLog
from order_svc.bulk import BulkPlacing
from order_svc.cancel import Canceling, CancelTools
from order_svc.checkpoints import Checkpoint, OnCheckpoint, pass_by
from order_svc.clients import GUARD_RETRIES, AccountServiceGuard
from order_svc.finding import Finder
from order_svc.follow import Follower
from order_svc.hold_releases import HoldReleases
from order_svc.identifiers import AccountId
from order_svc.journal import Journal
from order_svc.journal_tables import metadata
from order_svc.journey import JourneyTools
from order_svc.late_orders import LateOrders
from order_svc.listed_symbols import ListedSymbols
from order_svc.listing import Lister
from order_svc.log_tail import logged_attempts
from order_svc.owned_tasks import OwnedTasks
from order_svc.place import Placing
from order_svc.ports import EveryAccount
from order_svc.preview import Previewing
from order_svc.readiness import Readiness
from order_svc.recover import Recovery, Unfinished, read_unfinished
from order_svc.resolve import ResolutionPolicy, Resolver
from order_svc.servicer import SERVICE as GRPC_SERVICE
from order_svc.servicer import OrderServicer, registration
from order_svc.settings import ceilings_of, credentials_of, resolution_policy
from order_svc.store_watch import PROBE_SECONDS, StoreWatch
from order_svc.switch import TradingSwitch
from order_svc.trade_health import Obstacle, TradeHealth
from order_svc.unsent import Unsent
from runtime.channel import open_channel
from runtime.clock import SYSTEM_CLOCK, Clock
from runtime.health import PROCESS, READ
from runtime.log import write_line
from runtime.server import GrpcServer
from runtime.storage import Store, service_url
from runtime.tasks import Periodic

SERVICE: Final = "order_svc"
START_SECONDS: Final = 3.0
"""How long the start waits for the first reading of each account; a slower one is read on in the background."""
FOLLOW_SECONDS: Final = 5.0
"""Between two readings of the open orders of an account: 12 of its 180 requests a minute."""
FOLLOW_REST_SECONDS: Final = 1.0
"""At least, since each order placed asks for a reading: the broker's budget is for orders."""
LATE_SECONDS: Final = 60.0
"""Between two looks for orders that reached the broker after their quarantine."""
LEFTOVER_SECONDS: Final = 4.0
"""For orders under way after the calls have drained; what is left then is settled by the next start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What every use case stands on."""

    accounts: EveryAccount
    guard: AccountServiceGuard
    journal: Journal
    follower: Follower
    following: Periodic
    tasks: OwnedTasks
    chases: OwnedTasks
    switch: TradingSwitch
    clock: Clock
    checkpoint: OnCheckpoint

    def wake_follower(self, _account_id: AccountId) -> None:
        """Reads open orders now: one has just appeared."""
        self.following.wake()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The use cases, wired."""

    servicer: OrderServicer
    recovery: Recovery
    late_orders: LateOrders
    readiness: Readiness


class RunningOrders:
    """The started service as its lifecycle sees it."""

    def __init__(self, server: GrpcServer, readiness: Readiness, checkpoint: OnCheckpoint) -> None:
        self._server = server
        self._readiness = readiness
        self._checkpoint = checkpoint

    @property
    def port(self) -> int:
        """The port in use."""
        return self._server.port

    async def stop(self, grace_seconds: float) -> None:
        """Takes nothing new, and returns when the calls under way have ended or after the grace."""
        self._readiness.drain()
        self._checkpoint(Checkpoint.IN_DRAIN)
        await self._server.stop(grace_seconds)


@asynccontextmanager
async def open_app(
    settings: Configuration,
    *,
    clock: Clock = SYSTEM_CLOCK,
    checkpoint: OnCheckpoint = pass_by,
    policy: ResolutionPolicy | None = None,
) -> AsyncIterator[RunningOrders]:
    """The running service; trading opens by itself when everything the last run left has been looked up.

    Raises StartupError, StoreLocked where another instance has the journal.
    """
    async with AsyncExitStack() as opened:
        store = await opened.enter_async_context(
            Store(service_url(settings.storage.url, SERVICE), metadata=metadata)
        )
        journal = Journal(store)
        unfinished = await read_unfinished(journal)
        pool = await _open_pool(opened, settings, clock)
        channel = await opened.enter_async_context(
            open_channel(
                settings.services.account.dial,
                tls=settings.services.tls_files,
                retries=GUARD_RETRIES,
                clock=clock,
            )
        )
        tasks = await opened.enter_async_context(OwnedTasks(grace_seconds=LEFTOVER_SECONDS))
        # A chase may pause for long, and the next start takes it up again: nothing waits for it.
        chases = await opened.enter_async_context(OwnedTasks(grace_seconds=0))
        follower = Follower(accounts=pool, journal=journal, clock=clock)
        following = Periodic(
            follower.sweep,
            name="follow open orders",
            interval_seconds=FOLLOW_SECONDS,
            rest_seconds=FOLLOW_REST_SECONDS,
            clock=clock,
        )
        health = TradeHealth()
        switch = TradingSwitch(store=store, accounts=pool, tasks=tasks, health=health, clock=clock)
        await switch.load()
        parts = _wire(
            settings,
            Base(
                accounts=pool,
                guard=AccountServiceGuard(channel, clock),
                journal=journal,
                follower=follower,
                following=following,
                tasks=tasks,
                chases=chases,
                switch=switch,
                clock=clock,
                checkpoint=checkpoint,
            ),
            policy or resolution_policy(settings.trading),
        )
        server = await opened.enter_async_context(_server(settings, parts.servicer, clock))
        for name in (PROCESS, READ, GRPC_SERVICE):
            await server.health.set(name, serving=True)
        await health.show_on(server.health)
        await opened.enter_async_context(following)
        watch = StoreWatch(journal, health)
        for work, name, seconds in (
            (parts.late_orders.sweep, "look for late orders", LATE_SECONDS),
            (watch.probe, "probe the journal", PROBE_SECONDS),
        ):
            periodic = Periodic(work, name=name, interval_seconds=seconds, clock=clock)
            await opened.enter_async_context(periodic)
        async with asyncio.TaskGroup() as group:
            recovering = group.create_task(_recover(parts, unfinished, health), name="recovery")
            yield RunningOrders(server, parts.readiness, checkpoint)
            recovering.cancel()


async def _recover(parts: Parts, unfinished: Unfinished, health: TradeHealth) -> None:
    """Opens trading when the last run's orders have been looked up (reliability.md, section 7)."""
    await parts.recovery.run(unfinished)
    parts.readiness.open()
    await health.note(Obstacle.RECOVERING, stands=False)
    logger.info("Trading is open")


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


def _server(settings: Configuration, servicer: OrderServicer, clock: Clock) -> GrpcServer:
    return GrpcServer(
        listen=str(settings.services.order.listen),
        listen_key="services.order.listen",
        services=[registration(servicer)],
        internal_networks=settings.auth.networks,
        tls=settings.services.tls_files,
        clock=clock,
    )


def _wire(settings: Configuration, base: Base, policy: ResolutionPolicy) -> Parts:
    attempt_log = AttemptLog(journal=base.journal, tasks=base.tasks, clock=base.clock, write_line=write_line)
    finder = Finder(accounts=base.accounts, journal=base.journal, follower=base.follower)
    resolver = _resolver(base, attempt_log, policy)
    unsent = Unsent(
        journal=base.journal,
        attempt_log=attempt_log,
        clock=base.clock,
        find_logged=partial(logged_attempts, settings.logging.directory / "app" / f"{SERVICE}.log"),
    )
    readiness = Readiness()
    tools = JourneyTools(
        journal=base.journal,
        guard=base.guard,
        holds=HoldReleases(guard=base.guard, tasks=base.tasks),
        switch=base.switch,
        resolver=resolver,
        attempt_log=attempt_log,
        tasks=base.tasks,
        clock=base.clock,
        send_timeout_seconds=settings.trading.order_timeout_seconds,
        ceilings_of=ceilings_of(settings.trading, settings.accounts),
        on_bound=base.wake_follower,
        checkpoint=base.checkpoint,
    )
    symbols = ListedSymbols()
    placing = Placing(
        accounts=base.accounts, readiness=readiness, symbols=symbols, unsent=unsent, tools=tools
    )
    return Parts(
        servicer=OrderServicer(
            placing=placing,
            bulk=BulkPlacing(
                accounts=base.accounts, placing=placing, attempt_log=attempt_log, clock=base.clock
            ),
            previewing=Previewing(
                accounts=base.accounts,
                readiness=readiness,
                symbols=symbols,
                journal=base.journal,
                guard=base.guard,
                switch=base.switch,
                ceilings_of=tools.ceilings_of,
                clock=base.clock,
            ),
            canceling=Canceling(
                CancelTools(
                    finder=finder,
                    follower=base.follower,
                    journal=base.journal,
                    attempt_log=attempt_log,
                    tasks=base.tasks,
                    clock=base.clock,
                )
            ),
            finder=finder,
            lister=Lister(
                accounts=base.accounts, journal=base.journal, follower=base.follower, clock=base.clock
            ),
            switch=base.switch,
            attempt_log=attempt_log,
            clock=base.clock,
            order_timeout_seconds=settings.trading.order_timeout_seconds,
        ),
        late_orders=LateOrders(
            accounts=base.accounts, journal=base.journal, resolver=resolver, clock=base.clock
        ),
        recovery=Recovery(
            accounts=base.accounts,
            journal=base.journal,
            guard=base.guard,
            resolver=resolver,
            finder=finder,
            unsent=unsent,
            attempt_log=attempt_log,
            clock=base.clock,
            checkpoint=base.checkpoint,
        ),
        readiness=readiness,
    )


def _resolver(base: Base, attempt_log: AttemptLog, policy: ResolutionPolicy) -> Resolver:
    return Resolver(
        accounts=base.accounts,
        journal=base.journal,
        guard=base.guard,
        attempt_log=attempt_log,
        tasks=base.chases,
        clock=base.clock,
        policy=policy,
        on_bound=base.wake_follower,
    )
