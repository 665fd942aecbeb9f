"""What the guard needs of an account at the broker."""

# ruff: noqa: ASYNC109 - the broker's calls take their time limit as a value, it covers several steps

from collections.abc import Sequence
from typing import Protocol

from alpaca.common.enums import Sort
from alpaca.trading.enums import QueryOrderStatus

from broker.bars import Bar, BarsQuery
from broker.option_chain import ChainQuery, OptionSnapshot
from broker.rate_budget import Priority
from broker.reports import (
    AccountReading,
    BrokerOrder,
    BrokerPosition,
    Latest,
    Listing,
    MarketClock,
    OptionContract,
    Quote,
    Trade,
)
from broker.standing import Standing
from runtime.errors import ServiceError


class AccountReads(Protocol):
    """The reads of one account; `timeout` is in seconds, all raise the errors of `broker.faults`."""

    async def read_account(self, *, timeout: float, priority: Priority = ...) -> AccountReading:
        """The account."""
        ...

    async def list_positions(self, *, timeout: float, priority: Priority = ...) -> Listing[BrokerPosition]:
        """Every position."""
        ...

    async def list_orders(
        self,
        *,
        status: QueryOrderStatus = ...,
        limit: int = ...,
        direction: Sort = ...,
        timeout: float,
        priority: Priority = ...,
    ) -> Listing[BrokerOrder]:
        """One page of orders by the time of submission."""
        ...

    async def find_order_by_client_order_id(
        self, client_order_id: str, *, timeout: float, priority: Priority = ...
    ) -> BrokerOrder | None:
        """The order that carries our id, `None` when the broker says that there is none."""
        ...

    async def find_order(
        self, order_id: str, *, timeout: float, priority: Priority = ...
    ) -> BrokerOrder | None:
        """The order with the broker's id, `None` when the broker says that there is none."""
        ...

    async def find_option_contract(
        self, symbol: str, *, timeout: float, priority: Priority = ...
    ) -> OptionContract | None:
        """The contract, `None` when the broker lists none."""
        ...

    async def latest_stock_quotes(
        self, symbols: Sequence[str], *, timeout: float, priority: Priority = ...
    ) -> Latest[Quote]:
        """The best bid and ask of each stock."""
        ...

    async def latest_stock_trades(
        self, symbols: Sequence[str], *, timeout: float, priority: Priority = ...
    ) -> Latest[Trade]:
        """The last trade of each stock."""
        ...

    async def latest_option_quotes(
        self, symbols: Sequence[str], *, timeout: float, priority: Priority = ...
    ) -> Latest[Quote]:
        """The best bid and ask of each contract."""
        ...

    async def latest_option_trades(
        self, symbols: Sequence[str], *, timeout: float, priority: Priority = ...
    ) -> Latest[Trade]:
        """The last trade of each contract."""
        ...

    async def stock_bars(
        self, query: BarsQuery, *, timeout: float, priority: Priority = ...
    ) -> tuple[Bar, ...]:
        """The bars of one stock, oldest first."""
        ...

    async def option_chain(
        self, query: ChainQuery, *, timeout: float, priority: Priority = ...
    ) -> Listing[OptionSnapshot]:
        """Every listed contract of an underlying with its prices."""
        ...

    async def market_clock(self, *, timeout: float, priority: Priority = ...) -> MarketClock:
        """The broker's time and the session it is in."""
        ...


class Account(Protocol):
    """One account of the pool."""

    @property
    def account_id(self) -> str:
        """The key under `accounts`."""
        ...

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def client(self) -> AccountReads:
        """Its calls at the broker."""
        ...

    @property
    def standing(self) -> Standing:
        """Whose money it trades, and whether it may trade at all."""
        ...

    def observe(self, reading: AccountReading) -> Standing:
        """Judges the account again by a reading."""
        ...

    def observe_failure(self, error: ServiceError) -> Standing:
        """Notes that it could not be read."""
        ...


class Accounts(Protocol):
    """The enabled accounts."""

    def all(self) -> tuple[Account, ...]:
        """In the order of the configuration."""
        ...

    def resolve(self, text: str) -> Account:
        """By id, else by name regardless of case; raises AccountNotFound."""
        ...
