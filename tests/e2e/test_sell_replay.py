"""FR-006 over several trading days: a change of the clocks, gaps at the open, an early close, four accounts.

The exchange's clock stands still and is set from moment to moment. After each the monitor has seen that
moment, for every account, before the exits at the exchange are compared with those expected: each once, no other.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from scenarios import (
    OPTION,
    OTHER_OPTION,
    QUOTES,
    configured_account,
    exchange_account,
    scenario,
)
from stack_process import Plan, Stack, running

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.e2e, pytest.mark.timeout(180)]

EXPIRING = "AAPL261102C00200000"
"""Expires on the Monday after the clocks went back."""
TOMORROW = "AAPL261103C00200000"
"""Expires the day after, which is the day it is in Shanghai while New York still trades on Monday."""
HELD = {"qty": "2", "avg_entry_price": "10"}
ACCOUNTS = {
    "gapper": [{"symbol": OPTION, **HELD}],
    "expirer": [{"symbol": EXPIRING, **HELD}, {"symbol": TOMORROW, **HELD}],
    "keeper": [{"symbol": OTHER_OPTION, **HELD}],
    "empty": [],
}
EVEN = {"bid": "10.00", "ask": "10.10", "last": "10.00"}
GAP = {"bid": "20.00", "ask": "20.10", "last": "20.00"}


@dataclass(slots=True)
class Replay:
    """The system, and the exits expected so far."""

    system: Stack
    expected: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def at(
        self, moment: str, *exits: tuple[str, str], quotes: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        """Goes to a moment with fresh quotes; from then on these exits, `(account, symbol)`, are expected too."""
        sandbox = self.system.sandbox
        await sandbox.set_clock(at=moment, freeze=True)
        await sandbox.set_quotes(
            {OPTION: EVEN, OTHER_OPTION: EVEN, EXPIRING: EVEN, TOMORROW: EVEN, **(quotes or {})}
        )
        await self.seen()
        self.expected.update(exits)
        assert await self.sold() == self.expected, moment
        # Nor was any sent that the exchange refused.
        sent = await sandbox.requests(method="POST", path="^/v2/orders$")
        assert len(sent) == self.expected.total(), moment

    async def seen(self) -> None:
        """Returns when every account has ticked, from its first read on, under the exchange's present clock."""
        await self._more("^/v2/clock$", None, 1)
        # The first read may be of a tick that began before, the second is of one that ends before the third.
        await asyncio.gather(*(self._more("^/v2/positions$", account, 3) for account in ACCOUNTS))

    async def _more(self, path: str, account: str | None, count: int) -> None:
        sandbox = self.system.sandbox
        before = len(await sandbox.requests(method="GET", path=path, account=account))
        await sandbox.wait_for_requests(
            method="GET", path=path, account=account, count=before + count, answered=True
        )

    async def sold(self) -> Counter[tuple[str, str]]:
        """Every exit that reached the exchange."""
        ledger = await self.system.sandbox.ledger()
        return Counter(
            (order["account"], order["symbol"]) for order in ledger["orders"] if order["side"] == "sell"
        )

    async def rules(self, symbol: str) -> list[str]:
        """The rules by which a contract was sold, oldest first."""
        answer = await self.system.rest("GET", f"/v1/sell/decisions?symbol={symbol}&limit=1000")
        sales = [one for one in answer.json["decisions"] if one["verdict"] == "VERDICT_SELL"]
        return [one["rule"] for one in reversed(sales)]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def replay(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Replay]:
    plan = Plan(
        scenario=scenario(
            *(
                exchange_account(name, f"PA400000{number}", positions=positions)
                for number, (name, positions) in enumerate(ACCOUNTS.items())
            ),
            clock={"at": "2026-10-30T13:00:00Z", "frozen": True},
            quotes={**QUOTES, EXPIRING: EVEN, TOMORROW: EVEN},
        ),
        accounts={name: configured_account(name) for name in ACCOUNTS},
        config={"sell_module": {"enabled": True, "check_interval": 0.2, "auto_sell": "all"}},
        # A host whose date and hour are never those of New York.
        environment={"TZ": "Asia/Shanghai"},
    )
    async with running(plan, tmp_path_factory.mktemp("replay")) as system:
        yield Replay(system=system)


async def test_every_exit_happens_once_in_its_session_and_none_outside(replay: Replay) -> None:
    gapper, expirer, keeper = ("gapper", OPTION), ("expirer", EXPIRING), ("keeper", OTHER_OPTION)
    sandbox = replay.system.sandbox

    # Friday, summer time: 09:30 to 16:00 in New York is 13:30 to 20:00 UTC.
    await replay.at("2026-10-30T13:29:59Z", quotes={OPTION: GAP})
    await replay.at("2026-10-30T13:30:00Z")
    await replay.at("2026-10-30T19:49:59Z")
    await replay.at("2026-10-30T20:00:00Z", quotes={OPTION: GAP})

    # Monday by UTC and in Shanghai, Sunday evening in New York.
    await replay.at("2026-11-02T00:30:00Z", quotes={OPTION: GAP})

    # Monday, winter time: 14:30 to 21:00 UTC. An hour earlier the market would have been open on Friday.
    await replay.at("2026-11-02T13:45:00Z", quotes={OPTION: GAP})
    await replay.at("2026-11-02T14:30:00Z", gapper, expirer, quotes={OPTION: GAP})
    await replay.at("2026-11-02T19:55:00Z")
    await replay.at("2026-11-02T20:49:59Z")
    await replay.at("2026-11-02T20:50:00Z", keeper, ("expirer", TOMORROW))

    # The close itself is outside the window, for a position that appeared meanwhile.
    await sandbox.set_clock(at="2026-11-02T21:00:00Z", freeze=True)
    await replay.seen()
    await sandbox.change_account("keeper", positions=ACCOUNTS["keeper"])
    await replay.at("2026-11-02T21:00:00Z")

    # The Friday after Thanksgiving closes at 13:00 in New York, 18:00 UTC; Thursday does not open at all.
    await replay.at("2026-11-26T15:00:00Z", quotes={OTHER_OPTION: GAP})
    await replay.at("2026-11-27T17:49:59Z")
    await replay.at("2026-11-27T17:50:00Z", keeper)
    await sandbox.set_clock(at="2026-11-27T18:00:00Z", freeze=True)
    await replay.seen()
    await sandbox.change_account("keeper", positions=ACCOUNTS["keeper"])
    await replay.at("2026-11-27T18:00:00Z")
    await replay.at("2026-11-27T20:55:00Z")

    assert await replay.rules(OPTION) == ["TAKE_PROFIT"]
    assert await replay.rules(EXPIRING) == ["ZERO_DAY"]
    assert await replay.rules(TOMORROW) == ["CLOSE_WINDOW"]
    assert await replay.rules(OTHER_OPTION) == ["CLOSE_WINDOW", "CLOSE_WINDOW"]
