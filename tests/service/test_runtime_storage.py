"""What a store promises on every database: grouped commits, isolation of neighbours, order, durability."""

import asyncio
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, func, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from fakes.databases import Postgres
from fakes.store_notes import (
    METADATA,
    NOTES,
    WAIT_SECONDS,
    Gate,
    add,
    fill,
    purses,
    spend,
    texts,
)
from runtime.storage import Store, StoreBusy, StoreUnreachable, service_url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return service_url(f"sqlite:///{tmp_path}/folder/store.db", "notes")
    server: Postgres = request.getfixturevalue("postgres")
    return service_url(server.url, f"notes_{uuid.uuid4().hex}")


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    async with Store(url, metadata=METADATA) as opened:
        yield opened


@pytest.fixture
def commits() -> Iterator[list[Connection]]:
    seen: list[Connection] = []
    # A name, since a bound method is another object each time.
    note = seen.append
    event.listen(Engine, "commit", note)
    yield seen
    event.remove(Engine, "commit", note)


async def test_what_is_written_can_be_read_by_the_next_read(store: Store) -> None:
    assert await store.write(add("a")) == 1

    assert await store.read(texts) == ["a"]


async def test_a_change_that_raises_undoes_itself_and_not_its_neighbours(store: Store) -> None:
    def half(connection: Connection) -> None:
        connection.execute(insert(NOTES).values(text="half"))
        raise LookupError("second thoughts")

    gate = Gate()
    holding = asyncio.create_task(store.write(gate))
    await gate.entered()
    waiting = [
        asyncio.create_task(store.write(change)) for change in (add("a"), half, add("b"), add("a"), add("c"))
    ]
    await asyncio.sleep(0)
    gate.open()
    await holding
    results = await asyncio.gather(*waiting, return_exceptions=True)

    assert isinstance(results[1], LookupError)
    assert isinstance(results[3], IntegrityError)
    assert await store.read(texts) == ["a", "b", "c"]


async def test_a_change_alone_that_raises_leaves_nothing(store: Store) -> None:
    def half(connection: Connection) -> None:
        connection.execute(insert(NOTES).values(text="half"))
        raise LookupError("second thoughts")

    with pytest.raises(LookupError, match="second thoughts"):
        await store.write(half)
    await store.write(add("a"))
    with pytest.raises(IntegrityError):
        await store.write(add("a"))

    await store.write(add("b"))
    assert await store.read(texts) == ["a", "b"]


async def test_changes_that_wait_together_share_one_commit(store: Store, commits: list[Connection]) -> None:
    gate = Gate()
    holding = asyncio.create_task(store.write(gate))
    await gate.entered()
    commits.clear()
    waiting = [asyncio.create_task(store.write(add(str(number)))) for number in range(100)]
    # One turn of the loop lets every task reach the queue.
    await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(holding, *waiting)

    assert len(commits) == 2
    assert (
        await store.read(lambda connection: connection.scalar(select(func.count()).select_from(NOTES))) == 100
    )


async def test_nobody_is_told_before_the_commit(store: Store) -> None:
    told_before_commit: list[bool] = []

    def on_commit(_connection: Connection) -> None:
        told_before_commit.append(task.done())

    event.listen(Engine, "commit", on_commit)
    task = asyncio.create_task(store.write(add("a")))
    await task
    event.remove(Engine, "commit", on_commit)

    assert told_before_commit == [False]


async def test_a_caller_that_stops_waiting_does_not_stop_its_change(store: Store) -> None:
    gate = Gate()
    holding = asyncio.create_task(store.write(gate))
    await gate.entered()
    abandoned = asyncio.create_task(store.write(add("kept")))
    await asyncio.sleep(0)
    abandoned.cancel()
    gate.open()
    await holding
    await asyncio.wait([abandoned])

    assert abandoned.cancelled()
    await store.write(add("next"))
    assert await store.read(texts) == ["kept", "next"]


async def test_closing_commits_what_is_queued_and_refuses_what_comes_after(url: str) -> None:
    store = Store(url, metadata=METADATA)
    await store.open()
    gate = Gate()
    holding = asyncio.create_task(store.write(gate))
    await gate.entered()
    queued = [
        asyncio.create_task(store.write(add(text), lock=lock))
        for text, lock in (("queued", None), ("locked", "a"))
    ]
    await asyncio.sleep(0)
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(holding, *queued, closing)
    await store.close()

    with pytest.raises(StoreUnreachable, match="closed"):
        await store.write(add("late"))
    with pytest.raises(StoreUnreachable, match="closed"):
        await store.read(texts)
    async with Store(url, metadata=METADATA) as again:
        assert sorted(await again.read(texts)) == ["locked", "queued"]


@pytest.mark.parametrize("lock", [pytest.param(None, id="no lock"), pytest.param("purse", id="one lock")])
async def test_a_change_sees_everything_that_the_one_before_it_did(store: Store, lock: str | None) -> None:
    await store.write(fill("purse", cash=50))

    allowed = await asyncio.gather(*(store.write(spend("purse", 1), lock=lock) for _ in range(80)))

    assert sum(allowed) == 50
    assert await store.read(purses) == {"purse": 0}


async def test_a_read_is_one_snapshot_whatever_is_written_meanwhile(store: Store) -> None:
    await store.write(add("before"))
    gate = Gate()

    def twice(connection: Connection) -> tuple[list[str], list[str]]:
        first = texts(connection)
        gate(connection)
        return first, texts(connection)

    reading = asyncio.create_task(store.read(twice))
    await gate.entered()
    await store.write(add("meanwhile"))
    gate.open()

    assert await reading == (["before"], ["before"])
    assert await store.read(texts) == ["before", "meanwhile"]


async def test_a_wrong_statement_is_a_bug_and_no_store_trouble(store: Store) -> None:
    def wrong(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT * FROM nowhere")

    for attempt in (store.write(wrong), store.read(wrong)):
        with pytest.raises(DBAPIError, match="nowhere"):
            await attempt
    await store.write(add("after"))
    assert await store.read(texts) == ["after"]


async def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(DBAPIError, match=r"read-?only"):
        await store.read(add("never"))

    assert await store.read(texts) == []


async def test_more_waiting_writes_than_the_queue_holds_are_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.storage.MAX_PENDING_WRITES", 1)
    gate = Gate()
    holding = asyncio.create_task(store.write(gate))
    await gate.entered()
    queued = asyncio.create_task(store.write(add("queued")))
    await asyncio.sleep(0)

    with pytest.raises(StoreBusy):
        await store.write(add("too much"))

    gate.open()
    await asyncio.gather(holding, queued)


async def test_more_waiting_reads_than_the_queue_holds_are_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.storage.MAX_PENDING_READS", 1)
    gate = Gate()
    holding = asyncio.create_task(store.read(gate))
    await gate.entered()

    with pytest.raises(StoreBusy):
        await store.read(texts)

    gate.open()
    await holding
    assert await store.read(texts) == []


async def test_tables_of_an_earlier_start_are_kept(url: str) -> None:
    async with Store(url, metadata=METADATA) as first:
        await first.write(add("kept"))

    async with Store(url, metadata=METADATA) as second:
        assert await second.read(texts) == ["kept"]


KILLED = """
import asyncio, sys
from sqlalchemy import Column, Integer, MetaData, String, Table, insert
from runtime.storage import Store
metadata = MetaData()
notes = Table("notes", metadata, Column("id", Integer, primary_key=True), Column("text", String, unique=True, nullable=False))

async def main():
    async with Store(sys.argv[1], metadata=metadata) as store:
        number = 0
        while True:
            number += 1
            await store.write(lambda c: c.execute(insert(notes).values(id=number, text=str(number))).rowcount)
            print(number, flush=True)

asyncio.run(main())
"""


async def test_every_acknowledged_write_survives_a_kill_of_its_writer(url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, url, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    acknowledged = 0
    while acknowledged < 25:
        acknowledged = int(await asyncio.wait_for(process.stdout.readline(), WAIT_SECONDS))
    process.send_signal(signal.SIGKILL)
    rest, _ = await process.communicate()
    acknowledged = max([acknowledged, *map(int, rest.split())])

    async with Store(url, metadata=METADATA) as store:
        # A write of the next one's waits for the transaction that the dead process may have left behind.
        await store.write(lambda _: None)
        count = await store.read(
            lambda connection: connection.scalar(select(func.count()).select_from(NOTES))
        )

    assert count in {acknowledged, acknowledged + 1}
