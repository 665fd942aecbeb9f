"""The halts in force, in the journal's store: one row a scope, kept across restarts."""

from typing import Final

from sqlalchemy import Column, Connection, RowMapping, String, Table, Text, delete, insert, select

from order_svc.halts import Halt, HaltMode
from order_svc.identifiers import AccountId
from order_svc.journal_tables import UtcDateTime, metadata

WHOLE_SYSTEM: Final = ""
"""Its scope in the table; no account has an empty id."""

halts: Final = Table(
    "halts",
    metadata,
    Column("scope", String(128), primary_key=True),
    Column("mode", String(16), nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("halted_at", UtcDateTime, nullable=False),
)


def put_halt(connection: Connection, halt: Halt) -> None:
    """Stores the halt in place of the one its scope had."""
    remove_halt(connection, halt.account_id)
    connection.execute(
        insert(halts).values(
            scope=_scope(halt.account_id),
            mode=halt.mode.value,
            requested_by=halt.requested_by,
            reason=halt.reason,
            halted_at=halt.halted_at,
        )
    )


def remove_halt(connection: Connection, account_id: AccountId | None) -> None:
    """Removes the scope's halt, if it has one."""
    connection.execute(delete(halts).where(halts.c.scope == _scope(account_id)))


def read_halts(connection: Connection) -> tuple[Halt, ...]:
    """Every halt in force, the whole system's first, then by account."""
    rows = connection.execute(select(halts).order_by(halts.c.scope)).mappings()
    return tuple(map(_read, rows))


def _scope(account_id: AccountId | None) -> str:
    return WHOLE_SYSTEM if account_id is None else account_id


def _read(row: RowMapping) -> Halt:
    return Halt(
        account_id=None if row["scope"] == WHOLE_SYSTEM else AccountId(row["scope"]),
        mode=HaltMode(row["mode"]),
        requested_by=row["requested_by"],
        reason=row["reason"],
        halted_at=row["halted_at"],
    )
