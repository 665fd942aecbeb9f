"""The kill switch: durable halts, read by every order on its way out."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from loguru import logger
from sqlalchemy import Connection

from order_svc.content import OrderContent
from order_svc.halt_rows import put_halt, read_halts, remove_halt
from order_svc.halts import Halt, HaltMode, check_halts, scope_of
from order_svc.identifiers import AccountId, ClientOrderId, OrderKey
from order_svc.owned_tasks import OwnedTasks
from order_svc.ports import Accounts
from order_svc.records import Refusal
from order_svc.refusals import JournalUnavailable
from order_svc.trade_health import Obstacle, TradeHealth
from runtime.clock import Clock
from runtime.storage import Store, StoreUnreachable


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltWish:
    """A checked wish to stop trading, or to trade again."""

    account: str
    """The account's id or name; empty for the whole system."""
    requested_by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Halted:
    """A halt that is stored."""

    halt: Halt
    leaving: tuple[ClientOrderId, ...]
    """Orders of its scope that had passed the switch before and whose answer is still awaited."""


class TradingSwitch:
    """The halts in force, in memory for the orders and in the store for the next start.

    The store is this process's alone, so the two cannot differ but while a change is being written.
    """

    def __init__(
        self, *, store: Store, accounts: Accounts, tasks: OwnedTasks, health: TradeHealth, clock: Clock
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._tasks = tasks
        self._health = health
        self._clock = clock
        self._halts: tuple[Halt, ...] = ()
        self._leaving: set[OrderKey] = set()
        self._changing = asyncio.Lock()

    @property
    def halts(self) -> tuple[Halt, ...]:
        """Every halt in force, the whole system's first."""
        return self._halts

    async def load(self) -> None:
        """Reads the halts that the last run left; call it before the first order."""
        self._halts = await self._store.read(read_halts)
        for halt in self._halts:
            logger.warning(f"{_in_words(halt)}; still in force")
        await self._tell_health()

    def check(self, account_id: AccountId, content: OrderContent) -> Refusal | None:
        """Denies an order that a halt stops; does not wait, so nothing comes between it and the send."""
        return check_halts(self._halts, account_id, content)

    @contextmanager
    def leaving(self, key: OrderKey) -> Iterator[None]:
        """Marks an order that has passed the switch until its answer is there."""
        self._leaving.add(key)
        try:
            yield
        finally:
            self._leaving.discard(key)

    async def halt(self, wish: HaltWish, mode: HaltMode) -> Halted:
        """Stores the halt, after which no order that it stops starts to leave; safe to repeat.

        A caller that goes away changes nothing. Raises AccountNotFound, JournalUnavailable: then nothing
        has changed.
        """
        halt = Halt(
            account_id=self._scope(wish),
            mode=mode,
            requested_by=wish.requested_by,
            reason=wish.reason,
            halted_at=self._clock.now(),
        )
        await asyncio.shield(self._tasks.spawn(self._put(halt), name="halt trading"))
        leaving = sorted(key.client_order_id for key in self._leaving if halt.covers(key.account_id))
        return Halted(halt=halt, leaving=tuple(leaving))

    async def resume(self, wish: HaltWish) -> bool:
        """Lifts the halt of this scope only; whether there was one. Safe to repeat; raises as `halt` does."""
        scope = self._scope(wish)
        return await asyncio.shield(self._tasks.spawn(self._lift(scope, wish), name="resume trading"))

    def _scope(self, wish: HaltWish) -> AccountId | None:
        return AccountId(self._accounts.resolve(wish.account).account_id) if wish.account else None

    async def _put(self, halt: Halt) -> None:
        async with self._changing:
            await self._write(partial(put_halt, halt=halt))
            logger.warning(_in_words(halt))

    async def _lift(self, scope: AccountId | None, wish: HaltWish) -> bool:
        async with self._changing:
            lifted = next((halt for halt in self._halts if halt.account_id == scope), None)
            if lifted is None:
                return False
            await self._write(partial(remove_halt, account_id=scope))
            logger.warning(f"Trading resumed for {scope_of(lifted)} by {wish.requested_by}: {wish.reason}")
            return True

    async def _write(self, change: Callable[[Connection], None]) -> None:
        def change_and_read(connection: Connection) -> tuple[Halt, ...]:
            change(connection)
            return read_halts(connection)

        try:
            self._halts = await self._store.write(change_and_read)
        except StoreUnreachable as e:
            raise JournalUnavailable("the halts cannot be written") from e
        await self._tell_health()

    async def _tell_health(self) -> None:
        is_halted = any(halt.account_id is None and halt.mode is HaltMode.HALTED for halt in self._halts)
        await self._health.note(Obstacle.HALTED, stands=is_halted)


def _in_words(halt: Halt) -> str:
    return f"Trading {halt.mode.name} for {scope_of(halt)} by {halt.requested_by}: {halt.reason}"
