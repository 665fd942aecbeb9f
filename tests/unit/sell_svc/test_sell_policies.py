"""Which rules hold for which account and underlying, from the configuration and from what was set since."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.selling import AutoSell, PolicyOverrideSettings, SellModuleSettings
from fakes.sell_values import AAPL, ACCOUNT, POLICY, contract, observation, position, quote
from fakes.sell_world import ManualClock
from opitios.sell.v1 import sell_service_pb2 as pb
from runtime.errors import MalformedRequest, StartupError, Unavailable
from sell_svc import wire
from sell_svc.decide import decide
from sell_svc.observation import AccountId
from sell_svc.policies import AccountNotFound, Policies, PolicyBook, Scope
from sell_svc.policy import StrategyOne
from sell_svc.verdict import Rule

BOB = AccountId("bob")
EVERYONE = Scope()


def override(**fields: Any) -> PolicyOverrideSettings:
    return PolicyOverrideSettings.model_validate(fields)


class KeptPolicies:
    """The port `PolicyStore`; outlives the process, as a file does."""

    def __init__(self) -> None:
        self.rows: dict[Scope, PolicyOverrideSettings] = {}
        self.error: Exception | None = None

    async def read(self) -> Mapping[Scope, PolicyOverrideSettings]:
        return dict(self.rows)

    async def save(self, scope: Scope, override: PolicyOverrideSettings, at: datetime) -> None:
        if self.error is not None:
            raise self.error
        self.rows[scope] = override


async def accounts() -> tuple[AccountId, ...]:
    return (ACCOUNT, BOB)


def policies(store: KeptPolicies, settings: SellModuleSettings | None = None) -> Policies:
    return Policies(
        settings or SellModuleSettings(), store=store, list_accounts=accounts, clock=ManualClock()
    )


def stop_of(book: PolicyBook, account: AccountId, underlying: str) -> Decimal:
    policy = book.of(account).of(contract(underlying))
    assert policy.strategy is not None
    return policy.strategy.stop_loss_rate


CONFIGURED = SellModuleSettings.model_validate(
    {
        "underlying_policies": {"aapl": {"stop_loss_rate": "0.71"}},
        "account_policies": {"alice": {"stop_loss_rate": "0.72"}},
    }
)


@pytest.mark.parametrize(
    ("account", "underlying", "stop"),
    [
        pytest.param(BOB, "MSFT", "0.8", id="nothing names it"),
        pytest.param(BOB, "AAPL", "0.71", id="its underlying does"),
        pytest.param(ACCOUNT, "MSFT", "0.72", id="its account does"),
        pytest.param(ACCOUNT, "AAPL", "0.72", id="both do, the account wins"),
        pytest.param(BOB, "AAPL1", "0.71", id="adjusted contracts are of the same underlying"),
    ],
)
def test_the_configuration_of_the_narrowest_scope_holds(
    account: AccountId, underlying: str, stop: str
) -> None:
    assert stop_of(PolicyBook(CONFIGURED), account, underlying) == Decimal(stop)


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        pytest.param(EVERYONE, {"alice AAPL": "0.72", "bob AAPL": "0.71", "bob MSFT": "0.6"}, id="everyone"),
        pytest.param(
            Scope(underlying="AAPL"),
            {"alice AAPL": "0.72", "bob AAPL": "0.6", "bob MSFT": "0.8"},
            id="an underlying",
        ),
        pytest.param(
            Scope(account_id=BOB),
            {"alice AAPL": "0.72", "bob AAPL": "0.6", "bob MSFT": "0.6"},
            id="an account",
        ),
        pytest.param(
            Scope(account_id=ACCOUNT, underlying="AAPL"),
            {"alice AAPL": "0.6", "bob AAPL": "0.71", "bob MSFT": "0.8"},
            id="an underlying of an account",
        ),
    ],
)
def test_what_is_set_at_run_time_wins_in_its_own_scope_only(scope: Scope, expected: dict[str, str]) -> None:
    book = PolicyBook(CONFIGURED).changed(scope, override(stop_loss_rate="0.6"))

    found = {
        f"{account} {underlying}": str(stop_of(book, AccountId(account), underlying))
        for account, underlying in (one.split() for one in expected)
    }
    assert found == expected


def test_a_scope_changes_nothing_that_it_does_not_name() -> None:
    before = PolicyBook(SellModuleSettings()).of(BOB)
    book = PolicyBook(SellModuleSettings()).changed(
        Scope(account_id=ACCOUNT), override(close_window_minutes=0)
    )

    assert book.of(BOB) == before
    assert book.of(ACCOUNT) == replace(before, close_window=timedelta(0))


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        pytest.param({"auto_sell": "all"}, {"auto_sell": AutoSell.ALL}, id="permission"),
        pytest.param({"strategy_enabled": False}, {"strategy": None}, id="no strategy"),
        pytest.param(
            {"profit_rate": "1.5"},
            {"strategy": StrategyOne(profit_rate=Decimal("1.5"), stop_loss_rate=Decimal("0.8"))},
            id="profit",
        ),
        pytest.param({"max_hold_minutes": 30}, {"max_hold": timedelta(minutes=30)}, id="time limit"),
        pytest.param({"zero_day_handling": False}, {"zero_day": False}, id="no zero day"),
        pytest.param(
            {"zero_day_minutes_before_close": 90},
            {"zero_day_before_close": timedelta(minutes=90)},
            id="zero day later",
        ),
        pytest.param({"order_cancel_minutes": 1}, {"cancel_after": timedelta(minutes=1)}, id="stale age"),
    ],
)
def test_every_field_reaches_the_rules(fields: dict[str, Any], changes: dict[str, Any]) -> None:
    before = PolicyBook(SellModuleSettings()).of(ACCOUNT)
    book = PolicyBook(SellModuleSettings()).changed(Scope(account_id=ACCOUNT), override(**fields))

    assert book.of(ACCOUNT) == replace(before, **changes)


def test_zero_minutes_switch_a_time_limit_off_again() -> None:
    book = (
        PolicyBook(SellModuleSettings())
        .changed(EVERYONE, override(max_hold_minutes=30))
        .changed(Scope(account_id=BOB), override(max_hold_minutes=0))
    )

    assert (book.of(ACCOUNT).max_hold, book.of(BOB).max_hold) == (timedelta(minutes=30), None)


def test_a_decision_follows_the_policy_of_its_underlying() -> None:
    held = (position(), position(of=contract("MSFT")))
    quotes = {one.symbol: quote("0.75") for one in held}
    policy = replace(POLICY, by_underlying={"MSFT": replace(POLICY, strategy=None)})

    judged = decide(observation(*held, quotes=quotes), policy)

    assert [one.rule for one in judged] == [Rule.STOP_LOSS, Rule.WITHIN_LIMITS]
    assert judged[0].symbol == AAPL


async def test_a_change_holds_now_and_after_a_restart_until_it_is_taken_back() -> None:
    store = KeptPolicies()
    first = policies(store)
    scope = Scope(account_id=ACCOUNT, underlying="AAPL")
    changed = [await first.set(scope, override(stop_loss_rate="0.6")) for _ in range(2)]
    second = policies(store)
    await second.load()

    assert changed == [True, False]
    assert stop_of(first.book, ACCOUNT, "AAPL") == stop_of(second.book, ACCOUNT, "AAPL") == Decimal("0.6")
    assert await second.set(scope, override())
    assert stop_of(second.book, ACCOUNT, "AAPL") == Decimal("0.8")


@pytest.mark.parametrize(
    ("scope", "fields"),
    [
        pytest.param(EVERYONE, {"stop_loss_rate": "1", "profit_rate": "1"}, id="no room between the rates"),
        pytest.param(Scope(underlying="AAPL"), {"order_cancel_minutes": 1}, id="cancellation by underlying"),
        pytest.param(Scope(account_id=BOB), {"profit_rate": "1"}, id="with what a narrower scope has"),
    ],
)
async def test_a_combination_that_makes_no_sense_changes_nothing(
    scope: Scope, fields: dict[str, Any]
) -> None:
    store = KeptPolicies()
    made = policies(store)
    await made.set(Scope(account_id=BOB, underlying="AAPL"), override(stop_loss_rate="1"))
    before = made.book

    with pytest.raises(MalformedRequest):
        await made.set(scope, override(**fields))

    assert made.book is before
    assert list(store.rows) == [Scope(account_id=BOB, underlying="AAPL")]


async def test_a_change_that_cannot_be_stored_does_not_hold() -> None:
    store = KeptPolicies()
    made = policies(store)
    before, store.error = made.book, Unavailable("down")

    with pytest.raises(Unavailable):
        await made.set(EVERYONE, override(stop_loss_rate="0.6"))

    assert made.book is before


async def test_an_account_that_nobody_watches_is_refused_but_its_change_can_be_taken_back() -> None:
    store = KeptPolicies()
    gone = Scope(account_id=AccountId("gone"))
    store.rows[gone] = override(stop_loss_rate="0.6")
    made = policies(store)
    await made.load()

    with pytest.raises(AccountNotFound):
        await made.set(gone, override(stop_loss_rate="0.5"))

    assert await made.set(gone, override())


async def test_what_was_stored_and_does_not_fit_the_configuration_any_more_stops_the_start() -> None:
    store = KeptPolicies()
    store.rows[EVERYONE] = override(stop_loss_rate="1")
    made = policies(store, SellModuleSettings.model_validate({"strategy_one": {"profit_rate": "1"}}))

    with pytest.raises(StartupError, match="profit_rate must be above stop_loss_rate"):
        await made.load()


def test_an_underlying_of_the_configuration_cannot_set_the_age_of_stale_orders() -> None:
    with pytest.raises(ValidationError, match="is for accounts only"):
        SellModuleSettings.model_validate({"underlying_policies": {"AAPL": {"order_cancel_minutes": 1}}})


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        pytest.param(pb.PolicyOverride(profit_rate="0.9"), ["override.profit_rate"], id="profit below one"),
        pytest.param(pb.PolicyOverride(profit_rate="NaN"), ["override.profit_rate"], id="no number"),
        pytest.param(
            pb.PolicyOverride(auto_sell="some", stop_loss_rate="2", close_window_minutes=-1),
            ["override.auto_sell", "override.stop_loss_rate", "override.close_window_minutes"],
            id="several at once",
        ),
        pytest.param(pb.PolicyOverride(auto_sell=""), ["override.auto_sell"], id="present and empty"),
    ],
)
def test_every_wrong_field_of_a_request_is_named(message: pb.PolicyOverride, fields: list[str]) -> None:
    with pytest.raises(MalformedRequest) as caught:
        wire.policy_override(pb.SetPolicyRequest(override=message))

    assert [one.field for one in caught.value.violations] == fields


@given(st.text())
def test_no_underlying_of_a_request_is_stored_unchecked(text: str) -> None:
    try:
        scope = wire.policy_scope(pb.SetPolicyRequest(underlying_symbol=text))
    except MalformedRequest:
        return
    assert scope.underlying == text.upper()
    assert len(scope.underlying) <= 10


def test_the_rules_in_force_are_shown_widest_first() -> None:
    policy = replace(
        PolicyBook(SellModuleSettings()).of(ACCOUNT),
        by_underlying={"SPX": replace(POLICY, strategy=None, max_hold=timedelta(minutes=90))},
    )

    everyone, index = wire.policy_messages(policy)

    assert everyone == pb.Policy(
        auto_sell="tracked",
        profit_rate="1.1",
        stop_loss_rate="0.8",
        zero_day_handling=True,
        close_window_minutes="10",
        order_cancel_minutes="3",
    )
    assert (index.underlying_symbol, index.profit_rate, index.max_hold_minutes) == ("SPX", "", "90")
