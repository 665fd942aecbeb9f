"""Prices and the market's clock, read with the account that is asked for or the first that works."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeVar

from loguru import logger

from account_svc.ports import Account, AccountReads, Accounts
from broker.bars import Bar, BarsQuery
from broker.option_chain import ChainQuery, OptionSnapshot
from broker.reports import MarketClock, Quote, Trade
from runtime.clock import Clock
from runtime.context import remaining_seconds
from runtime.errors import InvalidArgument, ServiceError, Unavailable

READ_SECONDS: Final = 2.0
"""For one answer (reliability.md, section 6)."""
BARS_SECONDS: Final = 5.0
"""For bars, of which a request can ask for thousands."""
CHAIN_SECONDS: Final = 10.0
"""For a chain, which the broker sends in pages of 1,000 contracts."""
MAX_TRIES: Final = 3
"""How many accounts are asked, one after the other, for something that any of them can tell."""

T = TypeVar("T")


class NoAccount(Unavailable):
    """No account is configured and enabled that could be asked."""

    reason = "NO_ACCOUNT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The newest prices of the symbols that were asked for."""

    quotes: Mapping[str, Quote]
    trades: Mapping[str, Trade]
    """The last trades; empty when not asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The contracts of one underlying."""

    underlying_symbol: str
    underlying_price: Decimal | None
    """The ask, else the bid; `None` where there is neither or it could not be read."""
    contracts: Sequence[OptionSnapshot]
    """By expiry, strike and right."""


class MarketData:
    """Answers questions that every account's keys can ask; safe to repeat."""

    def __init__(self, accounts: Accounts, *, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock
        self._worked_last: str | None = None

    async def stock_prices(self, symbols: Sequence[str], *, account_id: str, with_trades: bool) -> Prices:
        """The latest quotes of stocks; a symbol without one is absent."""

        async def read(reads: AccountReads, deadline: float) -> Prices:
            quotes = await reads.latest_stock_quotes(symbols, timeout=self._left(deadline))
            if not with_trades:
                return Prices(quotes=quotes.found, trades={})
            trades = await reads.latest_stock_trades(symbols, timeout=self._left(deadline))
            return Prices(quotes=quotes.found, trades=trades.found)

        return await self._ask(account_id, read)

    async def option_prices(self, symbols: Sequence[str], *, account_id: str, with_trades: bool) -> Prices:
        """The latest quotes of option contracts; a symbol without one is absent."""

        async def read(reads: AccountReads, deadline: float) -> Prices:
            quotes = await reads.latest_option_quotes(symbols, timeout=self._left(deadline))
            if not with_trades:
                return Prices(quotes=quotes.found, trades={})
            trades = await reads.latest_option_trades(symbols, timeout=self._left(deadline))
            return Prices(quotes=quotes.found, trades=trades.found)

        return await self._ask(account_id, read)

    async def stock_bars(self, query: BarsQuery, *, account_id: str) -> Sequence[Bar]:
        """The bars of one stock, oldest first."""

        async def read(reads: AccountReads, deadline: float) -> Sequence[Bar]:
            return await reads.stock_bars(query, timeout=self._left(deadline))

        return await self._ask(account_id, read, BARS_SECONDS)

    async def option_chain(self, query: ChainQuery, *, account_id: str) -> Chain:
        """The contracts of one underlying; those that cannot be read are logged and left out."""

        async def read(reads: AccountReads, deadline: float) -> Chain:
            symbol = query.underlying_symbol
            listed = await reads.option_chain(query, timeout=self._left(deadline))
            for problem in listed.unreadable:
                logger.warning(f"A contract of {symbol} is left out of its chain: {problem}")
            price = await self._price_of(symbol, reads, self._left(deadline))
            return Chain(underlying_symbol=symbol, underlying_price=price, contracts=listed.items)

        return await self._ask(account_id, read, CHAIN_SECONDS)

    async def _price_of(self, symbol: str, reads: AccountReads, seconds: float) -> Decimal | None:
        """The underlying's price; a chain is worth having without it, and an index has none."""
        try:
            quotes = await reads.latest_stock_quotes([symbol], timeout=seconds)
        except ServiceError as error:
            logger.warning(f"The price of {symbol} could not be read: {error.message}")
            return None
        quote = quotes.found.get(symbol)
        return None if quote is None else next((price for price in (quote.ask, quote.bid) if price > 0), None)

    async def market_clock(self, *, account_id: str) -> MarketClock:
        """The broker's clock and the session it is in."""

        async def read(reads: AccountReads, deadline: float) -> MarketClock:
            return await reads.market_clock(timeout=self._left(deadline))

        return await self._ask(account_id, read)

    async def _ask(
        self,
        account_id: str,
        read: Callable[[AccountReads, float], Awaitable[T]],
        seconds: float = READ_SECONDS,
    ) -> T:
        deadline = self._clock.monotonic() + remaining_seconds(seconds, self._clock)
        if account_id:
            return await read(self._accounts.resolve(account_id).client, deadline)
        problem: ServiceError = NoAccount("no enabled account is configured; add one under accounts")
        for tries_left, account in self._candidates():
            # An account that does not answer must leave time for the next one.
            share = self._clock.monotonic() + self._left(deadline) / tries_left
            try:
                answer = await read(account.client, share)
            except InvalidArgument:
                raise
            except ServiceError as error:
                problem = error
                continue
            self._worked_last = account.account_id
            return answer
        raise problem

    def _candidates(self) -> Sequence[tuple[int, Account]]:
        """The accounts to ask with the number of tries left, that included: the likeliest first."""
        ranked = sorted(self._accounts.all(), key=self._rank)[:MAX_TRIES]
        return tuple((len(ranked) - index, account) for index, account in enumerate(ranked))

    def _rank(self, account: Account) -> int:
        if account.account_id == self._worked_last:
            return 0
        return 1 if account.standing.account_number is not None else 2

    def _left(self, deadline: float) -> float:
        return max(deadline - self._clock.monotonic(), 0.0)
