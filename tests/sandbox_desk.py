"""An exchange without sockets for unit tests: one account, a few quotes, and a hand on the clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sandbox.accounts import Account, AccountTerms, Position
from sandbox.exchange import Exchange
from sandbox.floor import Latencies
from sandbox.instant import Instant, parse
from sandbox.order_ticket import read_ticket
from sandbox.orders import Order
from sandbox.quotes import QuoteChange
from sandbox.replacement import read_change
from sandbox.sessions import new_york_sessions

CALL = "AAPL301220C00200000"
HIGHER_CALL = "AAPL301220C00210000"
PUT = "AAPL301220P00180000"
# A Tuesday; Thursday of that week is Thanksgiving, Friday closes at 13:00 in New York.
IN_SESSION = "2026-11-24T15:00:00Z"
BEFORE_OPEN = "2026-11-24T14:00:00Z"
AT_NIGHT = "2026-11-24T05:00:00Z"


def terms(**changes: Any) -> AccountTerms:
    """The terms of an ordinary margin account."""
    usual = {
        "name": "desk",
        "account_id": "00000000-0000-0000-0000-000000000001",
        "key": "PKDESK",
        "secret": "a-made-up-secret",
        "account_number": "PA1",
    }
    return AccountTerms(**{**usual, **changes})


@dataclass(slots=True)
class Desk:
    """The exchange at a point in time; every method plays what has fallen due first."""

    exchange: Exchange
    account: Account
    now: Instant
    _placed: int = field(default=0)

    def at(self, moment: str) -> None:
        """Go to a point in time."""
        self.now = parse(moment)
        self.exchange.advance(self.now)

    def wait(self, milliseconds: int = 0) -> None:
        """Let time pass."""
        self.now = Instant(self.now + milliseconds * 1_000_000)
        self.exchange.advance(self.now)

    def quote(self, symbol: str, bid: str, ask: str, last: str | None = None) -> None:
        """Change a quote; without `last` the last trade is in the middle."""
        middle = (Decimal(bid) + Decimal(ask)) / 2
        change = QuoteChange(bid=Decimal(bid), ask=Decimal(ask), last=Decimal(last) if last else middle)
        self.wait()
        self.exchange.quote(symbol, change, self.now)

    def submit(self, **fields: Any) -> Order:
        """Place an order, a market day buy of one AAPL unless said, and read it as accepted."""
        usual = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "day"}
        size = {} if {"qty", "notional"} & set(fields) else {"qty": "1"}
        self.wait()
        return self.exchange.submit(self.account, read_ticket({**usual, **size, **fields}), self.now)

    def placed(self, **fields: Any) -> Order:
        """Place an order and let it work."""
        order = self.submit(**fields)
        self.wait(max(self.exchange.latencies.fill_ns // 1_000_000, 0))
        return order

    def cancel(self, order: Order) -> None:
        """Ask to cancel; done at once unless there is a cancel latency."""
        self.wait()
        self.exchange.cancel(order, self.now)

    def replace(self, order: Order, **fields: Any) -> Order:
        """Ask to replace an order; done at once unless there is a cancel latency."""
        self.wait()
        return self.exchange.replace_order(self.account, order, read_change(fields, order), self.now)

    def hold(self, symbol: str, qty: str, price: str = "100") -> None:
        """Put a position into the account."""
        self.account.positions[symbol] = Position(
            instrument=self.exchange.instrument(symbol), qty=Decimal(qty), avg_entry_price=Decimal(price)
        )


def open_desk(
    moment: str = IN_SESSION, *, cash: str = "100000", latencies: Latencies | None = None, **changes: Any
) -> Desk:
    """A desk with quotes for AAPL, MSFT, a call and a put; `changes` are terms of the account."""
    now = parse(moment)
    exchange = Exchange(calendar=new_york_sessions(), now=now, latencies=latencies)
    account = Account(terms=terms(**changes), created_at=now, cash=Decimal(cash))
    exchange.open_account(account, now)
    desk = Desk(exchange=exchange, account=account, now=now)
    for symbol, bid, ask in (
        ("AAPL", "99.98", "100.02"),
        ("MSFT", "299.95", "300.05"),
        (CALL, "9.95", "10.05"),
        (HIGHER_CALL, "6.95", "7.05"),
        (PUT, "4.95", "5.05"),
    ):
        desk.quote(symbol, bid, ask)
    return desk
