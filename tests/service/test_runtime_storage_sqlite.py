"""The store in a SQLite file: one process, full synchronisation, recovery from a full disk."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from fakes.store_notes import METADATA, Gate, add, texts
from runtime.errors import StartupError
from runtime.sqlite import StoreLocked
from runtime.storage import Store, StoreUnreachable, service_url


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with Store(f"sqlite:///{path}", metadata=METADATA) as opened:
        yield opened


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
    await gate.entered()
    waiting = [asyncio.create_task(store.write(change)) for change in (add("lost"), out_of_space)]
    await asyncio.sleep(0)
    gate.open()
    await holding
    results = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(one) for one in results] == [StoreUnreachable, StoreUnreachable]
    assert await store.read(texts) == []
    await store.write(add("after"))
    assert await store.read(texts) == ["after"]


async def test_the_journal_is_synchronised_fully(store: Store) -> None:
    def pragmas(connection: Connection) -> tuple[object, object]:
        return (
            connection.exec_driver_sql("PRAGMA journal_mode").scalar(),
            connection.exec_driver_sql("PRAGMA synchronous").scalar(),
        )

    assert await store.write(pragmas) == ("wal", 2)


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
    assert service_url("sqlite:///data/opitios.db", "sell") == "sqlite:///data/opitios-sell.db"
    assert service_url("sqlite:////var/lib/x.db", "sell") == "sqlite:////var/lib/x-sell.db"
