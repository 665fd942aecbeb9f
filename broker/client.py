"""One account at Alpaca, awaitable: every call has a deadline and keeps to the account's budget."""

# ruff: noqa: ASYNC109 - a time limit is a value here: it spans several steps, and is part of the port

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import partial

from alpaca.common.enums import Sort
from alpaca.data.requests import (
    OptionLatestQuoteRequest,
    OptionLatestTradeRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
)
from alpaca.trading.enums import QueryOrderStatus
from alpaca.trading.requests import GetCalendarRequest, GetOrdersRequest

from broker import option_symbol, report_parsing
from broker.alpaca_py import make_clients
from broker.bars import Bar, BarsQuery, read_bars
from broker.caller import Caller, plain
from broker.credentials import AccountCredentials, BrokerUrls
from broker.latest_prices import read_latest
from broker.open_orders import read_open_orders
from broker.option_chain import ChainQuery, OptionSnapshot, read_chain
from broker.order_ids import check_client_order_id, check_order_id
from broker.outcomes import CancelOutcome, Submission, classify_cancel, classify_submission
from broker.rate_budget import Priority, RateBudget, RateLimits
from broker.rate_gate import RateGate
from broker.reports import (
    AccountReading,
    Asset,
    BrokerOrder,
    BrokerPosition,
    CalendarDay,
    Latest,
    Listing,
    MarketClock,
    OptionContract,
    OrderSide,
    Quote,
    Trade,
)
from broker.requests import OrderRequest, to_alpaca
from broker.symbols import check_symbol, path_segment
from broker.transport import AsyncTransport
from runtime.clock import SYSTEM_CLOCK, Clock
from runtime.errors import FieldViolation, MalformedRequest

__all__ = ["MAX_ORDERS_PER_PAGE", "BrokerClient"]

MAX_ORDERS_PER_PAGE = 500
"""Alpaca's largest page of orders."""

TRADING_LIMITS = RateLimits(follows_broker=True)
"""Alpaca's 200 a minute and account, or what its answers name where the account pays for more."""

DATA_LIMITS = RateLimits(keeps_reserve=False, follows_broker=True)
"""Alpaca counts market data apart from trading, and how much of it there is depends on the account's plan."""


class BrokerClient:
    """Calls Alpaca for one account, over a transport that all accounts share.

    `timeout` is in seconds and covers everything, also the wait for room in the request budget. Reads
    are safe to repeat and raise the errors that `broker.faults` lists; nothing here repeats a write.
    Ids and symbols that Alpaca could not mean raise InvalidArgument before anything is sent.
    """

    def __init__(
        self,
        credentials: AccountCredentials,
        *,
        transport: AsyncTransport,
        urls: BrokerUrls | None = None,
        trading_limits: RateLimits | None = None,
        data_limits: RateLimits | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        urls = urls or BrokerUrls()
        self._clock = clock
        self._paper = credentials.paper_trading
        self._alpaca = make_clients(
            api_key=credentials.api_key,
            secret_key=credentials.secret_key,
            paper_trading=credentials.paper_trading,
            trading_url=urls.trading_url,
            data_url=urls.data_url,
        )
        self._trading = Caller(
            transport=transport,
            gate=RateGate(RateBudget(trading_limits or TRADING_LIMITS), clock),
            clock=clock,
        )
        self._data = Caller(
            transport=transport, gate=RateGate(RateBudget(data_limits or DATA_LIMITS), clock), clock=clock
        )

    async def read_account(self, *, timeout: float, priority: Priority = Priority.READ) -> AccountReading:
        """The account as it stood at some moment after its `requested_at`."""
        return await self._trading.read(
            self._alpaca.trading.get_account,
            lambda raw, call: report_parsing.account_reading(
                raw, requested_at=call.started_at, requested_monotonic=call.started
            ),
            priority=priority,
            timeout=timeout,
        )

    async def list_positions(
        self, *, timeout: float, priority: Priority = Priority.READ
    ) -> Listing[BrokerPosition]:
        """Every position; look at `complete` before concluding that one is not there."""
        return await self._trading.read(
            self._alpaca.trading.get_all_positions,
            plain(lambda raw: report_parsing.listing(raw, report_parsing.broker_position, "position")),
            priority=priority,
            timeout=timeout,
        )

    async def find_position(
        self, symbol: str, *, timeout: float, priority: Priority = Priority.READ
    ) -> BrokerPosition | None:
        """The position in one symbol, `None` when the broker says that there is none."""
        return await self._trading.find(
            partial(self._alpaca.trading.get_open_position, path_segment(symbol)),
            plain(report_parsing.broker_position),
            priority=priority,
            timeout=timeout,
        )

    async def submit_order(
        self,
        order: OrderRequest,
        *,
        timeout: float,
        start_within: float | None = None,
        priority: Priority = Priority.OPEN,
    ) -> Submission:
        """What became of one POST of the order, sent once; it starts within `start_within` seconds or never.

        Raises only RateBudgetExhausted, and then nothing was sent. When the task is cancelled the
        outcome is unknown. The client_order_id makes a repeat safe: it cannot become a second order.
        """
        result = await self._trading.write(
            partial(self._alpaca.trading.submit_order, to_alpaca(order)),
            priority=priority,
            timeout=timeout,
            start_within=start_within,
        )
        return classify_submission(result, client_order_id=order.client_order_id)

    async def cancel_order(
        self, order_id: str, *, timeout: float, priority: Priority = Priority.CANCEL
    ) -> CancelOutcome:
        """What became of the request to cancel; safe to repeat.

        Whatever it is, only reading the order tells whether it is canceled. Raises only InvalidArgument
        and RateBudgetExhausted, and then nothing was sent.
        """
        result = await self._trading.write(
            partial(self._alpaca.trading.cancel_order_by_id, check_order_id(order_id)),
            priority=priority,
            timeout=timeout,
        )
        return classify_cancel(result)

    async def find_order(
        self, order_id: str, *, timeout: float, priority: Priority = Priority.READ
    ) -> BrokerOrder | None:
        """The order with the broker's id, `None` when the broker says that there is none."""
        return await self._trading.find(
            partial(self._alpaca.trading.get_order_by_id, check_order_id(order_id)),
            plain(report_parsing.broker_order),
            priority=priority,
            timeout=timeout,
        )

    async def find_order_by_client_order_id(
        self, client_order_id: str, *, timeout: float, priority: Priority = Priority.EXIT
    ) -> BrokerOrder | None:
        """The order that carries our id, `None` when the broker says that there is none.

        Soon after an answer was lost `None` proves nothing: the order may still be on its way.
        """
        return await self._trading.find(
            partial(self._alpaca.trading.get_order_by_client_id, check_client_order_id(client_order_id)),
            plain(report_parsing.broker_order),
            priority=priority,
            timeout=timeout,
        )

    async def list_orders(
        self,
        *,
        status: QueryOrderStatus = QueryOrderStatus.OPEN,
        limit: int = MAX_ORDERS_PER_PAGE,
        after: datetime | None = None,
        until: datetime | None = None,
        direction: Sort = Sort.DESC,
        symbols: Sequence[str] = (),
        side: OrderSide | None = None,
        timeout: float,
        priority: Priority = Priority.READ,
    ) -> Listing[BrokerOrder]:
        """One page of orders by the time of submission; `after` and `until` are exclusive.

        `limit` is 1 to 500. A page that is full may not be all there is.
        """
        if not 1 <= limit <= MAX_ORDERS_PER_PAGE:
            problem = f"is {limit}, not 1 to {MAX_ORDERS_PER_PAGE}"
            raise MalformedRequest([FieldViolation(field="limit", description=problem)])
        query = GetOrdersRequest(
            status=status,
            limit=limit,
            after=after,
            until=until,
            direction=direction,
            symbols=[check_symbol(symbol) for symbol in symbols] or None,
            side=side,
        )
        return await self._trading.read(
            partial(self._alpaca.trading.get_orders, query),
            plain(lambda raw: report_parsing.listing(raw, report_parsing.broker_order, "order")),
            priority=priority,
            timeout=timeout,
        )

    async def list_open_orders(
        self, *, timeout: float, priority: Priority = Priority.READ
    ) -> Listing[BrokerOrder]:
        """Every open order, oldest first, from as many pages as it takes."""
        return await read_open_orders(self, timeout=timeout, priority=priority, clock=self._clock)

    async def latest_stock_quotes(
        self, symbols: Iterable[str], *, timeout: float, priority: Priority = Priority.READ
    ) -> Latest[Quote]:
        """The best bid and ask of each stock, as the account's data plan shows them."""
        return await read_latest(
            self._data,
            lambda batch: self._alpaca.stocks.get_stock_latest_quote(
                StockLatestQuoteRequest(symbol_or_symbols=batch)
            ),
            report_parsing.quote,
            [check_symbol(symbol) for symbol in symbols],
            priority=priority,
            timeout=timeout,
            clock=self._clock,
        )

    async def latest_stock_trades(
        self, symbols: Iterable[str], *, timeout: float, priority: Priority = Priority.READ
    ) -> Latest[Trade]:
        """The last trade of each stock; odd lots do not count as trades."""
        return await read_latest(
            self._data,
            lambda batch: self._alpaca.stocks.get_stock_latest_trade(
                StockLatestTradeRequest(symbol_or_symbols=batch)
            ),
            report_parsing.trade,
            [check_symbol(symbol) for symbol in symbols],
            priority=priority,
            timeout=timeout,
            clock=self._clock,
        )

    async def latest_option_quotes(
        self, symbols: Iterable[str], *, timeout: float, priority: Priority = Priority.READ
    ) -> Latest[Quote]:
        """The best bid and ask of each contract, under the compact form of its symbol."""
        return await read_latest(
            self._data,
            lambda batch: self._alpaca.options.get_option_latest_quote(
                OptionLatestQuoteRequest(symbol_or_symbols=batch)
            ),
            report_parsing.quote,
            [str(option_symbol.parse(symbol)) for symbol in symbols],
            priority=priority,
            timeout=timeout,
            clock=self._clock,
        )

    async def latest_option_trades(
        self, symbols: Iterable[str], *, timeout: float, priority: Priority = Priority.READ
    ) -> Latest[Trade]:
        """The last trade of each contract, under the compact form of its symbol."""
        return await read_latest(
            self._data,
            lambda batch: self._alpaca.options.get_option_latest_trade(
                OptionLatestTradeRequest(symbol_or_symbols=batch)
            ),
            report_parsing.trade,
            [str(option_symbol.parse(symbol)) for symbol in symbols],
            priority=priority,
            timeout=timeout,
            clock=self._clock,
        )

    async def stock_bars(
        self, query: BarsQuery, *, timeout: float, priority: Priority = Priority.READ
    ) -> tuple[Bar, ...]:
        """The bars of one stock, oldest first; raises DataPlanTooSmall where the plan does not cover them."""
        return await read_bars(
            self._data,
            self._alpaca.stocks.get_stock_bars,
            query,
            paper=self._paper,
            priority=priority,
            timeout=timeout,
        )

    async def option_chain(
        self, query: ChainQuery, *, timeout: float, priority: Priority = Priority.READ
    ) -> Listing[OptionSnapshot]:
        """Every listed contract of an underlying with its prices; look at `complete` first."""
        return await read_chain(
            self._data, self._alpaca.options.get_option_chain, query, priority=priority, timeout=timeout
        )

    async def market_clock(self, *, timeout: float, priority: Priority = Priority.READ) -> MarketClock:
        """The broker's time and the session it is in."""
        return await self._trading.read(
            self._alpaca.trading.get_clock,
            plain(report_parsing.market_clock),
            priority=priority,
            timeout=timeout,
        )

    async def calendar(
        self, start: date, end: date, *, timeout: float, priority: Priority = Priority.READ
    ) -> tuple[CalendarDay, ...]:
        """The trading days from `start` to `end`, both included, in their order."""
        return await self._trading.read(
            partial(self._alpaca.trading.get_calendar, GetCalendarRequest(start=start, end=end)),
            plain(report_parsing.calendar_days),
            priority=priority,
            timeout=timeout,
        )

    async def find_option_contract(
        self, symbol: str, *, timeout: float, priority: Priority = Priority.READ
    ) -> OptionContract | None:
        """The contract behind an option symbol, `None` when the broker lists none."""
        return await self._trading.find(
            partial(self._alpaca.trading.get_option_contract, str(option_symbol.parse(symbol))),
            plain(report_parsing.option_contract),
            priority=priority,
            timeout=timeout,
        )

    async def lists(self, symbol: str, *, timeout: float, priority: Priority = Priority.READ) -> bool:
        """Whether the broker knows a stock, an option contract or a coin under this symbol."""
        if option_symbol.is_option_symbol(symbol):
            return await self.find_option_contract(symbol, timeout=timeout, priority=priority) is not None
        return await self.find_asset(symbol, timeout=timeout, priority=priority) is not None

    async def find_asset(
        self, symbol: str, *, timeout: float, priority: Priority = Priority.READ
    ) -> Asset | None:
        """What can be traded under a symbol, `None` when the broker knows nothing under it."""
        return await self._trading.find(
            partial(self._alpaca.trading.get_asset, path_segment(symbol)),
            plain(report_parsing.asset),
            priority=priority,
            timeout=timeout,
        )
