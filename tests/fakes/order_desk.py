"""Placing and previewing as the service wires them, over a scripted broker and a guard that a test sets."""

from __future__ import annotations

from dataclasses import dataclass, field

from broker.standing import Standing
from fakes.scripted_orders import ScriptedAccount, ScriptedAccounts, ScriptedOrders
from order_svc.attempt_log import AttemptLog
from order_svc.ceilings import Ceilings
from order_svc.checkpoints import pass_by
from order_svc.content import OrderContent
from order_svc.hold_releases import HoldReleases
from order_svc.identifiers import AccountId, OrderKey
from order_svc.journal import Journal
from order_svc.journey import JourneyTools
from order_svc.listed_symbols import ListedSymbols
from order_svc.owned_tasks import OwnedTasks
from order_svc.place import Placing
from order_svc.ports import Authorization, Authorized, Balance, BalanceVerdict, NotAuthorized
from order_svc.preview import Previewing
from order_svc.readiness import Readiness
from order_svc.receipt import Receipt, take_receipt
from order_svc.resolve import ResolutionPolicy, Resolver
from order_svc.switch import TradingSwitch
from order_svc.trade_health import TradeHealth
from order_svc.unsent import Unsent
from runtime.clock import SYSTEM_CLOCK
from runtime.storage import Store

AUTHORISED_SECONDS = 60


@dataclass(slots=True)
class SetGuard:
    """Answers about an account and about an order alike, as account_svc would in its literal mode."""

    verdict: BalanceVerdict = BalanceVerdict.ALLOWED
    asked: list[OrderKey] = field(default_factory=list)

    async def authorize(self, key: OrderKey, content: OrderContent) -> Authorization:
        self.asked.append(key)
        until = SYSTEM_CLOCK.monotonic() + AUTHORISED_SECONDS
        match self.verdict:
            case BalanceVerdict.ALLOWED:
                return Authorized(
                    account_number="PA1", account_type="paper", valid_until=until, hold_amount=None
                )
            case BalanceVerdict.BELOW:
                return NotAuthorized(reason="INSUFFICIENT_BALANCE", text="below")
            case BalanceVerdict.UNKNOWN:
                return NotAuthorized(reason="BALANCE_UNKNOWN", text="unknown")

    async def release(self, key: OrderKey, reason: str) -> None:
        return

    async def check_balance(self, account_id: AccountId) -> Balance:
        return Balance(verdict=self.verdict, text=self.verdict.value, account_number="PA1")


@dataclass(slots=True)
class StandingAccounts(ScriptedAccounts):
    """Scripted accounts with a standing of the test's choice."""

    standing: Standing | None = None

    def resolve(self, text: str) -> ScriptedAccount:
        return ScriptedAccount(text, self.accounts[text], self.standing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The use cases of one journal."""

    placing: Placing
    previewing: Previewing
    resolver: Resolver
    switch: TradingSwitch
    journal: Journal
    guard: SetGuard


def desk_of(
    store: Store,
    journal: Journal,
    broker: ScriptedOrders,
    tasks: OwnedTasks,
    lines: list[str],
    *,
    ceilings: Ceilings | None = None,
    standing: Standing | None = None,
) -> Desk:
    """Everything wired; `lines` takes the attempts' lines."""
    accounts, guard = StandingAccounts({"paper": broker}, standing), SetGuard()
    log = AttemptLog(
        journal=journal, tasks=tasks, clock=SYSTEM_CLOCK, write_line=lambda _level, text: lines.append(text)
    )
    resolver = Resolver(
        accounts=accounts,
        journal=journal,
        guard=guard,
        attempt_log=log,
        tasks=tasks,
        clock=SYSTEM_CLOCK,
        policy=ResolutionPolicy(first_pause_seconds=0.01, longest_pause_seconds=0.01),
        on_bound=lambda _account: None,
    )
    switch = TradingSwitch(
        store=store, accounts=accounts, tasks=tasks, health=TradeHealth(), clock=SYSTEM_CLOCK
    )
    tools = JourneyTools(
        journal=journal,
        guard=guard,
        holds=HoldReleases(guard=guard, tasks=tasks),
        switch=switch,
        resolver=resolver,
        attempt_log=log,
        tasks=tasks,
        clock=SYSTEM_CLOCK,
        send_timeout_seconds=5,
        ceilings_of=lambda _account: ceilings or Ceilings(),
        on_bound=lambda _account: None,
        checkpoint=pass_by,
    )
    readiness = Readiness()
    readiness.open()
    unsent = Unsent(
        journal=journal, attempt_log=log, clock=SYSTEM_CLOCK, find_logged=lambda: _attempt_ids(lines)
    )
    symbols = ListedSymbols()
    return Desk(
        placing=Placing(accounts=accounts, readiness=readiness, symbols=symbols, unsent=unsent, tools=tools),
        previewing=Previewing(
            accounts=accounts,
            readiness=readiness,
            symbols=symbols,
            journal=journal,
            guard=guard,
            switch=switch,
            ceilings_of=tools.ceilings_of,
            clock=SYSTEM_CLOCK,
        ),
        resolver=resolver,
        switch=switch,
        journal=journal,
        guard=guard,
    )


def receipt() -> Receipt:
    """A receipt of this moment, with 10 seconds to answer."""
    return take_receipt(SYSTEM_CLOCK, timeout_seconds=10)


def _attempt_ids(lines: list[str]) -> set[str]:
    return {line.split(" | attempt=")[1].split(" ")[0] for line in lines}
