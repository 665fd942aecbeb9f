"""Faults on demand, the ledger that records them, and waiting for requests, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from sandbox_process import SandboxProcess, SandboxRefusal

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = {"APCA-API-KEY-ID": "PKFAULTY", "APCA-API-SECRET-KEY": "a-made-up-secret"}
OTHER_KEYS = {"APCA-API-KEY-ID": "PKOTHER", "APCA-API-SECRET-KEY": "another-made-up-secret"}
ORDERS = {"method": "POST", "path": "^/v2/orders$"}
SCENARIO = {
    "clock": {"at": "2026-11-24T15:00:00Z"},
    "rate_limit": None,
    "accounts": [
        {"name": "faulty", "key": KEYS["APCA-API-KEY-ID"], "secret": KEYS["APCA-API-SECRET-KEY"],
         "account_number": "PA1", "cash": "1000000"},
        {"name": "other", "key": OTHER_KEYS["APCA-API-KEY-ID"], "secret": OTHER_KEYS["APCA-API-SECRET-KEY"],
         "account_number": "900000001", "cash": "1000000"},
    ],
    "quotes": {"AAPL": {"bid": "189.98", "ask": "190.02", "last": "190.00"}},
}  # fmt: skip

Json = dict[str, Any]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shared() -> AsyncIterator[SandboxProcess]:
    async with SandboxProcess(SCENARIO) as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox(shared: SandboxProcess) -> AsyncIterator[SandboxProcess]:
    yield shared
    await shared.clear_faults()


@pytest_asyncio.fixture(loop_scope="module")
async def http(sandbox: SandboxProcess) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(sandbox.url, headers=KEYS, timeout=timeout) as session:
        yield session


def buy(client_order_id: str) -> Json:
    order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    return {**order, "client_order_id": client_order_id}


async def orders_named(sandbox: SandboxProcess, client_order_id: str) -> list[Json]:
    ledger = await sandbox.ledger()
    return [order for order in ledger["orders"] if order["client_order_id"] == client_order_id]


async def last_request(sandbox: SandboxProcess, path: str) -> Json:
    return (await sandbox.requests(path=path))[-1]


@pytest.mark.parametrize(
    ("action", "placed"), [("cut_before", 0), ("cut_after", 1)], ids=["before processing", "after it"]
)
async def test_a_cut_connection_loses_the_answer_and_only_after_processing_the_order_exists(
    sandbox: SandboxProcess, http: aiohttp.ClientSession, action: str, placed: int
) -> None:
    await sandbox.add_fault({"match": ORDERS, "action": action})

    with pytest.raises(aiohttp.ClientConnectionError):
        await http.post("/v2/orders", json=buy(action))

    assert len(await orders_named(sandbox, action)) == placed
    request = await last_request(sandbox, "^/v2/orders$")
    assert (request["fault"], request["account"]) == (action, "faulty")
    assert request["status"] == (200 if placed else None)
    assert request["body"]["client_order_id"] == action


@pytest.mark.parametrize(("action", "placed"), [("hang", 0), ("hang_after", 1)], ids=["before", "after"])
async def test_a_hanging_request_is_never_answered_and_ends_with_its_client(
    sandbox: SandboxProcess, http: aiohttp.ClientSession, action: str, placed: int
) -> None:
    await sandbox.add_fault({"match": ORDERS, "action": action})
    start = len(await sandbox.requests())
    task = asyncio.ensure_future(http.post("/v2/orders", json=buy(action)))
    (arrived,) = await sandbox.wait_for_requests(after=start, method="POST", path="^/v2/orders$")

    async with http.get("/v2/clock") as others_go_on:
        assert others_go_on.status == 200
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert arrived["fault"] == action
    assert len(await orders_named(sandbox, action)) == placed


async def test_a_delayed_request_is_processed_even_when_its_client_has_gone(
    sandbox: SandboxProcess, http: aiohttp.ClientSession
) -> None:
    await sandbox.add_fault({"match": ORDERS, "action": "delay", "seconds": 0.4})
    start = len(await sandbox.requests())

    with pytest.raises(asyncio.TimeoutError):
        await http.post("/v2/orders", json=buy("late"), timeout=aiohttp.ClientTimeout(total=0.1))
    before = await orders_named(sandbox, "late")
    await sandbox.wait_for_requests(after=start, answered=True, method="POST", path="^/v2/orders$")

    assert before == []
    assert len(await orders_named(sandbox, "late")) == 1


async def test_a_status_fault_answers_as_told_and_processes_nothing(
    sandbox: SandboxProcess, http: aiohttp.ClientSession
) -> None:
    fault = {"action": "status", "status": 504, "body": "<html>", "headers": {"Content-Type": "text/html"}}
    await sandbox.add_fault({"match": ORDERS, **fault})

    async with http.post("/v2/orders", json=buy("gateway")) as answer:
        text = await answer.text()

    assert (answer.status, answer.content_type, text) == (504, "text/html", "<html>")
    assert await orders_named(sandbox, "gateway") == []


async def test_a_body_fault_keeps_the_order_but_garbles_the_answer(
    sandbox: SandboxProcess, http: aiohttp.ClientSession
) -> None:
    await sandbox.add_fault({"match": ORDERS, "action": "body", "body": "{nonsense"})

    async with http.post("/v2/orders", json=buy("garbled")) as answer:
        text = await answer.text()

    assert (answer.status, text) == (200, "{nonsense")
    assert len(await orders_named(sandbox, "garbled")) == 1


async def test_a_truncated_answer_ends_before_its_length(
    sandbox: SandboxProcess, http: aiohttp.ClientSession
) -> None:
    await sandbox.add_fault({"match": ORDERS, "action": "truncate"})

    async with http.post("/v2/orders", json=buy("half")) as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()

    assert len(await orders_named(sandbox, "half")) == 1


async def test_a_retry_after_storm_lasts_as_often_as_told(
    sandbox: SandboxProcess, http: aiohttp.ClientSession
) -> None:
    await sandbox.add_fault(
        {"match": {"path": "^/v2/account$"}, "action": "retry_after", "seconds": 7, "times": 3}
    )

    answers = [await http.get("/v2/account") for _ in range(4)]

    assert [answer.status for answer in answers] == [429, 429, 429, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert answers[0].headers["X-RateLimit-Remaining"] == "0"
    assert (await answers[0].json())["code"] == 42910000
    for answer in answers:
        answer.release()


async def test_faults_are_used_up_in_the_order_given_and_forever_means_until_cleared(
    sandbox: SandboxProcess, http: aiohttp.ClientSession
) -> None:
    clock = {"path": "^/v2/clock$"}
    await sandbox.add_fault({"match": clock, "action": "status", "status": 500})
    await sandbox.add_fault({"match": clock, "action": "status", "status": 503, "times": None})

    async def status() -> int:
        async with http.get("/v2/clock") as answer:
            return answer.status

    seen = [await status() for _ in range(3)]
    await sandbox.clear_faults()

    assert seen == [500, 503, 503]
    assert await status() == 200


async def test_a_fault_of_one_account_leaves_the_others_alone(
    sandbox: SandboxProcess, http: aiohttp.ClientSession
) -> None:
    await sandbox.add_fault({"match": {"account": "other"}, "action": "status", "status": 500})

    async with http.get("/v2/account") as mine, http.get("/v2/account", headers=OTHER_KEYS) as others:
        assert (mine.status, others.status) == (200, 500)


async def test_waiting_counts_what_has_arrived_already_and_wakes_for_the_rest(
    sandbox: SandboxProcess, http: aiohttp.ClientSession
) -> None:
    start = len(await sandbox.requests())
    async with http.get("/v2/positions"):
        pass

    waiting = asyncio.ensure_future(
        sandbox.wait_for_requests(count=2, after=start, path="^/v2/positions$", account="faulty")
    )
    async with http.get("/v2/clock"):
        pass
    assert not waiting.done()
    async with http.get("/v2/positions"):
        pass
    found = await waiting

    assert [request["path"] for request in found] == ["/v2/positions", "/v2/positions"]
    assert found[0]["index"] < found[1]["index"]


async def test_waiting_in_vain_says_how_many_came(sandbox: SandboxProcess) -> None:
    with pytest.raises(SandboxRefusal, match="0 of 1 requests arrived in 1 s") as caught:
        await sandbox.wait_for_requests(path="^/never$", within_seconds=1)

    assert caught.value.status == 408


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param({"action": "explode"}, "action: must be one of", id="unknown action"),
        pytest.param({"action": "hang", "match": {"path": "("}}, "match.path", id="broken expression"),
        pytest.param({"action": "hang", "time": 1}, "time: is unknown", id="unknown key"),
        pytest.param({"action": "hang", "times": 0}, "times: must be at least 1", id="no times"),
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused_with_the_path_of_the_problem(
    sandbox: SandboxProcess, fault: Json, words: str
) -> None:
    with pytest.raises(SandboxRefusal) as caught:
        await sandbox.add_fault(fault)

    assert any(words in problem for problem in caught.value.problems)


async def test_a_stale_read_does_not_know_of_the_write_before_it(
    sandbox: SandboxProcess, http: aiohttp.ClientSession
) -> None:
    path = "/v2/orders:by_client_order_id"
    await sandbox.add_fault({"action": "stale", "match": {"method": "GET", "path": "by_client_order_id"}})
    async with http.post("/v2/orders", json=buy("unseen")) as answer:
        assert answer.status == 200
    async with http.get(path, params={"client_order_id": "unseen"}) as answer:
        first = answer.status
    async with http.get(path, params={"client_order_id": "unseen"}) as answer:
        second = answer.status

    assert (first, second) == (404, 200)
    assert len(await orders_named(sandbox, "unseen")) == 1
