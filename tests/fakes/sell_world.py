"""account_svc and order_svc as the sell monitor's ports see them, in memory, with switches for trouble."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from fakes.sell_values import ACCOUNT, NOW, OPEN_MARKET
from runtime.context import Deadline, deadline
from runtime.errors import ServiceError
from sell_svc.known import Known
from sell_svc.observation import (
    AccountId,
    ClientOrderId,
    Holdings,
    Lot,
    Market,
    OpenOrder,
    OpenOrders,
    OptionPosition,
    OrderId,
    Quote,
)
from sell_svc.ports import CancelReport, ExitOrder, ExitPhase, ExitReport, PlaceOutcome

WAIT_SECONDS = 5.0


class ManualClock:
    """Time that moves only when a test says so."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now
        self._seconds = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._seconds

    def advance(self, seconds: float) -> None:
        self._seconds += seconds
        self._now += timedelta(seconds=seconds)


class Visits:
    """How often something happened, to be waited for."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._changed = asyncio.Condition()

    def __getitem__(self, key: str) -> int:
        return self._counts[key]

    async def note(self, key: str) -> None:
        self._counts[key] += 1
        async with self._changed:
            self._changed.notify_all()

    async def reach(self, key: str, count: int) -> None:
        """Returns when it has happened `count` times in all."""
        async with asyncio.timeout(WAIT_SECONDS), self._changed:
            await self._changed.wait_for(lambda: self._counts[key] >= count)


class World:
    """What the fakes know; tests change it between ticks."""

    def __init__(self, *accounts: AccountId) -> None:
        self.listed = accounts or (ACCOUNT,)
        self.market: Market = OPEN_MARKET
        self.holdings: dict[AccountId, Holdings] = {}
        self.open: dict[AccountId, OpenOrders] = {}
        self.lots: dict[AccountId, tuple[Lot, ...]] = {}
        self.quotes: dict[str, Quote] = {}
        self.exits: dict[ClientOrderId, ExitReport] = {}
        self.placed: list[ExitOrder] = []
        self.cancelled: list[str] = []
        self.cancel_reasons: list[str] = []
        self.looked_up: list[ClientOrderId] = []
        self.on_place: Callable[[ExitOrder], PlaceOutcome] = self.fill
        self.visits = Visits()
        self.accounts = FakeAccounts(self)
        self.orders = FakeOrders(self)
        self._failures: dict[str, ServiceError | Exception] = {}
        self._gates: dict[str, asyncio.Event] = {}

    def hold(self, *positions: OptionPosition, account: AccountId = ACCOUNT) -> None:
        """What the account holds from now on."""
        self.holdings[account] = Holdings(positions=positions)

    def order_book(self, *orders: OpenOrder, account: AccountId = ACCOUNT) -> None:
        """The account's open orders from now on."""
        self.open[account] = OpenOrders(orders=orders)

    def fail(self, what: str, error: Exception) -> None:
        """Every call of this name raises from now on; `name:account` for one account only."""
        self._failures[what] = error

    def heal(self, what: str) -> None:
        """The calls of this name work again."""
        del self._failures[what]

    def freeze(self, what: str) -> None:
        """Calls of this name hang until thawed; `name:account` for one account only."""
        self._gates[what] = asyncio.Event()

    def thaw(self, what: str) -> None:
        """The calls that hang go on."""
        self._gates.pop(what).set()

    async def called(self, name: str, account: AccountId | None = None) -> None:
        """Every port method begins here."""
        keys = [name] if account is None else [name, f"{name}:{account}"]
        for key in keys:
            await self.visits.note(key)
        for key in keys:
            if key in self._gates:
                await self._gates[key].wait()
        for key in keys:
            if key in self._failures:
                raise self._failures[key]

    def fill(self, order: ExitOrder) -> ExitReport:
        """Sells at once and shrinks the position."""
        held = self.holdings[order.account_id]
        rest = tuple(
            replace(one, qty=one.qty - order.qty, qty_available=one.qty_available - order.qty)
            if one.symbol == order.symbol
            else one
            for one in held.positions
        )
        self.holdings[order.account_id] = replace(held, positions=tuple(one for one in rest if one.qty))
        return self.report(order, ExitPhase.ENDED, state="FILLED", filled=order.qty)

    def work(self, order: ExitOrder) -> ExitReport:
        """Leaves it working, seen only by its id, not in the list of open orders."""
        return self.report(order, ExitPhase.OPEN, state="WORKING")

    def report(
        self, order: ExitOrder, phase: ExitPhase, *, state: str, filled: Decimal = Decimal(0)
    ) -> ExitReport:
        return ExitReport(
            client_order_id=order.client_order_id,
            order_id=OrderId(f"broker-{order.client_order_id}"),
            phase=phase,
            state=state,
            filled_qty=filled,
            ended_at=self.market.now if phase is ExitPhase.ENDED else None,
            reason="",
            accepted=True,
        )

    def end_exit(self, client_order_id: ClientOrderId, state: str, *, filled: str = "0") -> None:
        """An exit that was open ends."""
        self.exits[client_order_id] = replace(
            self.exits[client_order_id],
            phase=ExitPhase.ENDED,
            state=state,
            filled_qty=Decimal(filled),
            ended_at=self.market.now,
        )

    def pass_time(self, seconds: float) -> None:
        """The broker's time goes on."""
        self.market = replace(self.market, now=self.market.now + timedelta(seconds=seconds))

    async def read_market(self) -> Known[Market]:
        return await self.accounts.read_market()


class FakeAccounts:
    """The port `Accounts`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.on_list: Callable[[Deadline | None], None] = _ignore
        """Gets the deadline under which the list is asked for."""

    async def list_accounts(self) -> tuple[AccountId, ...]:
        self.on_list(deadline.get())
        await self._world.called("list_accounts")
        return self._world.listed

    async def read_holdings(self, account_id: AccountId) -> Known[Holdings]:
        await self._world.called("read_holdings", account_id)
        return self._known(self._world.holdings.get(account_id, Holdings()))

    async def read_market(self) -> Known[Market]:
        await self._world.called("read_market")
        return Known(value=self._world.market, at=self._world.market.now)

    async def read_quotes(self, account_id: AccountId, symbols: Sequence[str]) -> Known[Mapping[str, Quote]]:
        await self._world.called("read_quotes", account_id)
        quotes = {symbol: self._world.quotes[symbol] for symbol in symbols if symbol in self._world.quotes}
        return Known(value=quotes, at=self._world.market.now)

    def _known(self, value: Holdings) -> Known[Holdings]:
        return Known(value=value, at=self._world.market.now)


class FakeOrders:
    """The port `Orders`; the same id twice is one order, as order_svc promises (I4)."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def list_open(self, account_id: AccountId) -> Known[OpenOrders]:
        await self._world.called("list_open", account_id)
        return Known(value=self._world.open.get(account_id, OpenOrders()), at=self._world.market.now)

    async def list_lots(self, account_id: AccountId) -> Known[tuple[Lot, ...]]:
        await self._world.called("list_lots", account_id)
        return Known(value=self._world.lots.get(account_id, ()), at=self._world.market.now)

    async def find_exit(self, account_id: AccountId, client_order_id: ClientOrderId) -> ExitReport | None:
        self._world.looked_up.append(client_order_id)
        await self._world.called("find_exit", account_id)
        return self._world.exits.get(client_order_id)

    async def place_exit(self, order: ExitOrder) -> PlaceOutcome:
        await self._world.called("place_exit", order.account_id)
        if order.client_order_id in self._world.exits:
            return self._world.exits[order.client_order_id]
        self._world.placed.append(order)
        outcome = self._world.on_place(order)
        if isinstance(outcome, ExitReport):
            self._world.exits[order.client_order_id] = outcome
        return outcome

    async def cancel(self, account_id: AccountId, order: OpenOrder, reason: str) -> CancelReport:
        await self._world.called("cancel", account_id)
        self._world.cancelled.append(order.client_order_id)
        self._world.cancel_reasons.append(reason)
        return CancelReport(outcome="requested", taken=True)


class FakeState:
    """The port `DesiredState`; outlives the control, as a file does."""

    def __init__(self, *, running: bool | None = None) -> None:
        self.running = running
        self.error: ServiceError | None = None

    async def read(self) -> bool | None:
        return self.running

    async def save(self, *, running: bool, at: datetime) -> None:
        if self.error is not None:
            raise self.error
        self.running = running


def _ignore(_value: object) -> None:
    return


async def within(awaitable: Awaitable[None]) -> None:
    """Fails the test instead of waiting for ever."""
    async with asyncio.timeout(WAIT_SECONDS):
        await awaitable
