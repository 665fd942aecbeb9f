"""The journal of intents, attempts and transitions: every write is durable when it returns.

All writes go through the store's one writer, so two of them never interleave.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, Select, and_, select, update

from order_svc import journal_changes
from order_svc.identifiers import AccountId, AttemptId, OrderId, OrderKey
from order_svc.journal_changes import Opening, Outcome, Revise
from order_svc.journal_rows import read_attempt, read_order, read_transition
from order_svc.journal_tables import attempts, intents, transitions
from order_svc.lifecycle import OrderState
from order_svc.records import UNKNOWN_OUTCOME, AttemptRecord, OrderRecord, Step, Transition
from order_svc.refusals import JournalUnavailable, OrderNotPlaced
from order_svc.timing_line import AttemptKind
from runtime.storage import Store, StoreUnreachable

__all__ = ["Journal"]

T = TypeVar("T")
OnWrite = Callable[[JournalUnavailable | None], Awaitable[None]]


async def _ignore(_fault: JournalUnavailable | None) -> None:
    return


class Journal:
    """Reads and writes the journal of one store; raises JournalUnavailable, and StoreBusy when overloaded."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._on_write: OnWrite = _ignore

    def tell_of_faults(self, on_write: OnWrite) -> None:
        """From now on `on_write` hears of every write: its fault, or `None` where it is durable."""
        self._on_write = on_write

    async def probe(self) -> None:
        """Writes something that means nothing; raises JournalUnavailable."""
        await self._write(journal_changes.write_probe)

    async def open(self, draft: OrderRecord, attempt: AttemptRecord) -> Opening:
        """Inserts a NEW intent with its first attempt, or says what its key already stands for (I1, I4)."""
        return await self._write(lambda connection: journal_changes.open_intent(connection, draft, attempt))

    async def advance(
        self,
        key: OrderKey,
        steps: Sequence[Step],
        at: datetime,
        *,
        revise: Revise = lambda record: record,
        attempt: AttemptRecord | None = None,
    ) -> OrderRecord:
        """Applies what was seen, in one transaction; returns the order after it.

        `revise` gets the order in its new state and adds what else is known; `attempt` is stored as it is.
        Raises IllegalTransition, IntentNotFound, and then nothing is changed.
        """
        return await self._write(
            lambda connection: journal_changes.advance(
                connection, key, steps, at, revise=revise, attempt=attempt
            )
        )

    async def close_attempt(self, attempt_id: AttemptId, outcome: Outcome) -> AttemptRecord | None:
        """Completes an attempt from where its order stands at this moment; `None` if it was completed before."""
        return await self._write(
            lambda connection: journal_changes.close_attempt(connection, attempt_id, outcome)
        )

    async def add_attempt(self, attempt: AttemptRecord) -> None:
        """Stores a new attempt."""
        await self._write(lambda connection: journal_changes.insert_attempt(connection, attempt))

    async def mark_logged(self, attempt_id: AttemptId) -> None:
        """Notes that the attempt's line is in the log file; safe to repeat."""
        change = update(attempts).where(attempts.c.attempt_id == attempt_id).values(logged=True)
        await self._write(lambda connection: connection.execute(change).close())

    async def count_recent_attempts(self, account_id: AccountId, *, before: datetime) -> int:
        """What counts towards max_orders_per_minute at that moment."""
        return await self._read(
            lambda connection: journal_changes.count_recent_attempts(connection, account_id, before)
        )

    async def find(self, key: OrderKey) -> OrderRecord | None:
        """The order with this key."""
        return await self._read(lambda connection: journal_changes.find_order(connection, key))

    async def find_after_writes(self, key: OrderKey) -> OrderRecord | None:
        """The order with this key once every write asked for before is durable."""
        return await self._write(lambda connection: journal_changes.find_order(connection, key))

    async def find_by_order_id(self, account_id: AccountId, order_id: OrderId) -> OrderRecord | None:
        """The order that is bound to the broker's id."""
        where = and_(intents.c.account_id == account_id, intents.c.order_id == order_id)
        found = await self._orders(where)
        return found[0] if found else None

    async def find_many(self, account_id: AccountId, order_ids: Sequence[OrderId]) -> tuple[OrderRecord, ...]:
        """The orders that are bound to these ids of the broker."""
        return await self._orders(and_(intents.c.account_id == account_id, intents.c.order_id.in_(order_ids)))

    async def unresolved(self) -> tuple[OrderRecord, ...]:
        """Orders whose fate a crash would leave open."""
        return await self._orders(_in_state(lambda state: state.is_unresolved))

    async def open_at_broker(self, account_id: AccountId | None = None) -> tuple[OrderRecord, ...]:
        """Orders that may still fill, of one account or of all."""
        where = _in_state(lambda state: state.is_open_at_broker)
        return await self._orders(
            where if account_id is None else and_(where, intents.c.account_id == account_id)
        )

    async def concluded_absent(self, *, since: datetime) -> tuple[OrderRecord, ...]:
        """Orders received since then whose answer was lost and that were concluded not to exist."""
        return await self._orders(
            and_(
                intents.c.state == OrderState.NOT_PLACED.value,
                intents.c.reason == OrderNotPlaced.reason,
                intents.c.received_at > since,
            )
        )

    async def filled(self, account_id: AccountId) -> tuple[OrderRecord, ...]:
        """Orders of the account with anything filled."""
        return await self._orders(and_(intents.c.account_id == account_id, intents.c.filled_at.is_not(None)))

    async def transitions(self, key: OrderKey) -> tuple[Transition, ...]:
        """Each change of the order's state, oldest first."""
        query = (
            select(transitions)
            .where(
                transitions.c.account_id == key.account_id,
                transitions.c.client_order_id == key.client_order_id,
            )
            .order_by(transitions.c.id)
        )
        rows = await self._read(lambda connection: connection.execute(query).mappings().all())
        return tuple(read_transition(row) for row in rows)

    async def list_attempts(
        self, account_id: AccountId, *, before: datetime, limit: int
    ) -> tuple[AttemptRecord, ...]:
        """Attempts received before that moment, newest first."""
        query = (
            select(attempts)
            .where(attempts.c.account_id == account_id, attempts.c.received_at < before)
            .order_by(attempts.c.received_at.desc(), attempts.c.attempt_id.desc())
            .limit(limit)
        )
        return await self._attempts(query)

    async def attempts_under_way(self, key: OrderKey | None = None) -> tuple[AttemptRecord, ...]:
        """Attempts without an outcome, of one order or of all; after a start, an earlier process left them."""
        query = select(attempts).where(attempts.c.completed_at.is_(None))
        if key is not None:
            query = query.where(
                attempts.c.account_id == key.account_id, attempts.c.client_order_id == key.client_order_id
            )
        return await self._attempts(query)

    async def attempts_unlogged(self) -> tuple[AttemptRecord, ...]:
        """Completed attempts whose line may be missing from the log file."""
        query = select(attempts).where(~attempts.c.logged, attempts.c.completed_at.is_not(None))
        return await self._attempts(query.order_by(attempts.c.attempt_id))

    async def find_unlogged(self, attempt_id: AttemptId) -> AttemptRecord | None:
        """The attempt, if it is completed and not noted as logged."""
        query = select(attempts).where(
            attempts.c.attempt_id == attempt_id, ~attempts.c.logged, attempts.c.completed_at.is_not(None)
        )
        found = await self._attempts(query)
        return found[0] if found else None

    async def find_unknown_attempt(self, key: OrderKey) -> AttemptRecord | None:
        """The order's newest attempt to place, if it was completed with an unknown outcome."""
        query = (
            select(attempts)
            .where(
                attempts.c.account_id == key.account_id,
                attempts.c.client_order_id == key.client_order_id,
                attempts.c.kind == AttemptKind.PLACE.value,
            )
            .order_by(attempts.c.received_at.desc())
            .limit(1)
        )
        found = await self._attempts(query)
        return found[0] if found and found[0].error == UNKNOWN_OUTCOME else None

    async def _write(self, change: Callable[[Connection], T]) -> T:
        try:
            written = await self._store.write(change)
        except StoreUnreachable as e:
            fault = JournalUnavailable("the order journal cannot be written")
            await self._on_write(fault)
            raise fault from e
        await self._on_write(None)
        return written

    async def _read(self, query: Callable[[Connection], T]) -> T:
        try:
            return await self._store.read(query)
        except StoreUnreachable as e:
            raise JournalUnavailable("the order journal cannot be read") from e

    async def _orders(self, where: ColumnElement[bool]) -> tuple[OrderRecord, ...]:
        query = select(intents).where(where).order_by(intents.c.received_at, intents.c.client_order_id)
        rows = await self._read(lambda connection: connection.execute(query).mappings().all())
        return tuple(read_order(row) for row in rows)

    async def _attempts(self, query: Select[tuple[object, ...]]) -> tuple[AttemptRecord, ...]:
        rows = await self._read(lambda connection: connection.execute(query).mappings().all())
        return tuple(read_attempt(row) for row in rows)


def _in_state(wanted: Callable[[OrderState], bool]) -> ColumnElement[bool]:
    return intents.c.state.in_([state.value for state in OrderState if wanted(state)])
