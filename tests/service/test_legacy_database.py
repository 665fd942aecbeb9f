"""The legacy database on MariaDB, PostgreSQL and SQLite: the same accounts, permissions and tracked lots."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from broker.legacy_database.accounts import LegacyAccount, read_accounts
from broker.legacy_database.database import LegacyDatabase
from broker.legacy_database.faults import LegacyDatabaseEmpty, LegacySchemaMismatch
from broker.legacy_database.lots import LotChange, TradeSource, auto_sell_qty, plan_sale, plan_unfilled
from broker.legacy_database.permissions import read_all_permissions, read_permissions
from broker.legacy_database.tracking import LotChanged, OrderTracking, TrackedBuy
from broker.legacy_database.trade_modes import TradeMode
from broker.option_symbol import parse
from fakes.legacy_tables import LegacyTables
from runtime.clock import SYSTEM_CLOCK
from runtime.redaction import redact

AAPL = parse("AAPL260116C00190000")
TSLA = parse("TSLA260116P00250000")


@pytest.fixture(params=["mariadb", "postgresql", "sqlite"])
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LegacyTables]:
    match request.param:
        case "mariadb":
            url = request.getfixturevalue("mariadb").url
        case "postgresql":
            url = request.getfixturevalue("postgres").url
        case _:
            url = f"sqlite:///{tmp_path}/legacy.db"
    made = LegacyTables(url)
    made.create()
    yield made
    made.close()


@pytest.fixture
async def database(tables: LegacyTables) -> AsyncIterator[LegacyDatabase]:
    async with LegacyDatabase(tables.url) as opened:
        yield opened


@pytest.fixture
def tracking(database: LegacyDatabase) -> OrderTracking:
    return OrderTracking(database, clock=SYSTEM_CLOCK)


def bought(order_id: str, **other: object) -> TrackedBuy:
    values: dict[str, object] = {
        "account_id": "alice",
        "order_id": order_id,
        "symbol": AAPL,
        "qty": 3,
        "limit_price": Decimal("1.2345"),
        "paper_trading": False,
        "trade_source": TradeSource.MANUAL,
        "auto_sell_enabled": True,
    }
    return TrackedBuy(**{**values, **other})  # type: ignore[arg-type] # each test names what differs


async def account(database: LegacyDatabase, name: str) -> LegacyAccount:
    found = {one.credentials.account_id: one for one in (await read_accounts(database)).accounts}
    return found[name]


async def test_enabled_accounts_are_read_by_name_with_their_keys(
    tables: LegacyTables, database: LegacyDatabase
) -> None:
    tables.add_user("alice")
    tables.add_user("alice_live", user_uuid="uuid-alice", paper_trading=False)
    tables.add_user("gone", enabled=False)
    tables.add_user("never said", enabled=None)

    found = await read_accounts(database)

    assert [
        (one.credentials.account_id, one.credentials.paper_trading, one.user_uuid) for one in found.accounts
    ] == [("alice", True, "uuid-alice"), ("alice_live", False, "uuid-alice")]
    first = found.accounts[0].credentials
    assert (first.api_key.get_secret_value(), first.secret_key.get_secret_value()) == (
        "key-alice",
        "secret-alice",
    )
    assert first.name == "alice"
    assert first.enabled
    assert found.refused == ()
    assert "secret-alice" not in redact("wrote secret-alice somewhere")


async def test_a_change_in_the_table_is_seen_by_the_next_read(
    tables: LegacyTables, database: LegacyDatabase
) -> None:
    tables.add_user("alice")
    tables.add_user("bob")
    await read_accounts(database)
    tables.add_user("carol")
    tables.run("UPDATE app_alpaca_users SET enabled = :no WHERE account_name = 'bob'", no=False)
    tables.run("UPDATE app_alpaca_users SET api_key = 'rotated' WHERE account_name = 'alice'")

    found = await read_accounts(database)

    assert [
        (one.credentials.account_id, one.credentials.api_key.get_secret_value()) for one in found.accounts
    ] == [
        ("alice", "rotated"),
        ("carol", "key-carol"),
    ]


@pytest.mark.parametrize("disabled", [pytest.param(0, id="no rows"), pytest.param(2, id="disabled rows")])
async def test_a_table_without_an_enabled_account_is_told_as_empty(
    tables: LegacyTables, database: LegacyDatabase, disabled: int
) -> None:
    for number in range(disabled):
        tables.add_user(f"user-{number}", enabled=False)

    with pytest.raises(LegacyDatabaseEmpty, match=r"no enabled account") as raised:
        await read_accounts(database)

    assert raised.value.metadata == {"rows": str(disabled)}


@pytest.mark.parametrize(
    ("rows", "refused"),
    [
        pytest.param([("twin", {}), ("twin", {"user_uuid": "other"})], "twin", id="same name"),
        pytest.param([("Twin", {}), ("tWIN", {"user_uuid": "other"})], "Twin", id="same name but for case"),
        pytest.param([("poor", {"api_key": " "})], "poor", id="no key"),
        pytest.param([("poor", {"secret_key": ""})], "poor", id="no secret"),
        pytest.param([("either", {"paper_trading": None})], "either", id="paper or live unknown"),
        pytest.param([(" ", {})], " ", id="no name"),
        pytest.param([("two\nlines", {})], "two\nlines", id="name with a line break"),
    ],
)
async def test_a_row_that_cannot_be_trusted_is_refused_by_name_and_hides_no_other(
    tables: LegacyTables,
    database: LegacyDatabase,
    rows: list[tuple[str, dict[str, object]]],
    refused: str,
) -> None:
    tables.add_user("alice")
    for name, other in rows:
        tables.add_user(name, **other)

    found = await read_accounts(database)

    assert [one.credentials.account_id for one in found.accounts] == ["alice"]
    assert refused in {one.account_id for one in found.refused}
    assert all(repr(one.account_id) in one.reason for one in found.refused)


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        pytest.param("DROP TABLE app_alpaca_users", "table app_alpaca_users is missing", id="no table"),
        pytest.param(
            "ALTER TABLE app_alpaca_users DROP COLUMN secret_key",
            "app_alpaca_users has no column secret_key",
            id="no column",
        ),
    ],
)
async def test_another_schema_is_told_by_what_is_missing(
    tables: LegacyTables, database: LegacyDatabase, broken: str, problem: str
) -> None:
    tables.run(broken)

    with pytest.raises(LegacySchemaMismatch, match=problem):
        await read_accounts(database)


async def test_only_active_rules_made_by_an_administrator_permit(
    tables: LegacyTables, database: LegacyDatabase
) -> None:
    tables.add_user("alice", user_uuid="Uuid-A")
    tables.add_user("bob", user_uuid="uuid-b")
    rules = [
        ("uuid-a", "MODE_STOCK_TRADE", 1, 1),
        ("uuid-a", "MODE_DAY_TRADE", 0, 1),
        ("uuid-a", "MODE_OPTION_TRADE", 1, 0),
        ("uuid-a", "MODE_OPTION_TRADE", 0, 1),
        ("uuid-a", "enabled", 1, 1),
        ("uuid-a", "mode_day_trade", 1, 1),
        ("uuid-b", "MODE_DAY_TRADE", 0, 1),
        ("uuid-b", "MODE_DAY_TRADE", 1, 1),
        ("uuid-b", "MODE_OPTION_TRADE", None, 1),
    ]
    for user, rule, active, admin in rules:
        tables.add("trading_rules", user_id=user, rule_name=rule, is_active=active, created_by_admin=admin)
    alice, bob = await account(database, "alice"), await account(database, "bob")

    both = await read_all_permissions(database, [bob, alice])

    assert [(one.account_id, one.modes) for one in both] == [
        ("bob", frozenset({TradeMode.DAY})),
        ("alice", frozenset({TradeMode.STOCK})),
    ]
    assert await read_permissions(database, alice) == both[1]


async def test_a_buy_is_recorded_once_with_what_the_account_really_is(
    tables: LegacyTables, tracking: OrderTracking
) -> None:
    buy = bought("order-1", paper_trading=True)

    assert await tracking.record(buy)
    assert not await tracking.record(buy)
    assert await tracking.record(bought("order-2", limit_price=None, paper_trading=False))

    first, second = tables.rows("order_details")
    assert first["order_time"] is not None
    assert {name: first[name] for name in first if name not in {"id", "order_time", "limit_price"}} == {
        "account_name": "alice",
        "broker": "alpaca",
        "order_id": "order-1",
        "symbol": "AAPL260116C00190000",
        "asset_type": "option",
        "underlying_symbol": "AAPL",
        "action": "BUY",
        "quantity": 3,
        "paper_trading": 1,
        "trade_source": "manual",
        "auto_sell_enabled": 1,
        "status": "active",
    }
    assert Decimal(str(first["limit_price"])) == Decimal("1.2345")
    assert (second["paper_trading"], Decimal(str(second["limit_price"]))) == (0, Decimal(0))


async def test_an_order_that_another_account_has_is_recorded_for_each(
    tables: LegacyTables, tracking: OrderTracking
) -> None:
    assert await tracking.record(bought("same"))
    assert await tracking.record(bought("same", account_id="bob"))

    assert len(tables.rows("order_details")) == 2


async def test_open_lots_are_found_oldest_first_however_the_former_service_spelt_them(
    tables: LegacyTables, tracking: OrderTracking
) -> None:
    now = datetime(2026, 1, 5, 15, 0, tzinfo=UTC).replace(tzinfo=None)
    tables.add_order("third", order_time=now, auto_sell_enabled=0)
    tables.add_order("second", order_time=now - timedelta(days=1), symbol="AAPL  260116C00190000", quantity=2)
    tables.add_order(
        "first", order_time=now - timedelta(days=2), account_name="Alice", symbol="aapl260116c00190000"
    )
    tables.add_order("without a time", order_time=None, auto_sell_enabled=None)
    tables.add_order("other contract", symbol=str(TSLA))
    not_these: dict[str, dict[str, object]] = {
        "other account": {"account_name": "alice2"},
        "other broker": {"broker": "tiger"},
        "closed": {"status": "closed"},
        "a sale": {"action": "SELL"},
        "no quantity": {"quantity": 0},
        "no option": {"symbol": "AAPL"},
    }
    for order_id, other in not_these.items():
        tables.add_order(order_id, **other)

    lots = await tracking.list_lots("alice", AAPL)

    assert [(lot.order_id, lot.qty, lot.auto_sell_enabled) for lot in lots] == [
        ("without a time", 1, False),
        ("first", 1, True),
        ("second", 2, True),
        ("third", 1, False),
    ]
    assert {lot.symbol for lot in lots} == {str(AAPL)}
    assert auto_sell_qty(lots) == 3
    assert len(await tracking.list_lots("alice")) == 5


async def test_a_filled_sale_closes_by_quantity_once_however_often_it_is_applied(
    tables: LegacyTables, tracking: OrderTracking
) -> None:
    moment = datetime(2026, 1, 5, 15, 0, tzinfo=UTC).replace(tzinfo=None)
    for number, qty in enumerate((1, 3, 2)):
        tables.add_order(f"lot-{number}", quantity=qty, order_time=moment + timedelta(minutes=number))
    plan = plan_sale(await tracking.list_lots("alice", AAPL), 3)

    for _ in range(3):
        await tracking.apply(plan.changes)

    assert [(lot.order_id, lot.qty) for lot in await tracking.list_lots("alice", AAPL)] == [
        ("lot-1", 1),
        ("lot-2", 2),
    ]
    assert [(row["status"], row["quantity"]) for row in tables.rows("order_details")] == [
        ("closed", 1),
        ("active", 1),
        ("active", 2),
    ]


@pytest.mark.parametrize("remaining", [pytest.param(2, id="part"), pytest.param(0, id="all")])
@pytest.mark.parametrize(
    "overtaking",
    [
        pytest.param("UPDATE order_details SET quantity = 4 WHERE order_id = 'lot-1'", id="it shrank"),
        pytest.param("UPDATE order_details SET status = 'canceled' WHERE order_id = 'lot-1'", id="it ended"),
        pytest.param("DELETE FROM order_details WHERE order_id = 'lot-1'", id="it is gone"),
    ],
)
async def test_a_plan_that_another_program_overtook_changes_nothing(
    tables: LegacyTables, tracking: OrderTracking, overtaking: str, remaining: int
) -> None:
    tables.add_order("lot-0", quantity=1)
    tables.add_order("lot-1", quantity=5)
    first, second = sorted(await tracking.list_lots("alice", AAPL), key=lambda lot: lot.order_id)
    plan = [LotChange(lot=first, remaining_qty=0), LotChange(lot=second, remaining_qty=remaining)]
    tables.run(overtaking)
    before = tables.rows("order_details")

    with pytest.raises(LotChanged, match="lot-1"):
        await tracking.apply(plan)

    assert tables.rows("order_details") == before


async def test_a_buy_that_ends_unfilled_leaves_no_lot(tracking: OrderTracking) -> None:
    await tracking.record(bought("partly", qty=3))
    await tracking.record(bought("never", qty=2, symbol=TSLA))
    (partly,) = await tracking.list_lots("alice", AAPL)
    (never,) = await tracking.list_lots("alice", TSLA)

    await tracking.apply([plan_unfilled(partly, 2), plan_unfilled(never, 2)])

    assert [(lot.order_id, lot.qty) for lot in await tracking.list_lots("alice")] == [("partly", 1)]


async def test_two_that_apply_one_plan_at_the_same_time_book_it_once(
    tables: LegacyTables, tracking: OrderTracking
) -> None:
    tables.add_order("lot", quantity=5)
    plan = plan_sale(await tracking.list_lots("alice", AAPL), 2)
    async with LegacyDatabase(tables.url) as second:
        other = OrderTracking(second, clock=SYSTEM_CLOCK)
        await asyncio.gather(*(one.apply(plan.changes) for one in (tracking, other) * 4))

    assert [lot.qty for lot in await tracking.list_lots("alice")] == [3]


async def test_a_table_that_gives_no_time_by_itself_gets_one_from_us(
    tables: LegacyTables, database: LegacyDatabase, tracking: OrderTracking
) -> None:
    tables.create(order_time_default=False)

    await tracking.record(bought("order-1"))

    (lot,) = await tracking.list_lots("alice")
    assert lot.ordered_at is not None
    assert abs(datetime.now(UTC) - lot.ordered_at.replace(tzinfo=UTC)) < timedelta(minutes=1)
