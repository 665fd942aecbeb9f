"""opitios.account.v1.AccountService and MarketDataService over the guard, the accounts and the market data."""

# grpc's classes are generic in the stubs only, so annotations must stay unevaluated.
from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import grpc

from account_svc import read_market_request, read_request, wire
from account_svc.accounts import AccountBook
from account_svc.authorise import OrderGuard
from account_svc.balance_report import BalanceReports
from account_svc.market_data import MarketData
from account_svc.positions import Positions
from opitios.account.v1 import account_service_pb2, market_data_service_pb2
from opitios.account.v1.account_service_pb2 import (
    AuthorizeOrderRequest,
    AuthorizeOrderResponse,
    CheckBalanceRequest,
    CheckBalanceResponse,
    GetAccountRequest,
    GetAccountResponse,
    ListAccountsRequest,
    ListAccountsResponse,
    ListPositionsRequest,
    ListPositionsResponse,
    ReleaseHoldRequest,
    ReleaseHoldResponse,
)
from opitios.account.v1.account_service_pb2_grpc import (
    AccountServiceServicer,
    add_AccountServiceServicer_to_server,
)
from opitios.account.v1.market_data_service_pb2 import (
    GetMarketClockRequest,
    GetMarketClockResponse,
    GetOptionChainRequest,
    GetOptionChainResponse,
    GetOptionQuotesRequest,
    GetOptionQuotesResponse,
    GetStockBarsRequest,
    GetStockBarsResponse,
    GetStockQuotesRequest,
    GetStockQuotesResponse,
)
from opitios.account.v1.market_data_service_pb2_grpc import (
    MarketDataServiceServicer,
    add_MarketDataServiceServicer_to_server,
)
from runtime.clock import Clock
from runtime.server import Registration


class AccountServicer(AccountServiceServicer):
    """Reads requests, asks the guard or the accounts, writes answers."""

    def __init__(
        self, *, accounts: AccountBook, guard: OrderGuard, balances: BalanceReports, positions: Positions
    ) -> None:
        self._accounts = accounts
        self._guard = guard
        self._balances = balances
        self._positions = positions

    async def ListAccounts(
        self,
        _request: ListAccountsRequest,
        _context: grpc.aio.ServicerContext[ListAccountsRequest, ListAccountsResponse],
    ) -> ListAccountsResponse:
        """Every configured account."""
        return ListAccountsResponse(accounts=[wire.account(one) for one in self._accounts.list_all()])

    async def GetAccount(
        self,
        request: GetAccountRequest,
        _context: grpc.aio.ServicerContext[GetAccountRequest, GetAccountResponse],
    ) -> GetAccountResponse:
        """One account as the broker reports it now."""
        listed, reading = await self._accounts.read(read_request.account_text(request.account_id))
        return GetAccountResponse(snapshot=wire.snapshot(listed, reading))

    async def CheckBalance(
        self,
        request: CheckBalanceRequest,
        _context: grpc.aio.ServicerContext[CheckBalanceRequest, CheckBalanceResponse],
    ) -> CheckBalanceResponse:
        """Whether one account may trade now, with the figures."""
        account = self._accounts.resolve(read_request.account_text(request.account_id))
        return wire.balance(await self._balances.read(account))

    async def ListPositions(
        self,
        request: ListPositionsRequest,
        _context: grpc.aio.ServicerContext[ListPositionsRequest, ListPositionsResponse],
    ) -> ListPositionsResponse:
        """The positions of one account, or of all for "-"."""
        accounts = self._accounts.select(read_request.account_text(request.account_id))
        return wire.positions(await self._positions.read(accounts))

    async def AuthorizeOrder(
        self,
        request: AuthorizeOrderRequest,
        _context: grpc.aio.ServicerContext[AuthorizeOrderRequest, AuthorizeOrderResponse],
    ) -> AuthorizeOrderResponse:
        """Whether an order may leave, with the cash for it set aside."""
        hold_id, terms = read_request.order_to_authorise(request)
        account = self._accounts.resolve(request.account_id)
        return wire.authorisation(await self._guard.authorise(account, hold_id, terms))

    async def ReleaseHold(
        self,
        request: ReleaseHoldRequest,
        _context: grpc.aio.ServicerContext[ReleaseHoldRequest, ReleaseHoldResponse],
    ) -> ReleaseHoldResponse:
        """Gives back the cash of an order that will never be sent."""
        hold_id = read_request.hold_to_release(request.account_id, request.hold_id)
        account = self._accounts.resolve(request.account_id)
        return ReleaseHoldResponse(
            released=await self._guard.release(account, hold_id, reason=request.reason)
        )


class MarketDataServicer(MarketDataServiceServicer):
    """Reads requests, asks the market data, writes answers."""

    def __init__(self, market_data: MarketData, *, clock: Clock) -> None:
        self._market_data = market_data
        self._clock = clock

    async def GetStockQuotes(
        self,
        request: GetStockQuotesRequest,
        _context: grpc.aio.ServicerContext[GetStockQuotesRequest, GetStockQuotesResponse],
    ) -> GetStockQuotesResponse:
        """The latest quotes of stocks."""
        symbols = read_request.stock_symbols(request.symbols)
        prices = await self._market_data.stock_prices(
            symbols, account_id=request.account_id, with_trades=request.include_last_trade
        )
        return wire.stock_quotes(symbols, prices)

    async def GetOptionQuotes(
        self,
        request: GetOptionQuotesRequest,
        _context: grpc.aio.ServicerContext[GetOptionQuotesRequest, GetOptionQuotesResponse],
    ) -> GetOptionQuotesResponse:
        """The latest quotes of option contracts."""
        symbols = read_request.option_symbols(request.symbols)
        prices = await self._market_data.option_prices(
            symbols, account_id=request.account_id, with_trades=request.include_last_trade
        )
        return wire.option_quotes(symbols, prices)

    async def GetMarketClock(
        self,
        request: GetMarketClockRequest,
        _context: grpc.aio.ServicerContext[GetMarketClockRequest, GetMarketClockResponse],
    ) -> GetMarketClockResponse:
        """The broker's clock."""
        return wire.market_clock(await self._market_data.market_clock(account_id=request.account_id))

    async def GetOptionChain(
        self,
        request: GetOptionChainRequest,
        _context: grpc.aio.ServicerContext[GetOptionChainRequest, GetOptionChainResponse],
    ) -> GetOptionChainResponse:
        """The contracts of one underlying with their prices."""
        query = read_market_request.chain_to_read(request)
        chain = await self._market_data.option_chain(query, account_id=request.account_id)
        # In a thread, as thousands of contracts would keep every other call waiting.
        return await asyncio.to_thread(wire.option_chain, chain)

    async def GetStockBars(
        self,
        request: GetStockBarsRequest,
        _context: grpc.aio.ServicerContext[GetStockBarsRequest, GetStockBarsResponse],
    ) -> GetStockBarsResponse:
        """Price bars of one stock, oldest first."""
        query = read_market_request.bars_to_read(request, now=self._clock.now())
        bars = await self._market_data.stock_bars(query, account_id=request.account_id)
        return await asyncio.to_thread(wire.stock_bars, request.symbol, bars)


def registrations(accounts: AccountServicer, market_data: MarketDataServicer) -> Sequence[Registration]:
    """Both services under their full names."""
    account_service = account_service_pb2.DESCRIPTOR.services_by_name["AccountService"]
    market_data_service = market_data_service_pb2.DESCRIPTOR.services_by_name["MarketDataService"]
    return (
        Registration(
            service=account_service.full_name,
            add=partial(add_AccountServiceServicer_to_server, accounts),
        ),
        Registration(
            service=market_data_service.full_name,
            add=partial(add_MarketDataServiceServicer_to_server, market_data),
        ),
    )
