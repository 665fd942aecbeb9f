"""Policies changed at run time, kept in the service's own store."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pydantic import ValidationError
from sqlalchemy import Column, Connection, String, Table, delete, insert, select

from config.selling import PolicyOverrideSettings
from runtime.errors import StartupError
from runtime.storage import Store
from sell_svc.desired_state import METADATA
from sell_svc.observation import AccountId
from sell_svc.policies import NOTHING, Scope

_OVERRIDES: Final = Table(
    "policy_override",
    METADATA,
    Column("account_id", String, primary_key=True),
    Column("underlying_symbol", String, primary_key=True),
    Column("override", String, nullable=False),
    Column("set_at", String, nullable=False),
)


class StoredPolicies:
    """One row a scope, replaced whole; the port `PolicyStore`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self) -> Mapping[Scope, PolicyOverrideSettings]:
        """Every override. Raises StoreUnreachable, StartupError for one that makes no sense."""

        def query(connection: Connection) -> list[tuple[str, str, str]]:
            columns = (_OVERRIDES.c.account_id, _OVERRIDES.c.underlying_symbol, _OVERRIDES.c.override)
            return [(row[0], row[1], row[2]) for row in connection.execute(select(*columns))]

        return {
            Scope(account_id=AccountId(account_id), underlying=underlying): _read(
                account_id, underlying, text
            )
            for account_id, underlying, text in await self._store.read(query)
        }

    async def save(self, scope: Scope, override: PolicyOverrideSettings, at: datetime) -> None:
        """Durable when it returns; safe to repeat. Raises StoreUnreachable."""

        def change(connection: Connection) -> None:
            connection.execute(
                delete(_OVERRIDES).where(
                    _OVERRIDES.c.account_id == scope.account_id,
                    _OVERRIDES.c.underlying_symbol == scope.underlying,
                )
            )
            if override != NOTHING:
                row = {
                    "account_id": scope.account_id,
                    "underlying_symbol": scope.underlying,
                    "override": override.model_dump_json(exclude_none=True),
                    "set_at": at.isoformat(),
                }
                connection.execute(insert(_OVERRIDES).values(row))

        await self._store.write(change)


def _read(account_id: str, underlying: str, text: str) -> PolicyOverrideSettings:
    try:
        return PolicyOverrideSettings.model_validate_json(text)
    except ValidationError as error:
        # To trade without what the owner asked for would be worse than not to start.
        raise StartupError(
            f"the stored policy of account {account_id!r}, underlying {underlying!r} cannot be read: {text}"
        ) from error
