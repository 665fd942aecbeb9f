"""The account pool against a server that answers each account as the test says."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from loguru import logger
from pydantic import SecretStr

from broker.account_type import AccountType, VerdictSource
from broker.credentials import AccountCredentials, BrokerUrls
from broker.pool import AccountNotFound, AccountPool, PoolLimits
from broker.standing import AccountDisabled, AccountUnverified, StandingProblem
from broker.transport import AsyncTransport
from fakes.scripted_broker import Answer, ReceivedRequest, ScriptedBroker, hang, reply

QUICK = PoolLimits(call_seconds=5.0, open_seconds=10.0, first_retry_seconds=0.05, longest_retry_seconds=0.1)
IN_TIME = 5.0


def account(
    account_id: str,
    *,
    name: str | None = None,
    paper_trading: bool = True,
    enabled: bool = True,
    account_type: AccountType | None = None,
) -> AccountCredentials:
    return AccountCredentials(
        account_id=account_id,
        name=name or account_id.title(),
        api_key=SecretStr(f"PK{account_id}"),
        secret_key=SecretStr(f"secret-of-{account_id}"),
        paper_trading=paper_trading,
        enabled=enabled,
        account_type=account_type,
    )


def account_body(number: str | None) -> dict[str, object]:
    return {
        "account_number": number,
        "status": "ACTIVE",
        "cash": "7000.01",
        "buying_power": "7000.01",
        "equity": "7000.01",
        "trading_blocked": False,
        "account_blocked": False,
    }


class Accounts:
    """What the server answers to each account's keys."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers

    def __call__(self, request: ReceivedRequest) -> Answer:
        return self.answers[request.headers["apca-api-key-id"].removeprefix("PK")]


@pytest.fixture
async def broker() -> AsyncIterator[ScriptedBroker]:
    async with ScriptedBroker() as scripted:
        yield scripted


@pytest.fixture
async def transport() -> AsyncIterator[AsyncTransport]:
    async with AsyncTransport() as opened:
        yield opened


@pytest.fixture
def log_lines() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line)), format="{level} {message} {extra}")
    yield lines
    logger.remove(sink)


def pool_of(
    broker: ScriptedBroker,
    transport: AsyncTransport,
    *accounts: AccountCredentials,
    limits: PoolLimits = QUICK,
) -> AccountPool:
    urls = BrokerUrls(trading_url=broker.url, data_url=broker.url)
    return AccountPool(accounts, transport=transport, urls=urls, limits=limits)


async def test_opening_validates_every_account_and_logs_its_number_type_and_source(
    broker: ScriptedBroker, transport: AsyncTransport, log_lines: list[str]
) -> None:
    broker.script = Accounts(demo=reply(200, account_body("PA1")), real=reply(200, account_body("900001")))

    async with pool_of(broker, transport, account("demo"), account("real", paper_trading=False)) as pool:
        demo, real = (handle.standing for handle in pool.all())

    assert (demo.tradable, demo.account_type, demo.account_number) == (True, AccountType.PAPER, "PA1")
    assert (real.tradable, real.account_type, real.account_number) == (True, AccountType.LIVE, "900001")
    validated = [line for line in log_lines if "Account validated" in line]
    assert len(validated) == 2
    for known in ("'demo'", "'PA1'", "'paper'", "'detected'"):
        assert known in next(line for line in validated if "demo" in line)
    assert "secret-of-" not in "".join(log_lines)
    assert "PKdemo" not in "".join(log_lines)


async def test_a_contradiction_disables_one_account_and_no_other(
    broker: ScriptedBroker, transport: AsyncTransport, log_lines: list[str]
) -> None:
    broker.script = Accounts(demo=reply(200, account_body("PA1")), real=reply(200, account_body("900001")))

    async with pool_of(broker, transport, account("demo"), account("real")) as pool:
        with pytest.raises(AccountDisabled, match=r"accounts\.real\.paper_trading"):
            pool.resolve("real").standing.check_tradable()
        assert pool.resolve("demo").standing.tradable

    assert any(line.startswith("ERROR Account disabled for trading") for line in log_lines)


async def test_an_override_decides_the_type(broker: ScriptedBroker, transport: AsyncTransport) -> None:
    broker.script = Accounts(demo=reply(200, account_body("900001")))

    async with pool_of(broker, transport, account("demo", account_type=AccountType.PAPER)) as pool:
        standing = pool.resolve("demo").standing

    assert (standing.tradable, standing.source) == (True, VerdictSource.OVERRIDDEN)


async def test_a_hanging_account_delays_no_other_and_keeps_its_reason(
    broker: ScriptedBroker, transport: AsyncTransport
) -> None:
    broker.script = Accounts(stuck=hang(), demo=reply(200, account_body("PA1")))
    limits = PoolLimits(call_seconds=60.0, open_seconds=0.2)
    started = time.monotonic()

    async with pool_of(broker, transport, account("stuck"), account("demo"), limits=limits) as pool:
        assert time.monotonic() - started < 5.0
        assert pool.resolve("demo").standing.tradable
        with pytest.raises(AccountUnverified, match="still under way"):
            pool.resolve("stuck").standing.check_tradable()


async def test_accounts_are_validated_at_the_same_time_but_not_all_at_once(
    broker: ScriptedBroker, transport: AsyncTransport
) -> None:
    broker.script = lambda _: hang()
    limits = PoolLimits(concurrency=3, call_seconds=60.0, open_seconds=0.3)

    async with pool_of(broker, transport, *(account(f"a{n}") for n in range(9)), limits=limits):
        await broker.wait_for_requests(3)
        assert len(broker.received) == 3


async def test_a_failing_account_is_read_again_until_it_may_trade(
    broker: ScriptedBroker, transport: AsyncTransport
) -> None:
    broker.script = Accounts(demo=reply(503, {"message": "down"}))

    async with pool_of(broker, transport, account("demo")) as pool:
        standing = pool.resolve("demo").standing
        assert standing.problem is StandingProblem.UNREACHABLE
        assert "down" in (standing.why_not or "")

        validated = asyncio.Event()
        sink = logger.add(lambda line: validated.set() if "Account validated" in line else None)
        broker.script = Accounts(demo=reply(200, account_body("PA1")))
        async with asyncio.timeout(IN_TIME):
            await validated.wait()
        logger.remove(sink)
        assert pool.resolve("demo").standing.tradable
        count = len(broker.received)

    assert len(broker.received) == count


async def test_refused_keys_name_the_keys_to_check(broker: ScriptedBroker, transport: AsyncTransport) -> None:
    broker.script = Accounts(demo=reply(403, {"message": "forbidden."}))

    async with pool_of(broker, transport, account("demo")) as pool:
        with pytest.raises(AccountDisabled, match=r"accounts\.demo\.api_key"):
            pool.resolve("demo").standing.check_tradable()


async def test_every_reading_judges_again(
    broker: ScriptedBroker, transport: AsyncTransport, log_lines: list[str]
) -> None:
    broker.script = Accounts(demo=reply(200, account_body("PA1")))

    async with pool_of(broker, transport, account("demo")) as pool:
        broker.script = Accounts(demo=reply(200, account_body("900001")))
        reading = await pool.resolve("demo").client.read_account(timeout=IN_TIME)

        assert not pool.observe("demo", reading).tradable
        assert not pool.resolve("demo").standing.tradable
        lines = len(log_lines)
        pool.observe("demo", reading)

    assert len(log_lines) == lines


async def test_a_later_outage_does_not_undo_a_validation(
    broker: ScriptedBroker, transport: AsyncTransport
) -> None:
    broker.script = Accounts(demo=reply(200, account_body("PA1")))

    async with pool_of(broker, transport, account("demo")) as pool:
        broker.script = lambda _: reply(503, {"message": "down"})

        assert pool.resolve("demo").standing.tradable
        assert "account demo" not in {task.get_name() for task in asyncio.all_tasks()}
        assert len(broker.received) == 1


async def test_an_account_is_found_by_id_first_then_by_name_in_any_case(
    broker: ScriptedBroker, transport: AsyncTransport
) -> None:
    pool = pool_of(
        broker,
        transport,
        account("alpha", name="beta"),
        account("beta", name="Main Account"),
        account("off", enabled=False),
        account("one", name="Twin"),
        account("two", name="TWIN"),
    )

    assert pool.resolve("beta").account_id == "beta"
    assert pool.resolve("BETA").account_id == "alpha"
    assert pool.resolve("main account").account_id == "beta"
    for unknown in ("ALPHA", "off", "main", ""):
        with pytest.raises(AccountNotFound, match="no enabled account"):
            pool.resolve(unknown)
    with pytest.raises(AccountNotFound, match="one, two"):
        pool.resolve("twin")


async def test_two_entries_for_one_account_are_warned_of_once(
    broker: ScriptedBroker, transport: AsyncTransport, log_lines: list[str]
) -> None:
    broker.script = lambda _: reply(200, account_body("PA1"))

    async with pool_of(broker, transport, account("one"), account("two")) as pool:
        reading = await pool.resolve("one").client.read_account(timeout=IN_TIME)
        pool.observe("one", reading)

    assert sum("one and the same account PA1" in line for line in log_lines) == 1


async def test_two_accounts_with_one_id_cannot_be_pooled(
    broker: ScriptedBroker, transport: AsyncTransport
) -> None:
    with pytest.raises(ValueError, match="two accounts have the id demo"):
        pool_of(broker, transport, account("demo"), account("demo"))


async def test_an_empty_pool_opens_at_once_and_closing_ends_what_is_under_way(
    broker: ScriptedBroker, transport: AsyncTransport
) -> None:
    async with pool_of(broker, transport) as empty:
        assert empty.all() == ()

    broker.script = lambda _: hang()
    limits = PoolLimits(call_seconds=60.0, open_seconds=0.1)
    before = asyncio.all_tasks()
    async with pool_of(broker, transport, account("stuck"), limits=limits):
        await broker.wait_for_requests(1)
    assert {task for task in asyncio.all_tasks() - before if "account" in task.get_name()} == set()


async def test_the_keys_of_one_account_are_never_used_for_another(
    broker: ScriptedBroker, transport: AsyncTransport
) -> None:
    broker.script = Accounts(**{f"a{n}": reply(200, account_body(f"PA{n}")) for n in range(20)})

    async with pool_of(broker, transport, *(account(f"a{n}") for n in range(20))) as pool:
        numbers = [handle.standing.account_number for handle in pool.all()]

    assert numbers == [f"PA{n}" for n in range(20)]
    for request in broker.received:
        key, secret = request.headers["apca-api-key-id"], request.headers["apca-api-secret-key"]
        assert secret == f"secret-of-{key.removeprefix('PK')}"
