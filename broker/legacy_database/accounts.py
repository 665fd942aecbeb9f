"""The accounts of the legacy database, and those of both sources together."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import SecretStr
from sqlalchemy import RowMapping, select

from broker.credentials import AccountCredentials
from broker.legacy_database.database import LegacyDatabase, Session
from broker.legacy_database.faults import LegacyDatabaseEmpty
from broker.legacy_database.tables import LegacyTable
from runtime.redaction import register_secrets

__all__ = ["AccountSources", "LegacyAccount", "LegacyAccounts", "RefusedAccount", "merge", "read_accounts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyAccount:
    """One enabled row of app_alpaca_users."""

    credentials: AccountCredentials
    """Its id and its name are the row's account_name."""
    user_uuid: str
    """The owner, whom the trading rules name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedAccount:
    """An account that may not be used, and why."""

    account_id: str
    reason: str
    """Names the column or key to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyAccounts:
    """What the table holds, in the order of the names."""

    accounts: tuple[LegacyAccount, ...]
    refused: tuple[RefusedAccount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSources:
    """The accounts of the configuration and of the database together."""

    accounts: tuple[AccountCredentials, ...]
    refused: tuple[RefusedAccount, ...]


async def read_accounts(database: LegacyDatabase) -> LegacyAccounts:
    """Every enabled account, as of now; from then on no log line shows a key of theirs.

    Raises LegacyDatabaseUnreachable, LegacySchemaMismatch, and LegacyDatabaseEmpty where no row is enabled.
    """
    found = await database.run(_read)
    register_secrets(
        secret.get_secret_value()
        for one in found.accounts
        for secret in (one.credentials.api_key, one.credentials.secret_key)
    )
    return found


def merge(configured: Iterable[AccountCredentials], legacy: LegacyAccounts) -> AccountSources:
    """Both sources; an id that both have stays the configuration's, and the database's is refused by name.

    The file belongs to whoever runs the service, the table is written by its users: no row of theirs
    may take an account over or stop it. Ids that differ by case only count as one, since callers may
    name accounts regardless of case and MySQL compares that way.
    """
    own = tuple(configured)
    taken = {one.account_id.casefold(): one.account_id for one in own}
    free = [one for one in legacy.accounts if one.credentials.account_id.casefold() not in taken]
    refused = [
        _refused(account_id, f"accounts.{taken[account_id.casefold()]} is the same id; rename one of the two")
        for account_id in (one.credentials.account_id for one in legacy.accounts)
        if account_id.casefold() in taken
    ]
    return AccountSources(
        accounts=(*own, *(one.credentials for one in free)), refused=(*legacy.refused, *refused)
    )


def _read(session: Session) -> LegacyAccounts:
    users = session.table(LegacyTable.USERS)
    rows = session.connection.execute(select(users)).mappings().all()
    # Judged here and not by the database: what a flag is differs between databases and between tables.
    enabled = [row for row in rows if row["enabled"]]
    if not enabled:
        raise LegacyDatabaseEmpty(
            f"app_alpaca_users has no enabled account, and {len(rows)} that are disabled",
            metadata={"rows": str(len(rows))},
        )
    return _judge(enabled)


def _judge(rows: Iterable[RowMapping]) -> LegacyAccounts:
    ordered = sorted(rows, key=lambda row: row["account_name"] or "")
    count = Counter((row["account_name"] or "").casefold() for row in ordered)
    accounts: list[LegacyAccount] = []
    refused: dict[str, RefusedAccount] = {}
    for row in ordered:
        account_id = row["account_name"] or ""
        problem = _problem(row, count[account_id.casefold()])
        if problem is None:
            accounts.append(_account(row))
        else:
            refused[account_id] = _refused(account_id, problem)
    return LegacyAccounts(accounts=tuple(accounts), refused=tuple(refused.values()))


def _problem(row: RowMapping, same_name: int) -> str | None:
    name = row["account_name"] or ""
    if not name.strip() or not name.isprintable():
        return f"account_name of user {row['user_uuid']} is empty or not printable"
    if same_name > 1:
        return f"{same_name} enabled rows have this account_name, but for case; rename or disable all but one"
    if row["paper_trading"] is None:
        return "paper_trading is NULL, so nobody knows which money it trades"
    empty = [column for column in ("api_key", "secret_key", "user_uuid") if not (row[column] or "").strip()]
    return f"{' and '.join(empty)} is empty" if empty else None


def _account(row: RowMapping) -> LegacyAccount:
    return LegacyAccount(
        credentials=AccountCredentials(
            account_id=row["account_name"],
            name=row["account_name"],
            api_key=SecretStr(row["api_key"]),
            secret_key=SecretStr(row["secret_key"]),
            paper_trading=row["paper_trading"],
        ),
        user_uuid=row["user_uuid"],
    )


def _refused(account_id: str, problem: str) -> RefusedAccount:
    return RefusedAccount(
        account_id=account_id, reason=f"app_alpaca_users, account {account_id!r}: {problem}"
    )
