"""The strategy permissions of the legacy database."""

from collections.abc import Iterable

from sqlalchemy import func, select

from broker.legacy_database.accounts import LegacyAccount
from broker.legacy_database.database import LegacyDatabase, Session
from broker.legacy_database.tables import LegacyTable
from broker.legacy_database.trade_modes import Permissions, TradeMode

__all__ = ["read_all_permissions", "read_permissions"]


async def read_permissions(database: LegacyDatabase, account: LegacyAccount) -> Permissions:
    """What the account may trade, as of now: its active rules that an administrator made.

    Raises LegacyDatabaseUnreachable, LegacySchemaMismatch.
    """
    return await database.run(lambda session: _read(session, [account])[0])


async def read_all_permissions(
    database: LegacyDatabase, accounts: Iterable[LegacyAccount]
) -> tuple[Permissions, ...]:
    """The same for many accounts in one query, in their order."""
    listed = tuple(accounts)
    return await database.run(lambda session: _read(session, listed))


def _read(session: Session, accounts: Iterable[LegacyAccount]) -> tuple[Permissions, ...]:
    listed = tuple(accounts)
    rules = session.table(LegacyTable.RULES)
    query = select(rules).where(rules.c.rule_name.in_([mode.value for mode in TradeMode]))
    if len(listed) == 1:
        query = query.where(func.lower(rules.c.user_id) == listed[0].user_uuid.lower())
    granted: dict[str, set[TradeMode]] = {}
    by_name = {mode.value: mode for mode in TradeMode}
    for row in session.connection.execute(query).mappings():
        # Looked up again, exactly: MySQL takes names for equal that differ by case or trailing spaces.
        mode = by_name.get(row["rule_name"])
        if mode is not None and row["is_active"] and row["created_by_admin"]:
            granted.setdefault((row["user_id"] or "").lower(), set()).add(mode)
    return tuple(
        Permissions(
            account_id=one.credentials.account_id, modes=frozenset(granted.get(one.user_uuid.lower(), ()))
        )
        for one in listed
    )
