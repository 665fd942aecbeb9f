"""What one transaction of the journal does; each runs in the store's writer, whole or not at all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update

from order_svc.content import fingerprint
from order_svc.identifiers import AccountId, AttemptId, OrderKey
from order_svc.journal_rows import attempt_row, changing_columns, order_row, read_attempt, read_order
from order_svc.journal_tables import attempts, intents, probes, transitions
from order_svc.lifecycle import OrderEvent, OrderState, apply
from order_svc.records import AttemptRecord, OrderRecord, Step
from order_svc.refusals import may_try_again
from order_svc.timing_line import AttemptKind

RATE_WINDOW: Final = timedelta(seconds=60)

Revise = Callable[[OrderRecord], OrderRecord]
Outcome = Callable[[AttemptRecord, OrderRecord | None], AttemptRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The intent is new, or is tried again: whoever opened it carries it on."""

    record: OrderRecord
    recent_attempts: int
    """Attempts of the account in the last minute that were sent or are under way, without this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The same intent was opened before; this is where it stands."""

    record: OrderRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Reused:
    """The client_order_id belongs to an intent with other content."""

    record: OrderRecord


Opening = Opened | Known | Reused


class IntentNotFound(LookupError):
    """The journal has no such intent."""


def open_intent(connection: Connection, draft: OrderRecord, attempt: AttemptRecord) -> Opening:
    """Inserts the intent and its attempt, or says what its key stands for already."""
    existing = find_order(connection, draft.key)
    if existing is None:
        recent = count_recent_attempts(connection, draft.key.account_id, draft.received_at)
        connection.execute(insert(intents).values(order_row(draft)))
        _insert_transition(connection, draft.key, OrderState.NEW, draft.received_at, "received")
        insert_attempt(connection, attempt)
        return Opened(record=draft, recent_attempts=recent)
    if fingerprint(existing.content) != fingerprint(draft.content):
        return Reused(record=existing)
    if existing.refusal is None or not existing.state.is_final or not may_try_again(existing.refusal):
        return Known(record=existing)
    recent = count_recent_attempts(connection, draft.key.account_id, draft.received_at)
    again = Step(event=OrderEvent.TRIED_AGAIN, evidence="repeated by the caller after nothing had been taken")
    record = advance(connection, draft.key, [again], draft.received_at, revise=lambda _: draft, attempt=None)
    insert_attempt(connection, attempt)
    return Opened(record=record, recent_attempts=recent)


def advance(
    connection: Connection,
    key: OrderKey,
    steps: Sequence[Step],
    at: datetime,
    *,
    revise: Revise,
    attempt: AttemptRecord | None,
) -> OrderRecord:
    """Applies the steps to the order, each illegal one raising, and stores the attempt as it is given."""
    record = find_order(connection, key)
    if record is None:
        raise IntentNotFound(f"no intent {key.client_order_id} in account {key.account_id}")
    for step in steps:
        after = apply(record.state, step.event)
        if after is not record.state:
            _insert_transition(connection, key, after, at, step.evidence)
        record = replace(record, state=after)
    record = revise(record)
    connection.execute(update(intents).where(_is(key)).values(changing_columns(record)))
    if attempt is not None:
        _update_attempt(connection, attempt)
    return record


def close_attempt(connection: Connection, attempt_id: AttemptId, outcome: Outcome) -> AttemptRecord | None:
    """Completes an attempt once; `None` where it is complete already."""
    where = and_(attempts.c.attempt_id == attempt_id, attempts.c.completed_at.is_(None))
    row = connection.execute(select(attempts).where(where)).mappings().one_or_none()
    if row is None:
        return None
    attempt = read_attempt(row)
    closed = outcome(attempt, find_order(connection, attempt.key))
    _update_attempt(connection, closed)
    return closed


def insert_attempt(connection: Connection, attempt: AttemptRecord) -> None:
    """Stores a new attempt, whose line is not yet in the log."""
    connection.execute(insert(attempts).values(logged=False, **attempt_row(attempt)))


def write_probe(connection: Connection) -> None:
    """Replaces the one row that says nothing, so that the commit has something to make durable."""
    connection.execute(delete(probes))
    connection.execute(insert(probes).values(id=1))


def find_order(connection: Connection, key: OrderKey) -> OrderRecord | None:
    """The order with this key."""
    row = connection.execute(select(intents).where(_is(key))).mappings().one_or_none()
    return None if row is None else read_order(row)


def _is(key: OrderKey) -> ColumnElement[bool]:
    return and_(intents.c.account_id == key.account_id, intents.c.client_order_id == key.client_order_id)


def _update_attempt(connection: Connection, attempt: AttemptRecord) -> None:
    row = attempt_row(attempt)
    connection.execute(update(attempts).where(attempts.c.attempt_id == attempt.attempt_id).values(row))


def _insert_transition(
    connection: Connection, key: OrderKey, state: OrderState, at: datetime, evidence: str
) -> None:
    connection.execute(
        insert(transitions).values(
            account_id=key.account_id,
            client_order_id=key.client_order_id,
            state=state.value,
            at=at,
            evidence=evidence,
        )
    )


def count_recent_attempts(connection: Connection, account_id: AccountId, before: datetime) -> int:
    """Attempts to place in the minute before, that were sent or are under way."""
    counted = or_(attempts.c.sent_at.is_not(None), attempts.c.completed_at.is_(None))
    query = select(func.count()).where(
        attempts.c.account_id == account_id,
        attempts.c.kind == AttemptKind.PLACE.value,
        attempts.c.received_at > before - RATE_WINDOW,
        counted,
    )
    return connection.execute(query).scalar_one()
