"""What has moved to the archive is still there: orders by both ids, their uniqueness, the lists and the ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from sandbox.scenario_reader import read_scenario
from sandbox.server import serving
from sandbox.state import Sandbox, build_sandbox, present

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = {"APCA-API-KEY-ID": "PKARCHIVE", "APCA-API-SECRET-KEY": "a-made-up-secret"}
OTHER_KEYS = {**KEYS, "APCA-API-KEY-ID": "PKOTHER"}
ACCOUNT = {"name": "a", "key": "PKARCHIVE", "secret": "a-made-up-secret", "account_number": "PA1"}
SCENARIO = {
    "clock": {"at": "2026-11-24T15:00:00Z"},
    "rate_limit": None,
    "ledger": {"keep_orders": 0, "keep_requests": 0},
    "accounts": [
        {**ACCOUNT, "cash": "10000000"},
        {**ACCOUNT, "name": "b", "key": "PKOTHER", "account_number": "PA2", "cash": "10000000"},
    ],
    "quotes": {symbol: {"bid": "189.98", "ask": "190.02"} for symbol in ("AAPL", "MSFT", "NVDA")},
}
# Closed orders and requests leave memory a thousand at a time, so that these do for one lot and some more.
MANY = 1_100
PAGE = 500
WITHIN_S = 20.0

Json = dict[str, Any]


def buy(name: str, **changes: Any) -> Json:
    usual = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    return {**usual, "client_order_id": name, **changes}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sandbox() -> Sandbox:
    today = present()
    return build_sandbox(read_scenario(SCENARIO, today), today.calendar)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def http(sandbox: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=WITHIN_S)
    async with (
        serving(sandbox, host="127.0.0.1", port=0) as url,
        aiohttp.ClientSession(url, headers=KEYS, timeout=timeout) as session,
    ):
        yield session


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def placed(sandbox: Sandbox, http: aiohttp.ClientSession) -> list[Json]:
    """Orders in the order of acceptance, as they were accepted: a bracket whose exits wait, one whose exits are
    cancelled, and a lot of filled ones. Most have left memory since."""
    exits = {
        "order_class": "bracket",
        "take_profit": {"limit_price": "200"},
        "stop_loss": {"stop_price": "180"},
    }
    waiting = await sent(http, buy("waiting", symbol="MSFT", **exits))
    over = await sent(http, buy("over", symbol="NVDA", **exits))
    async with http.delete(f"/v2/orders/{over['legs'][0]['id']}") as answer:
        assert answer.status == 204
    orders = [await sent(http, buy(f"many-{number}")) for number in range(MANY)]
    sandbox.now()  # the last one fills
    assert len(sandbox.exchange.accounts["a"].orders) < MANY - 900, "nothing has been archived"
    return [waiting, *waiting["legs"], over, *over["legs"], *orders]


async def sent(http: aiohttp.ClientSession, body: Json) -> Json:
    async with http.post("/v2/orders", json=body) as answer:
        order: Json = await answer.json()
        assert answer.status == 200, order
        return order


async def got(http: aiohttp.ClientSession, path: str, **query: str | int) -> Any:
    async with http.get(path, params=query) as answer:
        assert answer.status == 200
        return await answer.json()


async def pages(http: aiohttp.ClientSession, cursor: str, **query: str | int) -> list[Json]:
    """The whole list, read on from the last order of each page by `cursor`."""
    found: list[Json] = []
    page = await got(http, "/v2/orders", limit=PAGE, **query)
    while page:
        found += page
        page = await got(http, "/v2/orders", limit=PAGE, **{cursor: page[-1]["id"]}, **query)
    return found


def ids(orders: list[Json]) -> list[str]:
    return [order["id"] for order in orders]


async def test_an_archived_order_is_found_by_either_id_as_it_ended(
    sandbox: Sandbox, http: aiohttp.ClientSession, placed: list[Json]
) -> None:
    accepted = next(order for order in placed if order["client_order_id"] == "many-7")
    by_id = await got(http, f"/v2/orders/{accepted['id']}")
    by_name = await got(http, "/v2/orders:by_client_order_id", client_order_id="many-7")

    assert accepted["id"] not in sandbox.exchange.accounts["a"].orders
    assert by_id == by_name
    assert (by_id["id"], by_id["client_order_id"]) == (accepted["id"], "many-7")
    assert (by_id["status"], by_id["filled_qty"], by_id["filled_avg_price"]) == ("filled", "1", "190.02")


async def test_an_archived_bracket_still_shows_its_exits(
    sandbox: Sandbox, http: aiohttp.ClientSession, placed: list[Json]
) -> None:
    over = await got(http, "/v2/orders:by_client_order_id", client_order_id="over")

    assert over["id"] not in sandbox.exchange.accounts["a"].orders
    assert [leg["status"] for leg in over["legs"]] == ["canceled", "canceled"]


async def test_an_order_whose_exits_still_work_stays_out_of_the_archive(
    sandbox: Sandbox, http: aiohttp.ClientSession, placed: list[Json]
) -> None:
    waiting = await got(http, "/v2/orders:by_client_order_id", client_order_id="waiting")

    assert waiting["id"] in sandbox.exchange.accounts["a"].orders
    assert (waiting["status"], [leg["status"] for leg in waiting["legs"]]) == ("filled", ["new", "held"])


async def test_another_account_sees_nothing_of_it_and_may_use_the_same_client_order_id(
    http: aiohttp.ClientSession, placed: list[Json]
) -> None:
    archived = next(order for order in placed if order["client_order_id"] == "many-3")
    async with http.get(f"/v2/orders/{archived['id']}", headers=OTHER_KEYS) as by_id:
        pass
    by_name = "/v2/orders:by_client_order_id?client_order_id=many-3"
    async with http.get(by_name, headers=OTHER_KEYS) as unknown:
        pass
    async with http.get("/v2/orders?status=all", headers=OTHER_KEYS) as listed:
        others = await listed.json()
    async with http.post("/v2/orders", json=buy("many-3", qty="2"), headers=OTHER_KEYS) as own:
        pass

    assert (by_id.status, unknown.status, others, own.status) == (404, 404, [], 200)


@pytest.mark.parametrize("name", ["many-0", "over", f"many-{MANY - 1}"])
async def test_a_client_order_id_stays_taken_when_its_order_is_archived(
    sandbox: Sandbox, http: aiohttp.ClientSession, placed: list[Json], name: str
) -> None:
    before = sandbox.exchange.accounts["a"].cash
    async with http.post("/v2/orders", json=buy(name)) as answer:
        refusal = await answer.json()

    assert (answer.status, refusal["code"]) == (422, 40010001)
    assert sandbox.exchange.accounts["a"].cash == before


async def test_an_order_cannot_be_given_the_client_order_id_of_an_archived_one(
    http: aiohttp.ClientSession, placed: list[Json]
) -> None:
    exit_id = placed[1]["id"]
    body = {"limit_price": "210", "client_order_id": "many-0"}
    async with http.patch(f"/v2/orders/{exit_id}", json=body) as answer:
        refusal = await answer.json()

    assert (answer.status, refusal["code"]) == (422, 40010001)


async def test_an_archived_order_can_be_neither_cancelled_nor_replaced(
    http: aiohttp.ClientSession, placed: list[Json]
) -> None:
    path = f"/v2/orders/{next(each['id'] for each in placed if each['client_order_id'] == 'many-1')}"
    async with http.delete(path) as cancelled, http.patch(path, json={"qty": "2"}) as replaced:
        pass

    assert (cancelled.status, replaced.status) == (422, 422)


@pytest.mark.parametrize(
    ("cursor", "direction"),
    [("before_order_id", "desc"), ("after_order_id", "asc")],
    ids=["newest", "oldest"],
)
async def test_the_list_of_all_orders_goes_through_memory_and_archive_in_one_sequence(
    http: aiohttp.ClientSession, placed: list[Json], cursor: str, direction: str
) -> None:
    listed = await pages(http, cursor, status="all", direction=direction)

    expected = ids(placed)
    assert ids(listed) == (expected if direction == "asc" else expected[::-1])


async def test_lists_pick_from_the_archive_by_status_side_and_nesting(
    http: aiohttp.ClientSession, placed: list[Json]
) -> None:
    closed = await pages(http, "after_order_id", status="closed", direction="asc")
    opened = await got(http, "/v2/orders")
    nested = await pages(http, "after_order_id", status="all", direction="asc", nested="true")
    sold = await pages(http, "after_order_id", status="all", direction="asc", side="sell")

    waiting, over = placed[0], placed[3]
    still_open = set(ids(waiting["legs"]))
    assert ids(closed) == [each for each in ids(placed) if each not in still_open]
    assert set(ids(opened)) == still_open
    assert ids(nested) == [waiting["id"], over["id"], *ids(placed[6:])]
    assert ids(sold) == ids([*waiting["legs"], *over["legs"]])


async def test_the_ledger_tells_every_order_cash_entry_and_request_once_and_in_order(
    sandbox: Sandbox, http: aiohttp.ClientSession, placed: list[Json]
) -> None:
    ledger = await got(http, "/_sandbox/ledger")

    own = [order for order in ledger["orders"] if order["account"] == "a"]
    assert ids(own) == ids(placed)
    assert {own[-1]["history"][-1]["event"], own[10]["history"][-1]["event"]} == {"fill"}
    assert [each["index"] for each in ledger["requests"]] == [*range(len(ledger["requests"]))]
    assert all(each["status"] for each in ledger["requests"])
    cash = [float(each["cash"]) for each in ledger["cash"]["a"]]
    assert len(cash) == 1 + 2 + MANY
    assert cash == sorted(cash, reverse=True)


async def test_requests_are_read_on_from_an_index_within_the_archive(
    http: aiohttp.ClientSession, placed: list[Json]
) -> None:
    answer = await got(http, "/_sandbox/requests", method="POST", account="a", after=500)

    bodies = [each["body"]["client_order_id"] for each in answer["requests"]]
    assert answer["requests"][0]["index"] == 500
    assert bodies[:2] == ["many-497", "many-498"]
    assert bodies[: MANY - 497] == [f"many-{number}" for number in range(497, MANY)]
