"""The legacy database down, frozen, restarted, of other types: its own errors, in time, and never empty."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from broker.legacy_database.accounts import read_accounts
from broker.legacy_database.database import LegacyDatabase, Session
from broker.legacy_database.faults import LegacyDatabaseUnreachable, LegacySchemaMismatch
from broker.legacy_database.lots import TradeSource
from broker.legacy_database.tracking import OrderTracking, TrackedBuy
from broker.option_symbol import parse
from fakes.databases import MariaDb, Postgres
from fakes.legacy_tables import LegacyTables
from runtime.clock import SYSTEM_CLOCK
from runtime.errors import StartupError


@pytest.fixture
def on_mariadb(mariadb: MariaDb) -> Iterator[LegacyTables]:
    tables = LegacyTables(mariadb.url)
    tables.create()
    tables.add_user("alice")
    yield tables
    tables.close()


@pytest.fixture
def on_postgres(postgres: Postgres) -> Iterator[LegacyTables]:
    tables = LegacyTables(postgres.url)
    tables.create()
    tables.add_user("alice")
    yield tables
    tables.close()


async def names(database: LegacyDatabase) -> list[str]:
    return [one.credentials.account_id for one in (await read_accounts(database)).accounts]


async def test_a_mariadb_that_is_down_is_told_so_and_used_again_once_back(
    mariadb: MariaDb, on_mariadb: LegacyTables
) -> None:
    async with LegacyDatabase(on_mariadb.url) as database:
        assert await names(database) == ["alice"]
        await asyncio.to_thread(mariadb.crash)

        with pytest.raises(LegacyDatabaseUnreachable, match=r"127\.0\.0\.1") as raised:
            await names(database)
        assert "made-up" not in str(raised.value)

        await asyncio.to_thread(mariadb.start)
        assert await names(database) == ["alice"]


async def test_a_postgres_that_is_down_is_told_so_and_used_again_once_back(
    postgres: Postgres, on_postgres: LegacyTables
) -> None:
    async with LegacyDatabase(on_postgres.url) as database:
        assert await names(database) == ["alice"]
        await asyncio.to_thread(postgres.crash)

        with pytest.raises(LegacyDatabaseUnreachable):
            await names(database)

        await asyncio.to_thread(postgres.start)
        assert await names(database) == ["alice"]


async def test_a_mariadb_that_answers_nothing_is_given_up_in_time_while_the_loop_goes_on(
    mariadb: MariaDb, on_mariadb: LegacyTables
) -> None:
    async with LegacyDatabase(on_mariadb.url, answer_seconds=1.0) as database:
        await names(database)
        mariadb.freeze()
        try:
            began, turns = time.monotonic(), 0
            reading = asyncio.create_task(names(database))
            while not reading.done():
                turns += 1
                await asyncio.sleep(0)
            with pytest.raises(LegacyDatabaseUnreachable):
                await reading
        finally:
            mariadb.thaw()

        assert time.monotonic() - began < 5
        assert turns > 100
        assert await names(database) == ["alice"]


async def test_a_postgres_process_that_answers_nothing_is_given_up_in_time(on_postgres: LegacyTables) -> None:
    frozen: list[int] = []

    def freeze(session: Session) -> None:
        if not frozen:
            frozen.append(session.connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
            os.kill(frozen[0], signal.SIGSTOP)
        session.connection.execute(text("SELECT 1"))

    async with LegacyDatabase(on_postgres.url, answer_seconds=1.0) as database:
        began = time.monotonic()
        try:
            with pytest.raises(LegacyDatabaseUnreachable):
                await database.run(freeze)
            assert time.monotonic() - began < 5
            assert await names(database) == ["alice"]
        finally:
            os.kill(frozen[0], signal.SIGCONT)


async def test_a_caller_that_is_cancelled_leaves_the_database_usable(on_mariadb: LegacyTables) -> None:
    async with LegacyDatabase(on_mariadb.url) as database:
        tasks = [asyncio.create_task(names(database)) for _ in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)

        assert all(isinstance(one, asyncio.CancelledError) for one in results[::2])
        assert results[1::2] == [["alice"]] * 10


async def test_more_calls_than_may_wait_are_refused(
    on_mariadb: LegacyTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.legacy_database.database.MAX_PENDING", 1)
    async with LegacyDatabase(on_mariadb.url) as database:
        first = asyncio.create_task(names(database))
        await asyncio.sleep(0)
        with pytest.raises(LegacyDatabaseUnreachable, match="are waiting"):
            await names(database)

        assert await first == ["alice"]


async def test_a_table_that_vanishes_later_is_told_and_found_again(on_postgres: LegacyTables) -> None:
    async with LegacyDatabase(on_postgres.url) as database:
        await names(database)
        on_postgres.drop()
        with pytest.raises(LegacySchemaMismatch):
            await names(database)

        on_postgres.create()
        on_postgres.add_user("bob")
        assert await names(database) == ["bob"]


@pytest.mark.parametrize(
    ("server", "flag"),
    [
        pytest.param("on_postgres", "BOOLEAN", id="postgresql boolean"),
        pytest.param("on_mariadb", "BIT(1)", id="mariadb bit"),
    ],
)
async def test_flags_of_every_type_are_read_and_written(
    request: pytest.FixtureRequest, server: str, flag: str
) -> None:
    tables: LegacyTables = request.getfixturevalue(server)
    tables.create(flag=flag)
    tables.add_user("alice", paper_trading=False)
    tables.add_user("bob", enabled=False)
    buy = TrackedBuy(
        account_id="alice",
        order_id="order-1",
        symbol=parse("AAPL260116C00190000"),
        qty=1,
        limit_price=None,
        paper_trading=False,
        trade_source=TradeSource.AUTOMATED,
        auto_sell_enabled=True,
    )
    async with LegacyDatabase(tables.url) as database:
        found = await read_accounts(database)
        tracking = OrderTracking(database, clock=SYSTEM_CLOCK)
        await tracking.record(buy)
        (lot,) = await tracking.list_lots("alice")

    assert [(one.credentials.account_id, one.credentials.paper_trading) for one in found.accounts] == [
        ("alice", False)
    ]
    assert lot.auto_sell_enabled
    assert tables.rows("order_details")[0]["paper_trading"] in {False, b"\0"}


async def test_a_file_that_is_not_there_is_no_empty_database(tmp_path: Path) -> None:
    async with LegacyDatabase(f"sqlite:///{tmp_path}/typo.db") as database:
        with pytest.raises(LegacyDatabaseUnreachable, match="unable to open database file"):
            await names(database)

    assert not (tmp_path / "typo.db").exists()


async def test_a_closed_database_says_so(tmp_path: Path) -> None:
    database = LegacyDatabase(f"sqlite:///{tmp_path}/x.db")
    await database.close()
    await database.close()

    with pytest.raises(LegacyDatabaseUnreachable, match="closed"):
        await names(database)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        pytest.param("nonsense", "is not a database URL", id="no url"),
        pytest.param("oracle://h/x", "oracle is not supported", id="other database"),
        pytest.param("sqlite://", "must name a file", id="memory"),
    ],
)
def test_a_url_that_cannot_be_used_names_its_key(url: str, problem: str) -> None:
    with pytest.raises(StartupError, match=f"database.url: {problem}"):
        LegacyDatabase(url)


@pytest.mark.parametrize("driver", ["mysql", "mariadb", "mysql+pymysql", "mysql+mysqldb"])
def test_every_spelling_of_the_url_uses_the_driver_that_is_here(driver: str) -> None:
    database = LegacyDatabase(f"{driver}://me@127.0.0.1/x")

    assert database._engine.dialect.driver == "pymysql"
