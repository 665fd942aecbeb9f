"""The wish to run or to stop, kept in the service's own store."""

from datetime import datetime
from typing import Final

from sqlalchemy import Boolean, Column, Connection, Integer, MetaData, String, Table, delete, insert, select

from runtime.storage import Store

METADATA: Final = MetaData()

_WISH: Final = Table(
    "desired_state",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("running", Boolean, nullable=False),
    Column("asked_at", String, nullable=False),
)
_ROW: Final = 1


class StoredState:
    """One row, replaced whole."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self) -> bool | None:
        """Whether the monitor shall run; `None` when nobody has ever asked. Raises StoreUnreachable."""

        def query(connection: Connection) -> bool | None:
            return connection.execute(select(_WISH.c.running).where(_WISH.c.id == _ROW)).scalar_one_or_none()

        return await self._store.read(query)

    async def save(self, *, running: bool, at: datetime) -> None:
        """Durable when it returns; safe to repeat. Raises StoreUnreachable."""

        def change(connection: Connection) -> None:
            connection.execute(delete(_WISH))
            connection.execute(insert(_WISH).values(id=_ROW, running=running, asked_at=at.isoformat()))

        await self._store.write(change)
