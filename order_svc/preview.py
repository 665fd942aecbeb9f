"""What PlaceOrder would do with an order now: the same checks, nothing written, nothing sent."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import assert_never

from broker.reports import OrderSide
from order_svc.ceilings import Ceilings
from order_svc.content import OrderContent, fingerprint
from order_svc.identifiers import AccountId, OrderKey
from order_svc.journal import Journal
from order_svc.listed_symbols import ListedSymbols
from order_svc.permission import (
    Check,
    CheckName,
    Situation,
    Unit,
    check_identity,
    checks_before_guard,
    first_refusal,
    notional_check,
)
from order_svc.place import PlaceOrder
from order_svc.ports import Accounts, Balance, BalanceGuard, BalanceVerdict, TradingAccount
from order_svc.readiness import Readiness
from order_svc.records import OrderRecord, Refusal
from order_svc.refusals import (
    AccountNotTradable,
    BalanceUnknown,
    ClientOrderIdReused,
    InsufficientBalance,
    may_try_again,
)
from order_svc.switch import TradingSwitch
from runtime.clock import Clock


class PreviewVerdict(Enum):
    """What PlaceOrder would do."""

    WOULD_SEND = "would send"
    WOULD_REFUSE = "would refuse"
    KNOWN_ALREADY = "known already"
    """Its client_order_id has an outcome, which would be returned."""
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The verdict on an order and every check behind it."""

    account: TradingAccount
    verdict: PreviewVerdict
    checks: tuple[Check, ...]
    checked_at: datetime

    @property
    def refusal(self) -> Refusal | None:
        """Why PlaceOrder would refuse."""
        return first_refusal(self.checks) if self.verdict is PreviewVerdict.WOULD_REFUSE else None


class Previewing:
    """The use case behind PreviewOrder."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        readiness: Readiness,
        symbols: ListedSymbols,
        journal: Journal,
        guard: BalanceGuard,
        switch: TradingSwitch,
        ceilings_of: Callable[[AccountId], Ceilings],
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._readiness = readiness
        self._symbols = symbols
        self._journal = journal
        self._guard = guard
        self._switch = switch
        self._ceilings_of = ceilings_of
        self._clock = clock

    async def preview(self, wish: PlaceOrder) -> Preview:
        """What PlaceOrder would do at this moment. Raises what keeps an order from the journal, as it does."""
        self._readiness.check()
        account = self._accounts.resolve(wish.account)
        account_id, now = AccountId(account.account_id), self._clock.now()
        known = None
        if wish.client_order_id is not None:
            known = await self._journal.find(OrderKey(account_id, wish.client_order_id))
        if known is None and self._symbols.is_open(wish.content):
            await self._symbols.check(account.client, wish.content.symbol)
        situation = Situation(
            account_id=account_id,
            content=wish.content,
            standing=account.standing,
            halts=self._switch.halts,
            ceilings=self._ceilings_of(account_id),
            recent_orders=await self._journal.count_recent_attempts(account_id, before=now),
        )
        balance = await self._guard.check_balance(account_id)
        checks = (_key_check(known, wish.content), *_checks(situation, balance))
        return Preview(account=account, verdict=_verdict(checks, known), checks=checks, checked_at=now)


def _checks(situation: Situation, balance: Balance) -> tuple[Check, ...]:
    account, switch, rate, _ = checks_before_guard(situation)
    identity = Check(
        name=CheckName.ACCOUNT,
        refusal=first_refusal([account])
        or check_identity(situation.standing, account_number=balance.account_number),
    )
    return identity, switch, rate, _notional(situation), balance_check(situation.content, balance)


def _notional(situation: Situation) -> Check:
    check = notional_check(situation, hold_amount=None)
    is_buy_at_market = check.needed is None and situation.content.side is OrderSide.BUY
    if check.limit is None or not is_buy_at_market:
        return check
    return Check(
        name=check.name,
        undecided="a buy at the market is worth what the guard holds for it, which only PlaceOrder asks for",
        unit=check.unit,
        limit=check.limit,
        used=check.used,
    )


def balance_check(content: OrderContent, balance: Balance) -> Check:
    """The guard's verdict with its figures; undecided where it depends on more than the account."""
    refusal, undecided = _judge(content, balance)
    return Check(
        name=CheckName.BALANCE,
        refusal=None if undecided else refusal,
        undecided=undecided,
        unit=Unit.USD,
        limit=balance.cash,
        used=balance.holds,
        # The rule asks what must stay; the order's own cost counts where the mode says so.
        needed=balance.minimum,
    )


def _judge(content: OrderContent, balance: Balance) -> tuple[Refusal | None, str]:
    match balance.verdict:
        case BalanceVerdict.ALLOWED:
            if balance.counts_cost:
                return None, "the guard also counts the order's worst cost, which only PlaceOrder asks for"
            return None, ""
        case BalanceVerdict.BELOW:
            exempt = "a closing order may be exempt from the minimum" if content.closes_position else ""
            return _refused(InsufficientBalance.reason, balance), exempt
        case BalanceVerdict.UNKNOWN:
            # The cash is known and the account may not trade all the same.
            reason = BalanceUnknown.reason if balance.cash is None else AccountNotTradable.reason
            return _refused(reason, balance), ""
        case _:
            assert_never(balance.verdict)


def _refused(reason: str, balance: Balance) -> Refusal:
    figures = {"cash": balance.cash, "holds": balance.holds, "minimum_balance": balance.minimum}
    return Refusal(
        reason=reason,
        text=balance.text or "the balance guard would not allow the order",
        metadata={name: format(value, "f") for name, value in figures.items() if value is not None},
    )


def _key_check(known: OrderRecord | None, content: OrderContent) -> Check:
    refusal = None
    if known is not None and fingerprint(known.content) != fingerprint(content):
        refusal = Refusal(
            reason=ClientOrderIdReused.reason,
            text=f"client_order_id {known.key.client_order_id} belongs to another order: choose a new one",
        )
    return Check(name=CheckName.CLIENT_ORDER_ID, refusal=refusal)


def _verdict(checks: Iterable[Check], known: OrderRecord | None) -> PreviewVerdict:
    """The first check that does not pass decides, as it does on an order's way."""
    for check in checks:
        if check.refusal is not None:
            return PreviewVerdict.WOULD_REFUSE
        if check.name is CheckName.CLIENT_ORDER_ID and known is not None and not _is_tried_again(known):
            return PreviewVerdict.KNOWN_ALREADY
        if check.undecided:
            return PreviewVerdict.UNDECIDED
    return PreviewVerdict.WOULD_SEND


def _is_tried_again(known: OrderRecord) -> bool:
    return known.state.is_final and known.refusal is not None and may_try_again(known.refusal)
