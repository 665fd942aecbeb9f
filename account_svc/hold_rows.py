"""Rows of the holds, inside a transaction of the caller's."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from account_svc.hold import Hold
from account_svc.hold_tables import EPOCHS, HOLDS, HoldState
from account_svc.order_terms import HoldId
from account_svc.settle import EndReason
from account_svc.snapshot import Snapshot

__all__ = ["advance", "end", "find", "forget", "list_open", "read_epoch", "save", "to_hold"]


def advance(connection: Connection, snapshot: Snapshot, *, known: bool) -> None:
    """Moves the account on to the epoch that this snapshot began."""
    values = {
        "account_id": snapshot.account_id,
        "epoch": snapshot.epoch + 1,
        "proven_by": snapshot.snapshot_id,
    }
    if known:
        connection.execute(update(EPOCHS).where(EPOCHS.c.account_id == snapshot.account_id).values(values))
    else:
        connection.execute(insert(EPOCHS).values(values))


def read_epoch(connection: Connection, account_id: str) -> tuple[int, str | None]:
    """The account's epoch, and the snapshot that began it."""
    query = select(EPOCHS.c.epoch, EPOCHS.c.proven_by).where(EPOCHS.c.account_id == account_id)
    row = connection.execute(query).one_or_none()
    return (0, None) if row is None else (row.epoch, row.proven_by)


def list_open(connection: Connection, account_id: str) -> tuple[Hold, ...]:
    """The open holds of an account, oldest first."""
    query = (
        select(HOLDS)
        .where(HOLDS.c.account_id == account_id, HOLDS.c.state == HoldState.OPEN.value)
        .order_by(HOLDS.c.held_at, HOLDS.c.hold_id)
    )
    return tuple(to_hold(row) for row in connection.execute(query).mappings())


def find(connection: Connection, account_id: str, hold_id: HoldId) -> RowMapping | None:
    """The row of a hold, open or ended."""
    query = select(HOLDS).where(HOLDS.c.account_id == account_id, HOLDS.c.hold_id == hold_id)
    return connection.execute(query).mappings().one_or_none()


def save(connection: Connection, row: dict[str, object], *, known: bool) -> None:
    """Writes a hold's row; `known` says that there is one already."""
    if known:
        same = (HOLDS.c.account_id == row["account_id"], HOLDS.c.hold_id == row["hold_id"])
        connection.execute(update(HOLDS).where(*same).values(row))
    else:
        connection.execute(insert(HOLDS).values(row))


def end(connection: Connection, account_id: str, hold_id: HoldId, reason: EndReason, now: datetime) -> None:
    """Ends a hold; without effect where it is not open."""
    still_open = (
        HOLDS.c.account_id == account_id,
        HOLDS.c.hold_id == hold_id,
        HOLDS.c.state == HoldState.OPEN.value,
    )
    values = {"state": HoldState.ENDED.value, "end_reason": reason.value, "ended_at": now.isoformat()}
    connection.execute(update(HOLDS).where(*still_open).values(values))


def forget(connection: Connection, before: datetime) -> int:
    """Deletes the holds that ended before; how many."""
    # Both stamps are ISO 8601 in UTC, so as text they sort by time.
    old = (HOLDS.c.state == HoldState.ENDED.value, HOLDS.c.ended_at < before.isoformat())
    return connection.execute(delete(HOLDS).where(*old)).rowcount


def to_hold(row: RowMapping) -> Hold:
    """The hold in a row."""
    return Hold(
        hold_id=HoldId(row["hold_id"]),
        account_id=row["account_id"],
        revision=row["revision"],
        fingerprint=row["fingerprint"],
        symbol=row["symbol"],
        amount=Decimal(row["amount"]),
        whole_headroom=row["whole_headroom"],
        held_at=datetime.fromisoformat(row["held_at"]),
    )
