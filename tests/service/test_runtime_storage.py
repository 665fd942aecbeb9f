"""The store on a real file: grouped commits, isolation of neighbours, durability, exclusion."""

import asyncio
import signal
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, event, func, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError

from runtime.errors import StartupError
from runtime.sqlite import StoreLocked
from runtime.storage import Store, StoreBusy, StoreUnreachable, sqlite_path_for

WAIT_SECONDS = 20.0
METADATA = MetaData()
NOTES = Table(
    "notes",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("text", String, unique=True, nullable=False),
)


def add(text: str) -> Callable[[Connection], int]:
    def change(connection: Connection) -> int:
        return int(connection.execute(insert(NOTES).values(text=text).returning(NOTES.c.id)).scalar_one())

    return change


def texts(connection: Connection) -> list[str]:
    return list(connection.scalars(select(NOTES.c.text).order_by(NOTES.c.id)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with Store(f"sqlite:///{path}", metadata=METADATA) as opened:
        yield opened


class Gate:
    """A change that holds the writer thread until told to go on, so that others queue up behind it."""

    def __init__(self) -> None:
        self.entered, self.go_on = threading.Event(), threading.Event()

    def __call__(self, _connection: Connection) -> None:
        self.entered.set()
        assert self.go_on.wait(WAIT_SECONDS)


async def test_what_is_written_can_be_read_by_the_next_read(store: Store) -> None:
    assert await store.write(add("a")) == 1

    assert await store.read(texts) == ["a"]


async def test_a_change_that_raises_undoes_itself_and_not_its_neighbours(store: Store) -> None:
    def half(connection: Connection) -> None:
        connection.execute(insert(NOTES).values(text="half"))
        raise LookupError("second thoughts")

    gate = Gate()
    holding = asyncio.create_task(store.write(gate))
    await asyncio.to_thread(gate.entered.wait, WAIT_SECONDS)
    waiting = [
        asyncio.create_task(store.write(change)) for change in (add("a"), half, add("b"), add("a"), add("c"))
    ]
    await asyncio.sleep(0)
    gate.go_on.set()
    await holding
    results = await asyncio.gather(*waiting, return_exceptions=True)

    assert isinstance(results[1], LookupError)
    assert isinstance(results[3], IntegrityError)
    assert await store.read(texts) == ["a", "b", "c"]


async def test_changes_that_wait_together_share_one_commit(store: Store) -> None:
    commits: list[object] = []
    assert store._writer is not None
    event.listen(store._writer._engine, "commit", commits.append)
    gate = Gate()
    holding = asyncio.create_task(store.write(gate))
    await asyncio.to_thread(gate.entered.wait, WAIT_SECONDS)
    waiting = [asyncio.create_task(store.write(add(str(number)))) for number in range(100)]
    # One turn of the loop lets every task reach the queue.
    await asyncio.sleep(0)
    assert store._writer.pending == len(waiting)
    gate.go_on.set()
    await asyncio.gather(holding, *waiting)

    assert len(commits) == 2
    assert (
        await store.read(lambda connection: connection.scalar(select(func.count()).select_from(NOTES))) == 100
    )


async def test_nobody_is_told_before_the_commit(store: Store, path: Path) -> None:
    told_before_commit: list[bool] = []
    assert store._writer is not None
    writing = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_commit(_connection: Connection) -> None:
        told_before_commit.append(task.done())
        loop.call_soon_threadsafe(writing.set)

    event.listen(store._writer._engine, "commit", on_commit)
    task = asyncio.create_task(store.write(add("a")))
    await task

    assert told_before_commit == [False]
    with sqlite3.connect(path) as other:
        assert other.execute("select text from notes").fetchall() == [("a",)]
    other.close()


async def test_a_caller_that_stops_waiting_does_not_stop_its_change(store: Store) -> None:
    gate = Gate()
    holding = asyncio.create_task(store.write(gate))
    await asyncio.to_thread(gate.entered.wait, WAIT_SECONDS)
    abandoned = asyncio.create_task(store.write(add("kept")))
    await asyncio.sleep(0)
    abandoned.cancel()
    gate.go_on.set()
    await holding
    await asyncio.wait([abandoned])

    assert abandoned.cancelled()
    await store.write(add("next"))
    assert await store.read(texts) == ["kept", "next"]


async def test_closing_commits_what_is_queued_and_refuses_what_comes_after(path: Path) -> None:
    store = Store(f"sqlite:///{path}", metadata=METADATA)
    await store.open()
    gate = Gate()
    holding = asyncio.create_task(store.write(gate))
    await asyncio.to_thread(gate.entered.wait, WAIT_SECONDS)
    queued = asyncio.create_task(store.write(add("queued")))
    await asyncio.sleep(0)
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    gate.go_on.set()
    await asyncio.gather(holding, queued, closing)
    await store.close()

    with pytest.raises(StoreUnreachable, match="closed"):
        await store.write(add("late"))
    with pytest.raises(StoreUnreachable, match="closed"):
        await store.read(texts)
    async with Store(f"sqlite:///{path}", metadata=METADATA) as again:
        assert await again.read(texts) == ["queued"]


async def test_a_second_store_on_the_same_file_is_refused_until_the_first_closes(path: Path) -> None:
    url = f"sqlite:///{path}"
    async with Store(url, metadata=METADATA):
        with pytest.raises(StoreLocked, match=r"storage.url: .* is in use by another process"):
            await Store(url, metadata=METADATA).open()

    async with Store(url, metadata=METADATA) as second:
        assert await second.read(texts) == []


async def test_a_lost_disk_fails_every_change_of_the_batch_and_the_store_recovers(store: Store) -> None:
    def out_of_space(connection: Connection) -> None:
        # SQLite's own limit stands in for a full disk: the same error code, SQLITE_FULL.
        connection.exec_driver_sql("PRAGMA max_page_count=1")
        connection.exec_driver_sql("CREATE TABLE big AS SELECT zeroblob(1000000) AS x")

    gate = Gate()
    holding = asyncio.create_task(store.write(gate))
    await asyncio.to_thread(gate.entered.wait, WAIT_SECONDS)
    waiting = [asyncio.create_task(store.write(change)) for change in (add("lost"), out_of_space)]
    await asyncio.sleep(0)
    gate.go_on.set()
    await holding
    results = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(one) for one in results] == [StoreUnreachable, StoreUnreachable]
    assert await store.read(texts) == []
    await store.write(add("after"))
    assert await store.read(texts) == ["after"]


async def test_a_wrong_statement_is_a_bug_and_no_store_trouble(store: Store) -> None:
    def wrong(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT * FROM nowhere")

    with pytest.raises(OperationalError, match="no such table"):
        await store.write(wrong)
    with pytest.raises(OperationalError, match="no such table"):
        await store.read(wrong)


async def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(OperationalError, match="readonly"):
        await store.read(add("never"))

    assert await store.read(texts) == []


async def test_more_waiting_writes_than_the_queue_holds_are_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.storage.MAX_PENDING_WRITES", 1)
    gate = Gate()
    holding = asyncio.create_task(store.write(gate))
    await asyncio.to_thread(gate.entered.wait, WAIT_SECONDS)
    queued = asyncio.create_task(store.write(add("queued")))
    await asyncio.sleep(0)

    with pytest.raises(StoreBusy):
        await store.write(add("too much"))

    gate.go_on.set()
    await asyncio.gather(holding, queued)


async def test_the_journal_is_synchronised_fully(store: Store) -> None:
    def pragmas(connection: Connection) -> tuple[object, object]:
        return (
            connection.exec_driver_sql("PRAGMA journal_mode").scalar(),
            connection.exec_driver_sql("PRAGMA synchronous").scalar(),
        )

    assert await store.write(pragmas) == ("wal", 2)


KILLED = """
import asyncio, sys
from sqlalchemy import text
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


async def test_every_acknowledged_write_survives_a_kill(path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        KILLED,
        f"sqlite:///{path}",
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    acknowledged = 0
    while acknowledged < 25:
        acknowledged = int(await asyncio.wait_for(process.stdout.readline(), WAIT_SECONDS))
    process.send_signal(signal.SIGKILL)
    rest, _ = await process.communicate()
    acknowledged = max([acknowledged, *map(int, rest.split())])

    async with Store(f"sqlite:///{path}", metadata=METADATA) as store:
        count = await store.read(
            lambda connection: connection.scalar(select(func.count()).select_from(NOTES))
        )

    assert count in {acknowledged, acknowledged + 1}


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        pytest.param("mysql://h/x", "mysql is not supported", id="other database"),
        pytest.param("sqlite://", "must name a file", id="memory"),
        pytest.param("nonsense", "is not a database URL", id="no url"),
    ],
)
async def test_a_url_that_cannot_be_opened_names_its_key(url: str, problem: str) -> None:
    with pytest.raises(StartupError, match=f"storage.url: {problem}"):
        await Store(url, metadata=METADATA).open()


async def test_a_folder_that_cannot_be_made_is_a_startup_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StartupError, match=r"storage\.url: cannot open"):
        await Store(f"sqlite:///{tmp_path}/file/store.db", metadata=METADATA).open()


def test_each_service_has_its_own_file_beside_the_configured_one() -> None:
    assert sqlite_path_for("sqlite:///data/opitios.db", "sell") == "sqlite:///data/opitios-sell.db"
    assert sqlite_path_for("sqlite:////var/lib/x.db", "sell") == "sqlite:////var/lib/x-sell.db"
