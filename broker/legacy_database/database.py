"""The connection to the legacy database: threads of its own, deadlines, errors that say what is wrong."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Self, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from broker.legacy_database.engines import THREADS, open_engine
from broker.legacy_database.faults import LegacyDatabaseUnreachable, LegacySchemaMismatch
from broker.legacy_database.tables import LegacyTable, find_table

__all__ = ["ANSWER_SECONDS", "LegacyDatabase", "Session"]

T = TypeVar("T")

ANSWER_SECONDS: Final = 5.0
MAX_PENDING: Final = 1_000
"""Beyond it callers are refused at once: every queue has a length (I14)."""


class Session:
    """One transaction in the database, with its tables as they were found."""

    def __init__(self, connection: Connection, tables: dict[LegacyTable, Table]) -> None:
        self.connection = connection
        self._tables = tables

    def table(self, wanted: LegacyTable) -> Table:
        """The table, looked at once; raises LegacySchemaMismatch."""
        if wanted not in self._tables:
            self._tables[wanted] = find_table(self.connection, wanted)
        return self._tables[wanted]


class LegacyDatabase:
    """The database behind `database.url` (`async with`); it may come and go while this is open."""

    def __init__(self, url: str, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        """Connects to nothing yet. Raises StartupError for a URL that cannot be used."""
        self._engine, self._prepare = open_engine(url, seconds=answer_seconds)
        self._where = self._engine.url.set(query={}).render_as_string(hide_password=True)
        self._answer_seconds = answer_seconds
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="legacy-database")
        self._pending = 0
        self._closed = False
        self._tables: dict[LegacyTable, Table] = {}

    async def run(self, work: Callable[[Session], T]) -> T:
        """Runs `work` in one transaction on a thread, committed when this returns.

        Raises LegacyDatabaseUnreachable, also when there is no answer in time; the transaction may then
        still end either way, so `work` must be safe to repeat.
        """
        if self._closed:
            raise LegacyDatabaseUnreachable("the legacy database is closed")
        if self._pending >= MAX_PENDING:
            raise LegacyDatabaseUnreachable(f"{MAX_PENDING} calls are waiting for the legacy database")
        self._pending += 1
        try:
            async with asyncio.timeout(2 * self._answer_seconds):
                return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, work)
        except TimeoutError as error:
            raise self._unreachable("it does not answer in time") from error
        finally:
            self._pending -= 1

    async def close(self) -> None:
        """Lets calls under way end, then closes every connection; safe to repeat."""
        self._closed = True
        await asyncio.to_thread(self._close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _run(self, work: Callable[[Session], T]) -> T:
        try:
            with self._engine.connect() as connection:
                self._prepare(connection)
                with connection.begin():
                    return work(Session(connection, self._tables))
        except (IntegrityError, DataError):
            # What was written does not fit, whatever the state of the database.
            raise
        except ProgrammingError as error:
            # The statements are right for the tables as they were found, so those have changed since.
            self._tables.clear()
            raise LegacySchemaMismatch(
                f"the legacy database {self._where} has changed: {error.orig}"
            ) from error
        except DBAPIError as error:
            raise self._unreachable(str(error.orig)) from error
        except PoolTimeout as error:
            raise self._unreachable("all connections are in use") from error

    def _unreachable(self, problem: str) -> LegacyDatabaseUnreachable:
        return LegacyDatabaseUnreachable(f"the legacy database {self._where} cannot be used: {problem}")

    def _close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._engine.dispose()
