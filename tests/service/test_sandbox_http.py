"""The exchange as a server: manners of every answer, the request budget, strangers' bytes, and the command line."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from sandbox_process import SandboxProcess, SandboxRefusal

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).resolve().parent.parent.parent
KEYS = {"APCA-API-KEY-ID": "PKHTTP", "APCA-API-SECRET-KEY": "a-made-up-secret"}
ACCOUNT = {
    "name": "http",
    "key": "PKHTTP",
    "secret": "a-made-up-secret",
    "account_number": "PA1",
    "cash": "1000000",
}
SCENARIO = {
    "clock": {"at": "2026-11-24T15:00:00Z"},
    "rate_limit": None,
    "accounts": [ACCOUNT],
    "quotes": {"AAPL": {"bid": "189.98", "ask": "190.02", "last": "190.00"}},
}

Json = dict[str, Any]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sandbox() -> AsyncIterator[SandboxProcess]:
    async with SandboxProcess(SCENARIO) as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module")
async def http(sandbox: SandboxProcess) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(sandbox.url, headers=KEYS, timeout=timeout) as session:
        yield session


def buy(**changes: Any) -> Json:
    return {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day", **changes}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/account", 200),
        ("GET", "/v2/orders/00000000-0000-0000-0000-000000000000", 404),
        ("GET", "/v2/nothing/here", 404),
        ("GET", "/v2/stocks/quotes/latest", 400),
        ("POST", "/v2/orders", 400),
    ],
)
async def test_every_answer_carries_a_request_id_and_the_budget(
    http: aiohttp.ClientSession, method: str, path: str, status: int
) -> None:
    async with http.request(method, path) as answer:
        body = await answer.json()

    assert answer.status == status
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])
    for name in ("Limit", "Remaining", "Reset"):
        assert answer.headers[f"X-RateLimit-{name}"].isdigit()
    assert status == 200 or body["message"]


@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        pytest.param({}, 403, {"message": "forbidden."}, id="no keys"),
        pytest.param(
            {**KEYS, "APCA-API-KEY-ID": "PKOTHER"}, 401, {"message": "unauthorized."}, id="unknown key"
        ),
        pytest.param(
            {**KEYS, "APCA-API-SECRET-KEY": "x"}, 401, {"message": "unauthorized."}, id="wrong secret"
        ),
        pytest.param(
            {**KEYS, "APCA-API-SECRET-KEY": "é"}, 401, {"message": "unauthorized."}, id="odd secret"
        ),
    ],
)
async def test_a_caller_without_the_right_keys_gets_no_further(
    sandbox: SandboxProcess, headers: dict[str, str], status: int, body: Json
) -> None:
    async with (
        aiohttp.ClientSession(sandbox.url, headers=headers) as stranger,
        stranger.post("/v2/orders", json=buy(client_order_id="stolen")) as answer,
    ):
        assert (answer.status, await answer.json()) == (status, body)
        assert answer.headers["X-Request-ID"]

    ledger = await sandbox.ledger()
    assert all(order["client_order_id"] != "stolen" for order in ledger["orders"])
    assert ledger["requests"][-1]["account"] is None


async def test_the_budget_runs_out_with_429_and_the_other_budget_is_untouched(
    sandbox: SandboxProcess, http: aiohttp.ClientSession
) -> None:
    await sandbox.set_rate_limit(trading=3)
    second = {**ACCOUNT, "name": "second", "key": "PKSECOND"}
    await sandbox.add_account(second)
    keys = {**KEYS, "APCA-API-KEY-ID": "PKSECOND"}
    try:
        answers = [await http.get("/v2/clock", headers=keys) for _ in range(6)]
        market = await http.get("/v2/stocks/quotes/latest?symbols=AAPL", headers=keys)
    finally:
        await sandbox.set_rate_limit(trading=None)

    # A new minute may begin in the middle; within one there are never more than three.
    windows: dict[str, list[int]] = {}
    for answer in answers:
        windows.setdefault(answer.headers["X-RateLimit-Reset"], []).append(answer.status)
    for statuses in windows.values():
        assert statuses == [200, 200, 200, 429, 429, 429][: len(statuses)]
    assert 429 in [answer.status for answer in answers] or len(windows) > 1
    refused = next(answer for answer in answers if answer.status == 429)
    assert (await refused.json()) == {"code": 42910000, "message": "rate limit exceeded"}
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert market.status == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b"null", b'"order"', b"\xff\xfe", b'{"qty": NaN}', b"[" * 50_000, b'{"qty": ' + b"9" * 6_000 + b"}",
        b'{"symbol": "AAPL", "qty": 1e99999999999, "side": "buy", "type": "market", "time_in_force": "day"}',
        b'{"symbol": "\\ud800", "qty": 1, "side": "buy", "type": "market", "time_in_force": "day"}',
        b'{"symbol": "AAPL", "qty": 1, "side": "buy", "type": "market", "time_in_force": "day", "client_order_id": "\\ud800"}',
    ],
    ids=lambda raw: repr(raw[:24]),
)  # fmt: skip
async def test_nonsense_is_answered_in_alpacas_shape_and_never_with_500(
    http: aiohttp.ClientSession, raw: bytes
) -> None:
    async with http.post("/v2/orders", data=raw) as answer:
        body = await answer.json()

    assert answer.status in (400, 422)
    assert isinstance(body["code"], int)
    assert isinstance(body["message"], str)


@pytest.mark.parametrize(
    "path",
    [
        "/v2/orders?limit=0", "/v2/orders?limit=501", "/v2/orders?limit=ten", "/v2/orders?status=odd",
        "/v2/orders?direction=up", "/v2/orders?side=both", "/v2/orders?after=yesterday", "/v2/orders/not-a-uuid",
        "/v2/orders:by_client_order_id", "/v2/calendar?start=soon", "/v2/options/contracts?limit=99999",
        "/v2/options/contracts?page_token=%F0%9F%98%80", "/v2/options/contracts?strike_price_gte=NaN",
        "/v2/options/contracts?expiration_date=31-12-2026", "/v1beta1/options/snapshots/AAPL?limit=0",
        "/v1beta1/options/snapshots/AAPL?page_token=x", "/v1beta1/options/snapshots/AAPL?strike_price_lte=NaN",
        "/v1beta1/options/quotes/latest?symbols=AAPL", "/v2/stocks/snapshots?symbols=aapl",
        "/v2/stocks/NOPE/quotes/latest",
    ],
)  # fmt: skip
async def test_a_bad_query_is_a_4xx_with_a_message(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(path) as answer:
        body = await answer.json()

    assert 400 <= answer.status < 500
    assert body["message"]


async def test_a_body_beyond_all_reason_is_refused(http: aiohttp.ClientSession) -> None:
    async with http.post("/v2/orders", data=io.BytesIO(b" " * 3_000_000)) as answer:
        assert answer.status == 413
        assert (await answer.json())["message"] == "request body is too large"


async def test_a_surprising_client_order_id_is_kept_as_it_is(http: aiohttp.ClientSession) -> None:
    name = "ä/€ :?&=%20\u2028"
    async with http.post("/v2/orders", json=buy(client_order_id=name)) as answer:
        placed = await answer.json()
    async with http.get("/v2/orders:by_client_order_id", params={"client_order_id": name}) as answer:
        found = await answer.json()

    assert found["id"] == placed["id"]
    assert found["client_order_id"] == name


async def test_the_ledger_tells_an_orders_whole_story_and_what_it_did_to_the_cash(
    sandbox: SandboxProcess, http: aiohttp.ClientSession
) -> None:
    await sandbox.set_matching(auto=False)
    async with http.post("/v2/orders", json=buy(qty="3", client_order_id="story")) as answer:
        order_id = (await answer.json())["id"]
    await sandbox.fill(order_id, qty=1, price="190")
    await sandbox.fill(order_id, price="191")
    await sandbox.set_matching(auto=True)
    ledger = await sandbox.ledger()

    (order,) = [each for each in ledger["orders"] if each["id"] == order_id]
    assert [(step["event"], step["status"]) for step in order["history"]] == [
        ("accepted", "pending_new"),
        ("new", "new"),
        ("partial_fill", "partially_filled"),
        ("fill", "filled"),
    ]
    assert order["account"] == "http"
    assert order["filled_avg_price"] == "190.666667"
    (first, second) = [entry for entry in ledger["cash"]["http"] if order_id in entry["cause"]]
    assert float(first["cash"]) - float(second["cash"]) == 382


async def test_an_accepted_order_can_be_rejected_later(
    sandbox: SandboxProcess, http: aiohttp.ClientSession
) -> None:
    async with http.post("/v2/orders", json=buy(type="limit", limit_price="1")) as answer:
        order_id = (await answer.json())["id"]
    await sandbox.reject(order_id)
    async with http.get(f"/v2/orders/{order_id}") as answer:
        read = await answer.json()

    assert (read["status"], read["failed_at"] is not None) == ("rejected", True)
    with pytest.raises(SandboxRefusal, match="already rejected"):
        await sandbox.reject(order_id)


async def test_cash_positions_and_flags_of_an_account_can_be_changed(
    sandbox: SandboxProcess, http: aiohttp.ClientSession
) -> None:
    await sandbox.add_account({**ACCOUNT, "name": "changed", "key": "PKCHANGED"})
    keys = {**KEYS, "APCA-API-KEY-ID": "PKCHANGED"}
    position = {"symbol": "AAPL", "qty": "7", "avg_entry_price": "100"}
    await sandbox.change_account("changed", cash="4999.99", positions=[position], trading_blocked=True)

    async with http.get("/v2/account", headers=keys) as answer:
        account = await answer.json()
    async with http.get("/v2/positions", headers=keys) as answer:
        (held,) = await answer.json()

    assert (account["cash"], account["trading_blocked"]) == ("4999.99", True)
    assert (held["qty"], held["cost_basis"], held["unrealized_pl"]) == ("7", "700", "630")


@pytest.mark.parametrize(
    ("key", "words"),
    [("PKHTTP", "belongs to the account"), (None, "key: must be a text")],
    ids=["taken", "none"],
)
async def test_an_account_that_cannot_be_opened_is_refused(
    sandbox: SandboxProcess, key: str | None, words: str
) -> None:
    with pytest.raises(SandboxRefusal, match=words):
        await sandbox.add_account({**ACCOUNT, "name": "intruder", "key": key})


async def test_quotes_are_renewed_while_the_market_is_open_unless_they_are_silent(
    sandbox: SandboxProcess, http: aiohttp.ClientSession
) -> None:
    async def stamp() -> str:
        async with http.get("/v2/stocks/AAPL/quotes/latest") as answer:
            shown: str = (await answer.json())["quote"]["t"]
            return shown

    await sandbox.set_clock(at="2026-11-24T16:00:00Z", freeze=True)
    renewed = await stamp()
    await sandbox.set_quotes({"AAPL": {"age_seconds": 90}})
    silent = await stamp()
    await sandbox.set_quotes({"AAPL": {"bid": "189.98"}})
    await sandbox.set_clock(at="2026-11-25T03:00:00Z")
    at_night = await stamp()
    await sandbox.set_clock(at="2026-11-24T15:00:00Z", speed=1)

    assert (renewed, silent, at_night) == (
        "2026-11-24T16:00:00Z",
        "2026-11-24T15:58:30Z",
        "2026-11-24T21:00:00Z",
    )


@pytest.mark.parametrize(
    "clock",
    [{"at": "noon"}, {"at": "1980-01-01T00:00:00Z"}, {"advance_seconds": 10**10}, {"speed": -1}, {"sped": 1}],
)
async def test_a_clock_that_makes_no_sense_is_refused_and_changes_nothing(
    sandbox: SandboxProcess, clock: Json
) -> None:
    before = await sandbox.control("GET", "clock")
    with pytest.raises(SandboxRefusal):
        await sandbox.control("POST", "clock", body=clock)
    after = await sandbox.control("GET", "clock")

    assert before["at"][:16] == after["at"][:16]
    assert after["speed"] == before["speed"]


async def run_sandbox(*arguments: str) -> tuple[asyncio.subprocess.Process, bytes]:
    """The process, and its first line, or what it wrote when it ended before one."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", *arguments,
        cwd=ROOT, env={**os.environ}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(60):
        return process, await process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_a_signal_ends_it_with_status_0_even_with_a_request_hanging(number: signal.Signals) -> None:
    process, line = await run_sandbox("--port", "0")
    url = line.decode().strip().removeprefix("sandbox listening on ")
    keys = {
        "APCA-API-KEY-ID": "PKSANDBOXPAPER000001",
        "APCA-API-SECRET-KEY": "sandbox-paper-secret-not-a-real-key-0001",
    }
    async with aiohttp.ClientSession(url) as http:
        async with http.post(
            "/_sandbox/faults", json={"action": "hang", "match": {"path": "clock"}}
        ) as answer:
            assert answer.status == 200
        hanging = asyncio.ensure_future(http.get("/v2/clock", headers=keys))
        async with http.get("/_sandbox/wait", params={"path": "clock"}) as answer:
            assert answer.status == 200
        process.send_signal(number)
        async with asyncio.timeout(20):
            _, errors = await process.communicate()
        with pytest.raises(aiohttp.ClientConnectionError):
            await hanging

    assert process.returncode == 0
    assert errors == b""


async def test_a_bad_scenario_ends_with_status_2_and_every_problem(tmp_path: Path) -> None:
    path = tmp_path / "bad.yml"
    path.write_text("clock: {speed: fast}\naccounts: [{name: a}]\n")

    process, _ = await run_sandbox("--port", "0", "--scenario", str(path))
    _, errors = await process.communicate()

    assert process.returncode == 2
    told = errors.decode().splitlines()
    assert "scenario: clock.speed: must be a number, got 'fast'" in told
    assert "scenario: accounts[0].key: must be a text, got nothing" in told


async def test_a_taken_port_is_one_clear_line_and_status_1() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process, _ = await run_sandbox("--port", str(taken.getsockname()[1]))
        _, errors = await process.communicate()

    assert process.returncode == 1
    assert errors.decode().startswith("cannot listen on 127.0.0.1:")
    assert len(errors.splitlines()) == 1
