"""The store in PostgreSQL: several processes, a server that dies, links that break around a commit."""

import asyncio
import contextlib
import functools
import itertools
import os
import signal
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from fakes.databases import Postgres
from fakes.lossy_link import Break, LossyLink, lossy_link
from fakes.store_notes import METADATA, WAIT_SECONDS, Gate, add, fill, purses, spend, texts
from runtime.errors import StartupError
from runtime.postgres import Patience
from runtime.storage import (
    StorageConflict,
    Store,
    StoreBusy,
    StoreOutcomeUnknown,
    StoreUnreachable,
    service_url,
)

Impatient = Callable[..., None]


@pytest.fixture
def url(postgres: Postgres) -> str:
    return service_url(postgres.url, f"notes_{uuid.uuid4().hex}")


@pytest.fixture
async def replicas(url: str) -> AsyncIterator[tuple[Store, Store]]:
    async with Store(url, metadata=METADATA) as one, Store(url, metadata=METADATA) as other:
        yield one, other


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Impatient:
    """Shortens what stores opened from now on wait for."""

    def shorten(**seconds: float) -> None:
        monkeypatch.setattr("runtime.postgres_store.Patience", functools.partial(Patience, **seconds))

    return shorten


@pytest.fixture
async def link(url: str) -> AsyncIterator[tuple[LossyLink, str]]:
    """A link, and the URL of the same database through it."""
    parsed = make_url(url)
    # A socket's path has at most 107 bytes, so not below the test's own folder.
    with tempfile.TemporaryDirectory() as folder:
        async with lossy_link(Path(str(parsed.query["host"])), Path(folder)) as opened:
            yield opened, parsed.update_query_dict({"host": folder}).render_as_string(hide_password=False)


def backend_pid(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


async def test_writes_without_a_lock_follow_one_another_across_replicas(
    replicas: tuple[Store, Store],
) -> None:
    await replicas[0].write(fill("purse", cash=50))

    allowed = await asyncio.gather(*(replicas[number % 2].write(spend("purse", 1)) for number in range(120)))

    assert sum(allowed) == 50
    assert await replicas[1].read(purses) == {"purse": 0}


async def test_two_hundred_spends_of_twenty_purses_over_two_replicas_never_overspend(
    replicas: tuple[Store, Store],
) -> None:
    names = [f"purse-{number}" for number in range(20)]
    await replicas[0].write(fill(*names, cash=100))

    allowed = await asyncio.gather(
        *(
            replicas[number % 2].write(spend(names[number // 10], 30), lock=names[number // 10])
            for number in range(200)
        )
    )

    assert sum(allowed) == 20 * 3
    assert await replicas[0].read(purses) == dict.fromkeys(names, 10)


async def test_only_writes_with_the_same_lock_or_none_wait_for_each_other(
    replicas: tuple[Store, Store],
) -> None:
    gate = Gate()
    holding = asyncio.create_task(replicas[0].write(gate, lock="a"))
    await gate.entered()
    same = asyncio.create_task(replicas[1].write(add("same"), lock="a"))
    await replicas[1].write(add("other"), lock="b")
    for_all = asyncio.create_task(replicas[1].write(add("all")))
    await _until_waiting(replicas[1], 2)

    assert await replicas[1].read(texts) == ["other"]
    gate.open()
    await asyncio.gather(holding, same, for_all)
    assert sorted(await replicas[0].read(texts)) == ["all", "other", "same"]


async def test_a_read_of_one_replica_holds_what_a_write_of_the_other_returned(
    replicas: tuple[Store, Store],
) -> None:
    for number in range(20):
        await replicas[number % 2].write(add(str(number)), lock=str(number))
        assert len(await replicas[1 - number % 2].read(texts)) == number + 1


async def test_replicas_that_start_together_make_the_schema_once(url: str) -> None:
    stores = [Store(url, metadata=METADATA) for _ in range(4)]
    async with contextlib.AsyncExitStack() as opened:
        await asyncio.gather(*(opened.enter_async_context(store) for store in stores))
        await asyncio.gather(*(store.write(add(str(number))) for number, store in enumerate(stores)))

        assert len(await stores[0].read(texts)) == 4


async def test_two_services_in_one_database_have_tables_of_their_own(postgres: Postgres) -> None:
    async with (
        Store(service_url(postgres.url, "one_svc"), metadata=METADATA) as one,
        Store(service_url(postgres.url, "other_svc"), metadata=METADATA) as other,
    ):
        await one.write(add("mine"))

        assert await other.read(texts) == []


async def test_a_commit_is_on_disk_before_it_is_told(replicas: tuple[Store, Store]) -> None:
    def setting(connection: Connection) -> tuple[str, str]:
        names = ("synchronous_commit", "fsync")
        first, second = (connection.execute(text(f"SHOW {name}")).scalar_one() for name in names)
        return first, second

    assert await replicas[0].write(setting) == ("on", "on")


async def test_a_server_that_crashes_keeps_what_was_told_and_is_used_again_once_back(
    postgres: Postgres, replicas: tuple[Store, Store]
) -> None:
    told: list[str] = []

    async def keep_writing(store: Store, prefix: str) -> None:
        for number in itertools.count():
            try:
                await store.write(add(f"{prefix}{number}"), lock=prefix)
            except StoreUnreachable:
                return
            told.append(f"{prefix}{number}")
            if crashed.is_set():
                return
            if len(told) > 20:
                enough.set()

    enough, crashed = asyncio.Event(), asyncio.Event()
    writing = [
        asyncio.create_task(keep_writing(replicas[number % 2], prefix))
        for number, prefix in enumerate("abcd")
    ]
    await asyncio.wait_for(enough.wait(), WAIT_SECONDS)
    await asyncio.to_thread(postgres.crash)
    crashed.set()
    with pytest.raises(StoreUnreachable, match="cannot be read"):
        await replicas[0].read(texts)
    unreachable = [asyncio.create_task(replicas[0].write(add("while down"))) for _ in range(3)]
    results = await asyncio.gather(*unreachable, return_exceptions=True)
    await asyncio.to_thread(postgres.start)
    # Commits in doubt waited for the server to tell.
    await asyncio.wait_for(asyncio.gather(*writing), WAIT_SECONDS)

    assert [type(one) for one in results] == [StoreUnreachable] * 3
    # Nothing is reopened: connections that died are replaced on the way.
    await asyncio.gather(*(store.write(add(f"after {number}")) for number, store in enumerate(replicas)))
    kept = await replicas[1].read(texts)
    assert set(kept) == {*told, "after 0", "after 1"}


async def test_connections_that_a_restart_killed_are_replaced_without_an_error(
    postgres: Postgres, replicas: tuple[Store, Store]
) -> None:
    await asyncio.gather(*(replicas[0].write(add(str(number)), lock=str(number)) for number in range(8)))
    await asyncio.to_thread(postgres.crash)
    await asyncio.to_thread(postgres.start)

    await asyncio.gather(
        *(replicas[0].write(add(f"again {number}"), lock=str(number)) for number in range(8))
    )
    assert len(await replicas[0].read(texts)) == 16


@pytest.mark.parametrize("where", list(Break), ids=lambda where: where.name.lower())
async def test_a_link_that_breaks_around_the_commit_leaves_the_change_done_once(
    link: tuple[LossyLink, str], where: Break
) -> None:
    lossy, url = link
    runs = 0

    def change(connection: Connection) -> int:
        nonlocal runs
        runs += 1
        return add("once")(connection)

    async with Store(url, metadata=METADATA) as store:
        lossy.break_next_commit(where)
        await store.write(change, lock="a")

        assert await store.read(texts) == ["once"]
    assert lossy.broken == 1
    assert runs == (1 if where is Break.AFTER_COMMIT else 2)


async def test_a_commit_that_nobody_can_answer_for_is_told_as_unknown(
    link: tuple[LossyLink, str], impatient: Impatient
) -> None:
    lossy, url = link
    impatient(doubt=0.5)
    async with Store(url, metadata=METADATA) as store:
        lossy.break_next_commit(Break.AFTER_COMMIT, stay_down=True)

        with pytest.raises(StoreOutcomeUnknown):
            await store.write(add("doubtful"))

        lossy.repair()
        await store.write(add("next"))
        assert await store.read(texts) == ["doubtful", "next"]


async def test_a_server_process_that_freezes_is_given_up_in_time_and_undone(
    url: str, impatient: Impatient
) -> None:
    impatient(lock=0.5, transaction=1.0)
    frozen: list[int] = []

    def change(connection: Connection) -> None:
        add("lost")(connection)
        if not frozen:
            frozen.append(backend_pid(connection))
            os.kill(frozen[0], signal.SIGSTOP)
        add("never")(connection)

    async with Store(url, metadata=METADATA) as store:
        began = time.monotonic()
        try:
            with pytest.raises((StoreUnreachable, StoreBusy)):
                await store.write(change, lock="a")
            assert time.monotonic() - began < 5
            await store.write(add("beside"), lock="b")
        finally:
            os.kill(frozen[0], signal.SIGCONT)
        await store.write(add("after"), lock="a")

        assert await store.read(texts) == ["beside", "after"]


async def test_a_replica_that_is_paused_inside_a_change_loses_its_lock_and_runs_again(
    url: str, impatient: Impatient
) -> None:
    impatient(lock=4.0, transaction=1.0)
    gate = Gate()

    def paused(connection: Connection) -> bool:
        gate(connection)
        return spend("purse", 30)(connection)

    async with Store(url, metadata=METADATA) as one:
        impatient(lock=4.0, transaction=4.0)
        async with Store(url, metadata=METADATA) as other:
            await other.write(fill("purse", cash=50))
            holding = asyncio.create_task(one.write(paused))
            await gate.entered()

            assert await other.write(spend("purse", 30))

            gate.open()
            with pytest.raises(StoreUnreachable):
                await holding
            assert await other.read(purses) == {"purse": 20}


async def test_a_statement_that_takes_too_long_is_stopped_and_its_neighbours_can_try_again(
    url: str, impatient: Impatient
) -> None:
    impatient(lock=0.2, transaction=0.4)
    async with Store(url, metadata=METADATA) as store:
        with pytest.raises(StoreUnreachable):
            await store.write(lambda connection: connection.execute(text("SELECT pg_sleep(30)")))
        with pytest.raises(StoreUnreachable):
            await store.read(lambda connection: connection.execute(text("SELECT pg_sleep(30)")))

        await store.write(add("after"))
        assert await store.read(texts) == ["after"]


async def test_a_lock_that_another_process_keeps_too_long_is_told_as_busy(
    url: str, impatient: Impatient
) -> None:
    async with Store(url, metadata=METADATA) as one:
        impatient(lock=0.2)
        async with Store(url, metadata=METADATA) as other:
            gate = Gate()
            holding = asyncio.create_task(one.write(gate, lock="a"))
            await gate.entered()

            with pytest.raises(StoreBusy):
                await other.write(add("late"), lock="a")

            gate.open()
            await holding
            await other.write(add("now"), lock="a")


@pytest.mark.parametrize(
    ("lost_races", "told"),
    [pytest.param(2, None, id="wins the third"), pytest.param(99, StorageConflict, id="loses every race")],
)
async def test_a_lost_race_is_run_again_a_few_times(
    replicas: tuple[Store, Store], lost_races: int, told: type[Exception] | None
) -> None:
    runs = 0

    def race(connection: Connection) -> None:
        nonlocal runs
        runs += 1
        add("raced")(connection)
        if runs <= lost_races:
            connection.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$"))

    with pytest.raises(told) if told else contextlib.nullcontext():
        await replicas[0].write(race)

    assert runs == 3
    assert await replicas[0].read(texts) == ([] if told else ["raced"])


@pytest.mark.parametrize("neighbours", [0, 2], ids=["alone", "among others"])
async def test_a_change_that_goes_on_after_its_own_error_is_never_told_done(
    replicas: tuple[Store, Store], neighbours: int
) -> None:
    def careless(connection: Connection) -> None:
        add("twice")(connection)
        with contextlib.suppress(IntegrityError):
            add("twice")(connection)

    gate = Gate()
    holding = asyncio.create_task(replicas[0].write(gate))
    await gate.entered()
    wrong = asyncio.create_task(replicas[0].write(careless))
    others = [asyncio.create_task(replicas[0].write(add(str(number)))) for number in range(neighbours)]
    await asyncio.sleep(0)
    gate.open()
    await asyncio.gather(holding, *others)
    with pytest.raises(RuntimeError, match="caught the error of a statement"):
        await wrong
    assert await replicas[0].read(texts) == [str(number) for number in range(neighbours)]


async def test_marks_of_commits_do_not_pile_up(replicas: tuple[Store, Store]) -> None:
    for number in range(50):
        await replicas[0].write(add(str(number)), lock=str(number))

    def marks(connection: Connection) -> int:
        return int(connection.execute(text("SELECT count(*) FROM store_commits")).scalar_one())

    assert 1 <= await replicas[0].read(marks) <= 4


async def test_the_loop_goes_on_while_the_server_does_not_answer(url: str, impatient: Impatient) -> None:
    impatient(transaction=0.5)
    async with Store(url, metadata=METADATA) as store:
        slow = asyncio.create_task(
            store.read(lambda connection: connection.execute(text("SELECT pg_sleep(30)")))
        )
        turns = 0
        while not slow.done():
            turns += 1
            await asyncio.sleep(0)

        assert turns > 100
        with pytest.raises(StoreUnreachable):
            await slow


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        pytest.param(
            "postgresql://127.0.0.1:1/x?schema=a", "cannot open .*127.0.0.1:1/x", id="nobody listens"
        ),
        pytest.param("postgresql://127.0.0.1/x", "names no schema", id="no schema"),
        pytest.param("postgresql://127.0.0.1/x?schema=a-b", "names no schema", id="no name of a schema"),
    ],
)
async def test_a_url_that_cannot_be_opened_names_its_key_and_no_password(url: str, problem: str) -> None:
    with_password = make_url(url).set(username="me", password="hush").render_as_string(hide_password=False)

    with pytest.raises(StartupError, match=rf"storage\.url: {problem}") as raised:
        await Store(with_password, metadata=METADATA).open()

    assert "hush" not in str(raised.value)


def test_each_service_has_a_schema_of_its_own_in_the_configured_database() -> None:
    url = service_url("postgresql://me:p%40ss@db:5433/trading?sslmode=require", "sell_svc")

    parsed = make_url(url)
    assert parsed.drivername == "postgresql+psycopg"
    assert (parsed.password, parsed.host, parsed.port, parsed.database) == ("p@ss", "db", 5433, "trading")
    assert parsed.query == {"sslmode": "require", "schema": "sell_svc"}


async def _until_waiting(store: Store, count: int) -> None:
    def waiting(connection: Connection) -> int:
        query = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return int(connection.execute(query).scalar_one())

    async with asyncio.timeout(WAIT_SECONDS):
        while await store.read(waiting) < count:
            pass
