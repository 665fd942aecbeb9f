"""AuthorizeOrder and its holds: a real server, a real stub, a real store, a real exchange process."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from fakes.account_service import OPTION, SCENARIO, Exchange, Service, account_service
from opitios.account.v1.account_pb2 import (
    ACCOUNT_TYPE_LIVE,
    ACCOUNT_TYPE_PAPER,
    BALANCE_VERDICT_ALLOWED,
    BALANCE_VERDICT_BELOW,
    BALANCE_VERDICT_UNKNOWN,
)
from opitios.account.v1.account_service_pb2 import ListAccountsRequest, ReleaseHoldRequest
from rich_errors import error_info, violated_fields
from sandbox_process import SandboxProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = ("main", "other")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sandbox() -> AsyncIterator[SandboxProcess]:
    async with SandboxProcess(SCENARIO) as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module")
async def exchange(sandbox: SandboxProcess) -> AsyncIterator[Exchange]:
    exchange = Exchange(sandbox, uuid.uuid4().hex[:8])
    await exchange.open_account("main", "PA3000001")
    await exchange.open_account("other", "PA3000002")
    yield exchange
    await exchange.close()


@pytest_asyncio.fixture(loop_scope="module")
async def service(exchange: Exchange, tmp_path: Path) -> AsyncIterator[Service]:
    accounts = {name: exchange.configured(name) for name in NAMES}
    async with account_service(tmp_path, exchange.url, accounts) as running:
        yield running


async def test_an_account_above_its_minimum_may_trade_and_its_cash_is_set_aside(service: Service) -> None:
    answer = await service.authorize("main", "first")

    assert answer.verdict == BALANCE_VERDICT_ALLOWED
    assert (answer.account_number, answer.account_type) == ("PA3000001", ACCOUNT_TYPE_PAPER)
    assert (Decimal(answer.cash), Decimal(answer.holds_total)) == (Decimal(7000), Decimal(0))
    assert (Decimal(answer.minimum_balance), Decimal(answer.hold_amount)) == (Decimal(5000), Decimal(600))
    assert answer.valid_for_ms > 0
    assert (answer.reason, answer.message) == ("", "")


async def test_fifty_concurrent_buys_are_let_out_as_far_as_the_literal_rule_goes_and_no_further(
    service: Service, exchange: Exchange
) -> None:
    """7,000 less three holds of 600 is above 5,000, less four is not: a fourth may leave, a fifth may not."""
    before = len(await exchange.requests("main", path="^/v2/account$"))

    answers = await asyncio.gather(*(service.authorize("main", f"buy-{number}") for number in range(50)))

    verdicts = [answer.verdict for answer in answers]
    assert verdicts.count(BALANCE_VERDICT_ALLOWED) == 4
    assert verdicts.count(BALANCE_VERDICT_BELOW) == 46
    report = await service.balance("main")
    assert Decimal(report.holds_total) == 2400
    assert len(report.holds) == 4
    reads = len(await exchange.requests("main", path="^/v2/account$")) - before
    assert reads <= 3, "concurrent checks share their readings"


async def test_a_refusal_says_which_account_and_every_figure(service: Service) -> None:
    for number in range(4):
        await service.authorize("main", f"buy-{number}")

    answer = await service.authorize("main", "one-too-many")

    assert answer.verdict == BALANCE_VERDICT_BELOW
    assert answer.reason == "INSUFFICIENT_BALANCE"
    assert (Decimal(answer.cash), Decimal(answer.holds_total)) == (Decimal(7000), Decimal(2400))
    for figure in ("main", "PA3000001", "paper", "7000", "2400", "5000", "trading.minimum_balance"):
        assert figure in answer.message
    assert (answer.hold_amount, answer.valid_for_ms) == ("", 0)


async def test_a_repeated_question_gets_the_same_answer_and_no_second_hold(service: Service) -> None:
    first = await service.authorize("main", "again")
    await service.authorize("main", "another", qty="6")

    again = await service.authorize("main", "again")

    assert again.verdict == BALANCE_VERDICT_ALLOWED
    assert (again.cash, again.holds_total, again.hold_amount) == (
        first.cash,
        first.holds_total,
        first.hold_amount,
    )
    assert 0 < again.valid_for_ms <= first.valid_for_ms
    assert len((await service.balance("main")).holds) == 2


async def test_concurrent_repeats_take_one_hold(service: Service) -> None:
    answers = await asyncio.gather(*(service.authorize("main", "same") for _ in range(20)))

    assert {answer.verdict for answer in answers} == {BALANCE_VERDICT_ALLOWED}
    assert [hold.hold_id for hold in (await service.balance("main")).holds] == ["same"]


async def test_a_hold_id_cannot_be_used_for_another_order(service: Service) -> None:
    await service.authorize("main", "taken")

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.authorize("main", "taken", qty="3")

    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert error_info(caught.value).reason == "HOLD_ID_REUSED"


async def test_the_same_hold_id_of_another_account_is_another_hold(service: Service) -> None:
    await service.authorize("main", "shared")

    assert (await service.authorize("other", "shared", qty="3")).verdict == BALANCE_VERDICT_ALLOWED


async def test_holds_of_one_account_do_not_burden_another(service: Service) -> None:
    for number in range(4):
        await service.authorize("main", f"buy-{number}")

    assert (await service.authorize("main", "more")).verdict == BALANCE_VERDICT_BELOW
    assert (await service.authorize("other", "more")).verdict == BALANCE_VERDICT_ALLOWED


async def test_sells_are_checked_and_hold_nothing(service: Service, exchange: Exchange) -> None:
    allowed = await service.authorize("main", "sell", side="sell")
    await exchange.change_account("other", cash="4999.99")
    denied = await service.authorize("other", "sell", side="sell")

    assert (allowed.verdict, Decimal(allowed.hold_amount)) == (BALANCE_VERDICT_ALLOWED, Decimal(0))
    assert denied.verdict == BALANCE_VERDICT_BELOW


async def test_trading_one_order_after_the_other_is_not_held_up_by_orders_already_paid(
    service: Service, exchange: Exchange
) -> None:
    """Each fill takes 600: 7,000, 6,400, 5,800 and 5,200 may trade, 4,600 may not."""
    answers = []
    for number in range(5):
        answers.append(await service.authorize("main", f"step-{number}"))
        if answers[-1].verdict == BALANCE_VERDICT_ALLOWED:
            await exchange.place("main", f"step-{number}")

    assert [answer.verdict for answer in answers] == [BALANCE_VERDICT_ALLOWED] * 4 + [BALANCE_VERDICT_BELOW]


async def test_a_filled_order_gives_back_its_hold_once_the_cash_shows_it(
    service: Service, exchange: Exchange
) -> None:
    await service.authorize("main", "filled")
    await exchange.place("main", "filled")

    report = await service.balance_without_holds("main")

    assert Decimal(report.cash) == 6400
    assert Decimal(report.headroom) == 1400


async def test_an_open_order_keeps_its_hold_and_a_cancelled_one_gives_it_back(
    service: Service, exchange: Exchange
) -> None:
    await exchange.sandbox.set_matching(auto=False)
    await service.authorize("main", "resting")
    order = await exchange.place("main", "resting")

    resting = await service.balance("main")
    await exchange.cancel("main", order["id"])
    after = await service.balance_without_holds("main")

    assert [hold.hold_id for hold in resting.holds] == ["resting"]
    assert Decimal(resting.headroom) == 1400
    assert (Decimal(after.cash), Decimal(after.headroom)) == (Decimal(7000), Decimal(2000))


async def test_a_partly_filled_order_keeps_its_whole_hold(service: Service, exchange: Exchange) -> None:
    await exchange.sandbox.set_matching(auto=False)
    await service.authorize("main", "partly")
    order = await exchange.place("main", "partly")
    await exchange.sandbox.fill(order["id"], qty="1")

    # Two readings, so that the second one knows what the first has seen.
    await service.authorize("main", "look")
    report = await service.balance("main")

    assert {hold.hold_id for hold in report.holds} >= {"partly"}


async def test_a_released_hold_is_gone_and_releasing_is_safe_to_repeat(service: Service) -> None:
    await service.authorize("main", "refused-by-the-broker")
    request = ReleaseHoldRequest(account_id="main", hold_id="refused-by-the-broker", reason="order_rejected")

    released = [await service.accounts.ReleaseHold(request) for _ in range(2)]

    assert [answer.released for answer in released] == [True, True]
    assert (await service.balance("main")).holds == []


async def test_a_hold_whose_order_the_broker_has_is_not_released(
    service: Service, exchange: Exchange
) -> None:
    await exchange.sandbox.set_matching(auto=False)
    await service.authorize("main", "really-there")
    await exchange.place("main", "really-there")
    while not (await _looked_for(service, exchange)):
        pass

    answer = await service.accounts.ReleaseHold(
        ReleaseHoldRequest(account_id="main", hold_id="really-there", reason="a mistake")
    )

    assert not answer.released
    assert [hold.hold_id for hold in (await service.balance("main")).holds] == ["really-there"]


async def _looked_for(service: Service, exchange: Exchange) -> bool:
    """Whether account_svc has listed orders since the last POST."""
    await service.balance("main")
    sent = await exchange.requests("main")
    last_post = max(index for index, one in enumerate(sent) if one["method"] == "POST")
    return any(one["path"] == "/v2/orders" and one["method"] == "GET" for one in sent[last_post:])


async def test_holds_outlive_a_restart(exchange: Exchange, tmp_path: Path) -> None:
    accounts = {"main": exchange.configured("main")}
    async with account_service(tmp_path, exchange.url, accounts) as first:
        for number in range(4):
            await first.authorize("main", f"buy-{number}")

    async with account_service(tmp_path, exchange.url, accounts) as second:
        report = await second.balance("main")
        more = await second.authorize("main", "one-too-many")
        repeated = await second.authorize("main", "buy-0")

    assert Decimal(report.holds_total) == 2400
    assert more.verdict == BALANCE_VERDICT_BELOW
    assert repeated.verdict == BALANCE_VERDICT_ALLOWED


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"action": "status", "status": 500}, id="500"),
        pytest.param({"action": "status", "status": 429}, id="429"),
        pytest.param({"action": "status", "status": 401}, id="401"),
        pytest.param({"action": "cut_before"}, id="connection cut"),
        pytest.param({"action": "hang"}, id="no answer"),
        pytest.param({"action": "body", "body": "<html>", "status": 200}, id="HTML"),
        pytest.param({"action": "body", "body": "{}", "status": 200}, id="no fields"),
        pytest.param(
            {
                "action": "body",
                "status": 200,
                "body": '{"account_number":"PA3000001","status":"ACTIVE","cash":"NaN","buying_power":"1",'
                '"equity":"1","trading_blocked":false,"account_blocked":false}',
            },
            id="cash is NaN",
        ),
        pytest.param(
            {
                "action": "body",
                "status": 200,
                "body": '{"account_number":"PA3000001","status":"ACTIVE","cash":"1e999999999",'
                '"buying_power":"1","equity":"1","trading_blocked":false,"account_blocked":false}',
            },
            id="cash beyond any number",
        ),
    ],
)
async def test_cash_that_cannot_be_read_lets_no_order_out_and_leaves_other_accounts_alone(
    service: Service, exchange: Exchange, fault: dict[str, Any]
) -> None:
    await exchange.add_fault("main", "^/v2/account$", **fault)

    dark, bright = await asyncio.gather(service.authorize("main", "dark"), service.authorize("other", "ok"))

    assert (dark.verdict, dark.reason) == (BALANCE_VERDICT_UNKNOWN, "BALANCE_UNKNOWN")
    assert "main" in dark.message
    assert dark.cash == ""
    assert bright.verdict == BALANCE_VERDICT_ALLOWED
    report = await service.balance("main")
    assert (report.verdict, report.cash, len(report.holds)) == (BALANCE_VERDICT_UNKNOWN, "", 0)


async def test_orders_that_cannot_be_listed_keep_their_holds_and_hide_no_cash(
    service: Service, exchange: Exchange
) -> None:
    await service.authorize("main", "paid")
    await exchange.place("main", "paid")
    await exchange.add_fault("main", "^/v2/orders", action="status", status=500)
    await exchange.change_account("main", cash="20000")
    while Decimal((report := await service.balance("main")).cash) != 20000:
        pass

    assert [hold.hold_id for hold in report.holds] == ["paid"]
    assert report.verdict == BALANCE_VERDICT_ALLOWED


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param({"status": "ACCOUNT_CLOSED"}, "ACCOUNT_CLOSED", id="closed"),
        pytest.param({"trading_blocked": True}, "trading_blocked", id="trading blocked"),
        pytest.param({"account_blocked": True}, "account_blocked", id="account blocked"),
        pytest.param(
            {"trade_suspended_by_user": True}, "trade_suspended_by_user", id="suspended by its owner"
        ),
    ],
)
async def test_an_account_that_the_broker_blocks_may_not_trade(
    exchange: Exchange, tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    await exchange.change_account("main", **change)
    async with account_service(tmp_path, exchange.url, {"main": exchange.configured("main")}) as service:
        answer = await service.authorize("main", "blocked")

    assert (answer.verdict, answer.reason) == (BALANCE_VERDICT_UNKNOWN, "ACCOUNT_NOT_TRADABLE")
    assert named in answer.message


async def test_an_account_of_the_wrong_type_may_not_trade_whatever_its_cash(
    exchange: Exchange, tmp_path: Path
) -> None:
    await exchange.open_account("real", "900000001")
    accounts = {"real": exchange.configured("real"), "other": exchange.configured("other")}
    async with account_service(tmp_path, exchange.url, accounts) as service:
        wrong = await service.authorize("real", "wrong")
        right = await service.authorize("other", "right")
        listed = (await service.accounts.ListAccounts(ListAccountsRequest())).accounts

    assert (wrong.verdict, wrong.reason) == (BALANCE_VERDICT_UNKNOWN, "ACCOUNT_NOT_TRADABLE")
    assert wrong.account_type == ACCOUNT_TYPE_LIVE
    assert "accounts.real.paper_trading" in wrong.message
    assert right.verdict == BALANCE_VERDICT_ALLOWED
    assert [(one.account_id, one.tradable) for one in listed] == [("real", False), ("other", True)]


async def test_an_account_with_its_own_minimum_is_judged_by_it(exchange: Exchange, tmp_path: Path) -> None:
    accounts = {
        "main": exchange.configured("main", minimum_balance=7000.01),
        "other": exchange.configured("other", minimum_balance=0),
    }
    await exchange.change_account("other", cash="0.01")
    async with account_service(tmp_path, exchange.url, accounts) as service:
        poor = await service.authorize("main", "poor")
        free = await service.authorize("other", "free")
        report = await service.balance("main")

    assert poor.verdict == BALANCE_VERDICT_BELOW
    assert "accounts.main.minimum_balance" in poor.message
    assert free.verdict == BALANCE_VERDICT_ALLOWED
    assert report.minimum_balance_key == "accounts.main.minimum_balance"
    assert Decimal(report.headroom) == Decimal("-0.01")


async def test_the_projected_rule_counts_what_the_order_can_cost(exchange: Exchange, tmp_path: Path) -> None:
    accounts = {"main": exchange.configured("main")}
    async with account_service(tmp_path, exchange.url, accounts, balance_check_mode="projected") as service:
        fits = await service.authorize("main", "fits", qty="1", limit_price="2000")
        released = ReleaseHoldRequest(account_id="main", hold_id="fits", reason="test")
        await service.accounts.ReleaseHold(released)
        over = await service.authorize("main", "over", qty="1", limit_price="2000.01")
        report = await service.balance("main")

    assert fits.verdict == BALANCE_VERDICT_ALLOWED
    assert (over.verdict, over.reason) == (BALANCE_VERDICT_BELOW, "INSUFFICIENT_BALANCE")
    assert "2000.01" in over.message
    assert report.mode == "projected"


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        pytest.param(
            {"symbol": "AAPL", "order_type": "market", "qty": "2", "limit_price": ""},
            "399.0420",
            id="market: the ask and 5 percent",
        ),
        pytest.param(
            {"symbol": "SILENT", "order_type": "market", "qty": "2", "limit_price": ""},
            "25.2000",
            id="no ask: the last trade and 5 percent",
        ),
        pytest.param(
            {"symbol": OPTION, "order_type": "limit", "qty": "1", "limit_price": "10"},
            "1000",
            id="option: times the contract's multiplier",
        ),
        pytest.param(
            {"symbol": OPTION, "order_type": "market", "qty": "1", "limit_price": ""},
            "1050",
            id="option at the market",
        ),
        pytest.param(
            {"symbol": "AAPL", "order_type": "market", "qty": "", "notional": "123.45", "limit_price": ""},
            "123.45",
            id="an order by amount",
        ),
    ],
)
async def test_a_hold_is_what_the_order_can_cost(
    service: Service, order: dict[str, str], expected: str
) -> None:
    answer = await service.authorize("main", "sized", **order)

    assert answer.verdict == BALANCE_VERDICT_ALLOWED
    assert Decimal(answer.hold_amount) == Decimal(expected)


async def test_an_order_of_unknown_cost_holds_all_headroom_until_it_is_settled(service: Service) -> None:
    unpriced = await service.authorize(
        "main", "unpriced", symbol="NOSUCH", order_type="market", limit_price=""
    )
    next_one = await service.authorize("main", "next")
    report = await service.balance("main")

    assert (unpriced.verdict, unpriced.hold_amount) == (BALANCE_VERDICT_ALLOWED, "")
    assert next_one.verdict == BALANCE_VERDICT_BELOW
    assert "unknown cost" in next_one.message
    assert [(hold.whole_headroom, Decimal(hold.amount)) for hold in report.holds] == [(True, Decimal(2000))]


async def test_exits_pass_when_they_are_exempt_and_only_then(exchange: Exchange, tmp_path: Path) -> None:
    accounts = {"main": exchange.configured("main")}
    await exchange.change_account("main", cash="100")
    exit_order: dict[str, Any] = {"side": "sell", "closes_position": True}
    async with account_service(tmp_path / "strict", exchange.url, accounts) as service:
        strict = await service.authorize("main", "exit", **exit_order)
    async with account_service(tmp_path / "exempt", exchange.url, accounts, exits_exempt=True) as service:
        exempt = await service.authorize("main", "exit", **exit_order)
        entry = await service.authorize("main", "entry")

    assert strict.verdict == BALANCE_VERDICT_BELOW
    assert exempt.verdict == BALANCE_VERDICT_ALLOWED
    assert entry.verdict == BALANCE_VERDICT_BELOW


async def test_a_guard_that_is_switched_off_lets_everything_out_and_still_records_holds(
    exchange: Exchange, tmp_path: Path
) -> None:
    await exchange.change_account("main", cash="0")
    async with account_service(
        tmp_path, exchange.url, {"main": exchange.configured("main")}, balance_check_enabled=False
    ) as service:
        answer = await service.authorize("main", "unguarded")
        report = await service.balance("main")

    assert answer.verdict == BALANCE_VERDICT_ALLOWED
    assert [hold.hold_id for hold in report.holds] == ["unguarded"]
    assert (report.check_enabled, report.verdict) == (False, BALANCE_VERDICT_ALLOWED)


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        pytest.param({"account_id": ""}, ["account_id"], id="no account"),
        pytest.param({"hold_id": ""}, ["hold_id"], id="no hold"),
        pytest.param({"hold_id": "x" * 129}, ["hold_id"], id="hold id too long"),
        pytest.param({"hold_id": "ümlaut"}, ["hold_id"], id="hold id not ASCII"),
        pytest.param({"symbol": "msft"}, ["symbol"], id="symbol"),
        pytest.param({"side": "hold"}, ["side"], id="side"),
        pytest.param({"order_type": "guess"}, ["order_type"], id="order type"),
        pytest.param({"qty": "0"}, ["qty"], id="zero"),
        pytest.param({"qty": "-1"}, ["qty"], id="negative"),
        pytest.param({"qty": "NaN"}, ["qty"], id="not a number"),
        pytest.param({"qty": "1e400"}, ["qty"], id="exponent"),
        pytest.param({"qty": "\uff11"}, ["qty"], id="digits of another script"),
        pytest.param({"qty": ""}, ["qty"], id="no quantity"),
        pytest.param({"notional": "5"}, ["qty"], id="quantity and amount"),
        pytest.param({"limit_price": ""}, ["limit_price"], id="limit without a price"),
        pytest.param({"order_type": "stop_limit"}, ["stop_price"], id="stop without a price"),
        pytest.param({"symbol": OPTION, "qty": "0.5"}, ["qty"], id="half a contract"),
        pytest.param(
            {"symbol": "??", "qty": "x", "side": ""}, ["symbol", "side", "qty"], id="all problems at once"
        ),
    ],
)
async def test_a_malformed_request_is_refused_with_every_wrong_field_named(
    service: Service, change: dict[str, str], fields: list[str]
) -> None:
    request = {"account_id": "main", "hold_id": "bad", **change}

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.authorize(**request)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violated_fields(caught.value) == fields
    assert (await service.balance("main")).holds == []


async def test_an_unknown_account_is_not_found(service: Service) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.authorize("nobody", "lost")

    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert error_info(caught.value).reason == "ACCOUNT_NOT_FOUND"
