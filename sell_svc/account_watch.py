"""The loop of one account: observe, decide, act; nothing another account does can delay it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from loguru import logger

from runtime.clock import Clock
from runtime.context import new_request_id, use_request_id
from runtime.tasks import Periodic
from sell_svc.act import Canceller, Seller, not_acted
from sell_svc.decide import decide
from sell_svc.decisions import Changes, Decision, Decisions
from sell_svc.known import Known
from sell_svc.observation import AccountId, Observation
from sell_svc.observe import Observer
from sell_svc.policy import Policy
from sell_svc.ports import Orders
from sell_svc.report import AccountReport
from sell_svc.stale import decide_cancels
from sell_svc.tally import Tally
from sell_svc.verdict import Cancel, Sell

TICK_SECONDS: Final = 30.0
"""The longest a tick may take (I14): its reads end after 2 s each and a sale after 10 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a tick begins and how long it may take."""

    interval_seconds: float
    tick_seconds: float = TICK_SECONDS


class _Step(Enum):
    """The parts of a pass that can fail by themselves."""

    TICK = auto()
    SEE = auto()
    SELL = auto()
    CANCEL = auto()


class AccountWatch:
    """Watches one account from `start` until `stop` has drained.

    Cancelling is a step of its own that no tick waits for, so that a long list of stale orders
    delays no stop loss (S-37); it runs once at a time.
    """

    def __init__(
        self,
        account_id: AccountId,
        *,
        observer: Observer,
        orders: Orders,
        read_policy: Callable[[], Policy],
        decisions: Decisions,
        pace: Pace,
        clock: Clock,
    ) -> None:
        self.tally = Tally()
        self._account_id = account_id
        self._observer = observer
        self._read_policy = read_policy
        self._decisions = decisions
        self._pace = pace
        self._clock = clock
        self._stopping = False
        self._seller = Seller(account_id, orders=orders, tally=self.tally, clock=clock, may_act=self._may_act)
        self._canceller = Canceller(
            account_id, orders=orders, tally=self.tally, clock=clock, may_act=self._may_act
        )
        self._position_changes = Changes()
        self._order_changes = Changes()
        self._cancelling: asyncio.Task[None] | None = None
        self._report = AccountReport(account_id=account_id)
        self._errors: dict[_Step, str] = {}
        self._loop = Periodic(
            self.tick, name=f"watch-{account_id}", interval_seconds=pace.interval_seconds, clock=clock
        )

    @property
    def report(self) -> AccountReport:
        """How the account fares."""
        return replace(
            self._report,
            error=self._trouble(*_Step),
            unseen=self._trouble(_Step.TICK, _Step.SEE),
            exits_blocked=self.tally.exits_blocked,
        )

    def start(self) -> None:
        """Ticks now and then at every interval."""
        self._loop.start()

    def wake(self) -> None:
        """Ticks now, or right after the tick under way."""
        self._loop.wake()

    def begin_stop(self) -> None:
        """From now on no action begins; those under way go on."""
        self._stopping = True

    async def stop(self) -> None:
        """Returns when the last action has drained; no order of this loop leaves after that (I12)."""
        self.begin_stop()
        await self._loop.stop()
        await self.cancellations()

    async def cancellations(self) -> None:
        """Returns when the cancellations under way have ended."""
        if self._cancelling is not None:
            await asyncio.shield(self._cancelling)

    async def tick(self) -> None:
        """One pass; whatever goes wrong is in the report and ends only this pass."""
        started = self._clock.monotonic()
        with use_request_id(new_request_id()):
            try:
                async with asyncio.timeout(self._pace.tick_seconds):
                    await self._pass()
                self._errors[_Step.TICK] = ""
            except TimeoutError:
                self._errors[_Step.TICK] = f"the tick did not end within {self._pace.tick_seconds:g} s"
            except Exception as error:  # noqa: BLE001 - the top of an account's tick: a bug here must not end its watch (S-21)
                logger.exception(f"Tick of {self._account_id} failed")
                self._errors[_Step.TICK] = f"{type(error).__name__}, see the log"
        self._report = replace(
            self._report,
            last_tick_at=self._clock.now(),
            last_tick_ms=round((self._clock.monotonic() - started) * 1000),
        )

    async def _pass(self) -> None:
        # One policy for the whole pass, whatever is changed meanwhile.
        policy = self._read_policy()
        seen = await self._observer.observe(policy)
        self._note(seen)
        self._begin_cancels(seen, policy)
        await self._exit(seen, policy)

    async def _exit(self, seen: Observation, policy: Policy) -> None:
        # Without the market no judgement says sell, see decide.
        if not isinstance(seen.holdings, Known):
            return
        judged = decide(seen, policy)
        wishes = [one for one in judged if isinstance(one, Sell)]
        made = [not_acted(self._account_id, one, self._clock) for one in judged if not isinstance(one, Sell)]
        if wishes and isinstance(seen.market, Known):
            held = {one.symbol for one in seen.holdings.value.positions}
            made.extend(await self._seller.sell(wishes, seen.market.value, positions=held))
        self._errors[_Step.SELL] = _failures(made)
        self._tell(self._position_changes, made)

    def _begin_cancels(self, seen: Observation, policy: Policy) -> None:
        if self._cancelling is None or self._cancelling.done():
            self._cancelling = asyncio.create_task(
                self._cancel_stale(seen, policy), name=f"cancel-{self._account_id}"
            )

    async def _cancel_stale(self, seen: Observation, policy: Policy) -> None:
        try:
            async with asyncio.timeout(self._pace.tick_seconds):
                await self._cancel(seen, policy)
        except TimeoutError:
            logger.warning(
                f"Cancelling for {self._account_id} did not end within {self._pace.tick_seconds:g} s"
            )
        except Exception:  # noqa: BLE001 - the top of a task: the next tick cancels again
            logger.exception(f"Cancelling for {self._account_id} failed")

    async def _cancel(self, seen: Observation, policy: Policy) -> None:
        judged = decide_cancels(seen, policy)
        wishes = [one for one in judged if isinstance(one, Cancel)]
        made = [
            not_acted(self._account_id, one, self._clock) for one in judged if not isinstance(one, Cancel)
        ]
        made.extend(await self._canceller.cancel(wishes))
        self._errors[_Step.CANCEL] = _failures(made)
        if isinstance(seen.orders, Known):
            self._tell(self._order_changes, made)

    def _tell(self, changes: Changes, made: list[Decision]) -> None:
        news = changes.news(made)
        self._decisions.add(news)
        for one in news:
            level = "WARNING" if one.alerts else "INFO"
            logger.log(level, "{}", one.line)

    def _note(self, seen: Observation) -> None:
        error = seen.unseen
        if error and error != self._errors.get(_Step.SEE):
            logger.warning(f"Account {self._account_id} cannot be seen whole: {error}")
        self._errors[_Step.SEE] = error
        self._report = replace(
            self._report,
            positions=len(seen.holdings.value.positions) if isinstance(seen.holdings, Known) else 0,
            open_orders=len(seen.orders.value.orders) if isinstance(seen.orders, Known) else 0,
        )

    def _trouble(self, *steps: _Step) -> str:
        return "; ".join(error for step, error in self._errors.items() if error and step in steps)

    def _may_act(self) -> bool:
        return not self._stopping


def _failures(made: list[Decision]) -> str:
    return "; ".join(f"{one.symbol}: {one.outcome or one.reason}" for one in made if one.failed)
