"""All accounts of a process: found by id or name, validated at the start, judged at every reading."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from loguru import logger

from broker.client import BrokerClient
from broker.credentials import AccountCredentials, BrokerUrls
from broker.rate_budget import RateLimits
from broker.reports import AccountReading
from broker.standing import Standing, judge_failure, judge_reading, not_yet_read
from broker.transport import AsyncTransport
from runtime.clock import SYSTEM_CLOCK, Clock
from runtime.errors import NotFound, Resource, ServiceError

__all__ = ["AccountHandle", "AccountNotFound", "AccountPool", "PoolLimits"]


class AccountNotFound(NotFound):
    """No enabled account has this id or name, or several share the name."""

    reason = "ACCOUNT_NOT_FOUND"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """How accounts are validated."""

    concurrency: int = 16
    """Accounts read at once."""
    call_seconds: float = 5.0
    """For one reading."""
    open_seconds: float = 10.0
    """How long opening waits for the first readings; the slower ones go on in the background."""
    first_retry_seconds: float = 1.0
    """Until a failed account is read again; doubled with each failure."""
    longest_retry_seconds: float = 60.0


class AccountHandle:
    """One account of the pool."""

    def __init__(self, credentials: AccountCredentials, client: BrokerClient, clock: Clock) -> None:
        self._credentials = credentials
        self._clock = clock
        self._client = client
        self._standing = not_yet_read(credentials, clock.now())

    @property
    def account_id(self) -> str:
        """Our own id, the key under `accounts`."""
        return self._credentials.account_id

    @property
    def name(self) -> str:
        """What people call it."""
        return self._credentials.name

    @property
    def client(self) -> BrokerClient:
        """Its calls at Alpaca; reading and cancelling work whatever the standing."""
        return self._client

    @property
    def standing(self) -> Standing:
        """What the last reading, or the failure to get one, says."""
        return self._standing

    def observe(self, reading: AccountReading) -> Standing:
        """Judges the account again, and logs when that changes anything."""
        return self._judged(judge_reading(self._credentials, reading, self._clock.now()))

    def observe_failure(self, error: ServiceError) -> Standing:
        """Notes that the account cannot be validated; one that was validated before keeps its standing."""
        if self._standing.account_number is not None:
            return self._standing
        return self._judged(judge_failure(self._credentials, error, self._clock.now()))

    def _judged(self, standing: Standing) -> Standing:
        before, self._standing = self._standing, standing
        if _conclusion(before) != _conclusion(standing):
            _log(standing)
        return standing


class AccountPool:
    """The enabled accounts of the configuration. Open it with `async with`.

    Opening reads every account once, all at the same time, and comes back when all have answered or
    `open_seconds` are over: no account waits for another. One that may not trade is read again with
    growing pauses until it may.
    """

    def __init__(
        self,
        accounts: Sequence[AccountCredentials],
        *,
        transport: AsyncTransport,
        urls: BrokerUrls | None = None,
        limits: PoolLimits | None = None,
        trading_limits: RateLimits | None = None,
        data_limits: RateLimits | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._limits = limits or PoolLimits()
        self._slots = asyncio.Semaphore(self._limits.concurrency)
        self._handles: dict[str, AccountHandle] = {}
        self._named: dict[str, list[AccountHandle]] = {}
        self._sharing: dict[str, list[str]] = {}
        for account in accounts:
            if account.account_id in self._handles:
                raise ValueError(f"two accounts have the id {account.account_id}")
            if account.enabled:
                client = BrokerClient(
                    account,
                    transport=transport,
                    urls=urls,
                    trading_limits=trading_limits,
                    data_limits=data_limits,
                    clock=clock,
                )
                self._add(AccountHandle(account, client, clock))
        self._unread = set(self._handles)
        self._all_read = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Starts validating; an account that fails only says so in its standing."""
        if self._keeper is not None:
            raise RuntimeError("the account pool is already open")
        self._keeper = asyncio.create_task(self._keep(), name="account pool")
        if self._handles:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_read.wait(), self._limits.open_seconds)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stops what is still being validated; safe to repeat."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])

    def all(self) -> tuple[AccountHandle, ...]:
        """Every enabled account, in the order of the configuration."""
        return tuple(self._handles.values())

    def resolve(self, text: str) -> AccountHandle:
        """The account with this id, else with this name regardless of case; raises AccountNotFound."""
        exact = self._handles.get(text)
        if exact is not None:
            return exact
        named = self._named.get(text.casefold(), [])
        if len(named) == 1:
            return named[0]
        raise _not_found(text, named)

    def observe(self, account_id: str, reading: AccountReading) -> Standing:
        """Judges an account by a reading that somebody took of it; raises AccountNotFound."""
        handle = self.resolve(account_id)
        standing = handle.observe(reading)
        self._note_number(standing)
        return standing

    def _add(self, handle: AccountHandle) -> None:
        self._handles[handle.account_id] = handle
        self._named.setdefault(handle.name.casefold(), []).append(handle)

    async def _keep(self) -> None:
        async with asyncio.TaskGroup() as group:
            for handle in self._handles.values():
                group.create_task(self._validate_until_tradable(handle), name=f"account {handle.account_id}")

    async def _validate_until_tradable(self, handle: AccountHandle) -> None:
        pause = self._limits.first_retry_seconds
        while True:
            try:
                await self._validate(handle)
            except Exception:  # noqa: BLE001 - the top of a task: a bug met in one account must not stop the others
                logger.exception(f"Account {handle.account_id} could not be validated")
            self._unread.discard(handle.account_id)
            if not self._unread:
                self._all_read.set()
            if handle.standing.tradable:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, self._limits.longest_retry_seconds)

    async def _validate(self, handle: AccountHandle) -> None:
        async with self._slots:
            try:
                reading = await handle.client.read_account(timeout=self._limits.call_seconds)
            except ServiceError as e:
                handle.observe_failure(e)
                return
        self.observe(handle.account_id, reading)

    def _note_number(self, standing: Standing) -> None:
        """Warns once of two entries for one account: their limits and holds would not know of each other."""
        if standing.account_number is None:
            return
        sharing = self._sharing.setdefault(standing.account_number, [])
        if standing.account_id not in sharing:
            sharing.append(standing.account_id)
            if len(sharing) > 1:
                keys = " and ".join(f"accounts.{account_id}" for account_id in sharing)
                logger.warning(f"{keys} are one and the same account {standing.account_number}; keep one")


def _conclusion(standing: Standing) -> tuple[object, ...]:
    """All of a standing but when it was judged."""
    return (
        standing.account_number,
        standing.account_type,
        standing.source,
        standing.problem,
        standing.why_not,
    )


def _log(standing: Standing) -> None:
    known = {
        "account": standing.account_id,
        "account_number": standing.account_number,
        "account_type": None if standing.account_type is None else standing.account_type.value,
        "source": None if standing.source is None else standing.source.value,
    }
    line = logger.bind(**{name: value for name, value in known.items() if value is not None})
    if standing.tradable:
        line.info("Account validated")
    elif standing.problem is not None and standing.problem.heals:
        line.warning(f"Account cannot be validated yet: {standing.why_not}")
    else:
        line.error(f"Account disabled for trading: {standing.why_not}")


def _not_found(text: str, named: Sequence[AccountHandle]) -> AccountNotFound:
    if named:
        ids = ", ".join(handle.account_id for handle in named)
        problem = f"several accounts have the name {text!r}: say which by its id, one of {ids}"
    else:
        problem = f"no enabled account has the id or name {text[:64]!r}"
    return AccountNotFound(problem, resource=Resource(type="account", name=text[:64]))
