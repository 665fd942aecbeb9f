"""Everything one sandbox process holds, and how a scenario becomes it."""

import asyncio
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.accounts import Account, Position
from sandbox.archive import Archive
from sandbox.bar_stream import BarStream
from sandbox.clock import SandboxClock
from sandbox.errors import AlpacaError, no_credentials, unauthorized
from sandbox.exchange import Exchange
from sandbox.faults import FaultBook
from sandbox.instant import Instant, to_datetime
from sandbox.ledger import Ledger
from sandbox.rate_limit import RateLimit
from sandbox.scenario import Present, Scenario, StartingAccount
from sandbox.sessions import LAST_YEAR, SessionCalendar, new_york_sessions
from sandbox.stream_hub import StreamHub


@dataclass(slots=True, kw_only=True)
class Sandbox:
    """The exchange with its clock, budgets, faults and ledger."""

    exchange: Exchange
    clock: SandboxClock
    trading_limit: RateLimit
    data_limit: RateLimit
    answer_latency_s: float
    streams: StreamHub
    bars: BarStream
    ledger: Ledger = field(default_factory=Ledger)
    faults: FaultBook = field(default_factory=FaultBook)
    unfinished: set[asyncio.Task[object]] = field(default_factory=set)

    def now(self) -> Instant:
        """The present sandbox time, with everything played that fell due before it."""
        now = self.clock.now()
        self.exchange.advance(now)
        self.bars.advance(now)
        return now

    def next_due(self) -> Instant | None:
        """When something happens by itself that a stream tells of, None when nothing ever will."""
        due = (self.exchange.next_due(), self.bars.next_due())
        return min((at for at in due if at is not None), default=None)

    def authenticate(self, headers: Mapping[str, str]) -> Account | AlpacaError:
        """The account whose key and secret the headers carry, or the refusal."""
        key = headers.get("APCA-API-KEY-ID")
        secret = headers.get("APCA-API-SECRET-KEY")
        if not key or not secret:
            return no_credentials()
        account = self.exchange.account_of_key(key)
        if account is None or not hmac.compare_digest(account.terms.secret.encode(), secret.encode()):
            return unauthorized()
        return account

    def open_account(self, start: StartingAccount, now: Instant) -> Account:
        """Open an account, or replace the one of the same name."""
        account = Account(terms=start.terms, created_at=now, cash=start.cash)
        for each in start.positions:
            account.positions[each.symbol] = Position(
                instrument=self.exchange.instrument(each.symbol),
                qty=each.qty,
                avg_entry_price=each.avg_entry_price,
            )
        account.record_cash(now, "account opened")
        self.exchange.open_account(account, now)
        return account


def present() -> Present:
    """The real time and the real calendar, from which relative values of a scenario are measured."""
    now = Instant(time.time_ns())
    # Two years ahead at least, so that orders and contracts of today have their sessions.
    last_year = max(LAST_YEAR, to_datetime(now).year + 2)
    return Present(now=now, calendar=new_york_sessions(last_year))


def build_sandbox(scenario: Scenario, calendar: SessionCalendar) -> Sandbox:
    """A sandbox at the start of a scenario; its clock runs from this call on."""
    now = scenario.starts_at
    archive = Archive(keep_orders=scenario.keep_orders, keep_requests=scenario.keep_requests)
    exchange = Exchange(calendar=calendar, now=now, latencies=scenario.latencies, archive=archive)
    exchange.auto_match = scenario.auto_match
    streams = StreamHub()
    sandbox = Sandbox(
        exchange=exchange,
        clock=SandboxClock(at=now, speed=scenario.speed, until=calendar.end),
        trading_limit=RateLimit(scenario.trading_per_minute),
        data_limit=RateLimit(scenario.data_per_minute),
        answer_latency_s=scenario.answer_latency_s,
        streams=streams,
        bars=BarStream(exchange=exchange, hub=streams, now=now),
        ledger=Ledger(archive),
    )
    for listing in scenario.listings:
        exchange.catalogue.add(listing.instrument)
        exchange.quote(listing.instrument.symbol, listing.quote, now)
    for account in scenario.accounts:
        sandbox.open_account(account, now)
    return sandbox
