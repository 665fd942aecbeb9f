"""account_svc and order_svc as real gRPC servers over one small made-up account, for tests of sell_svc."""
# ruff: noqa: N802 - gRPC method names are CamelCase

# grpc's classes are generic in the stubs only, so annotations must stay unevaluated.
from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from fakes.sell_world import Visits
from opitios.account.v1 import account_pb2, account_service_pb2, market_data_pb2, market_data_service_pb2
from opitios.account.v1.account_service_pb2_grpc import (
    AccountServiceServicer,
    add_AccountServiceServicer_to_server,
)
from opitios.account.v1.market_data_service_pb2_grpc import (
    MarketDataServiceServicer,
    add_MarketDataServiceServicer_to_server,
)
from opitios.order.v1 import order_pb2, order_service_pb2
from opitios.order.v1.order_service_pb2_grpc import OrderServiceServicer, add_OrderServiceServicer_to_server
from runtime.errors import NotFound, ServiceError
from runtime.server import GrpcServer, Registration

NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)


class OrderNotFound(NotFound):
    reason = "ORDER_NOT_FOUND"


def stamp(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


class Book:
    """What both services know; tests change it while they run."""

    def __init__(self) -> None:
        self.accounts = [account_pb2.Account(account_id="alice", enabled=True)]
        self.positions: dict[str, list[account_pb2.Position]] = {}
        self.position_errors: dict[str, str] = {}
        self.quotes: dict[str, market_data_pb2.Quote] = {}
        self.lots: list[order_service_pb2.TrackedLot] = []
        self.open_orders: list[order_pb2.Order] = []
        self.placed: list[order_service_pb2.PlaceOrderRequest] = []
        self.cancelled: list[order_service_pb2.CancelOrderRequest] = []
        self.request_ids: list[str] = []
        self.refusal: ServiceError | None = None
        self.missing: ServiceError = OrderNotFound("no such order")
        self.is_open = True
        self.visits = Visits()

    def hold(self, symbol: str, *, qty: str, entry: str, account: str = "alice") -> None:
        self.positions.setdefault(account, []).append(
            account_pb2.Position(
                account_id=account,
                symbol=symbol,
                asset_class="us_option",
                qty=qty,
                qty_available=qty,
                side="long",
                avg_entry_price=entry,
            )
        )

    def bid(self, symbol: str, price: str) -> None:
        self.quotes[symbol] = market_data_pb2.Quote(symbol=symbol, bid_price=price, quoted_at=stamp(NOW))

    def open_order(self, client_order_id: str, symbol: str, *, age: timedelta) -> None:
        self.open_orders.append(
            order_pb2.Order(
                account_id="alice",
                client_order_id=client_order_id,
                order_id=f"b-{client_order_id}",
                symbol=symbol,
                asset_class="us_option",
                side=order_pb2.SIDE_BUY,
                state=order_pb2.ORDER_STATE_WORKING,
                submitted_at=stamp(NOW - age),
            )
        )


class AccountServicer(AccountServiceServicer, MarketDataServiceServicer):
    def __init__(self, book: Book) -> None:
        self._book = book

    async def ListAccounts(
        self, request: account_service_pb2.ListAccountsRequest, context: object
    ) -> account_service_pb2.ListAccountsResponse:
        await self._book.visits.note("ListAccounts")
        return account_service_pb2.ListAccountsResponse(accounts=self._book.accounts)

    async def ListPositions(
        self, request: account_service_pb2.ListPositionsRequest, context: object
    ) -> account_service_pb2.ListPositionsResponse:
        await self._book.visits.note("ListPositions")
        one = account_pb2.AccountPositions(
            account_id=request.account_id,
            positions=self._book.positions.get(request.account_id, []),
            error=self._book.position_errors.get(request.account_id, ""),
            read_at=stamp(NOW),
        )
        return account_service_pb2.ListPositionsResponse(accounts=[one])

    async def GetMarketClock(
        self, request: market_data_service_pb2.GetMarketClockRequest, context: object
    ) -> market_data_service_pb2.GetMarketClockResponse:
        return market_data_service_pb2.GetMarketClockResponse(
            now=stamp(NOW),
            is_open=self._book.is_open,
            next_open=stamp(NOW + timedelta(days=1)),
            next_close=stamp(NOW + timedelta(hours=5)),
        )

    async def GetOptionQuotes(
        self, request: market_data_service_pb2.GetOptionQuotesRequest, context: object
    ) -> market_data_service_pb2.GetOptionQuotesResponse:
        assert request.include_last_trade
        known = [self._book.quotes[one] for one in request.symbols if one in self._book.quotes]
        missing = [one for one in request.symbols if one not in self._book.quotes]
        return market_data_service_pb2.GetOptionQuotesResponse(quotes=known, missing=missing)


class OrderServicer(OrderServiceServicer):
    def __init__(self, book: Book) -> None:
        self._book = book
        self._orders: dict[str, order_pb2.Order] = {}

    async def ListOrders(
        self, request: order_service_pb2.ListOrdersRequest, context: object
    ) -> order_service_pb2.ListOrdersResponse:
        await self._book.visits.note("ListOrders")
        return order_service_pb2.ListOrdersResponse(orders=self._book.open_orders, read_at=stamp(NOW))

    async def ListTrackedLots(
        self, request: order_service_pb2.ListTrackedLotsRequest, context: object
    ) -> order_service_pb2.ListTrackedLotsResponse:
        return order_service_pb2.ListTrackedLotsResponse(lots=self._book.lots)

    async def GetOrder(
        self, request: order_service_pb2.GetOrderRequest, context: object
    ) -> order_service_pb2.GetOrderResponse:
        if request.client_order_id not in self._orders:
            raise self._book.missing
        return order_service_pb2.GetOrderResponse(order=self._orders[request.client_order_id])

    async def PlaceOrder(
        self,
        request: order_service_pb2.PlaceOrderRequest,
        context: grpc.aio.ServicerContext[object, object],
    ) -> order_service_pb2.PlaceOrderResponse:
        self._book.placed.append(request)
        self._book.request_ids += [
            str(value) for key, value in context.invocation_metadata() or () if key == "x-request-id"
        ]
        await self._book.visits.note("PlaceOrder")
        if self._book.refusal is not None:
            raise self._book.refusal
        order = order_pb2.Order(
            account_id=request.account_id,
            client_order_id=request.client_order_id,
            order_id=f"b-{request.client_order_id}",
            symbol=request.symbol,
            side=request.side,
            state=order_pb2.ORDER_STATE_FILLED,
            filled_qty=request.qty,
            filled_at=stamp(NOW),
        )
        self._orders[request.client_order_id] = order
        self._book.positions[request.account_id] = [
            one for one in self._book.positions[request.account_id] if one.symbol != request.symbol
        ]
        return order_service_pb2.PlaceOrderResponse(order=order)

    async def CancelOrder(
        self, request: order_service_pb2.CancelOrderRequest, context: object
    ) -> order_service_pb2.CancelOrderResponse:
        self._book.cancelled.append(request)
        self._book.open_orders = [one for one in self._book.open_orders if one.order_id != request.order_id]
        await self._book.visits.note("CancelOrder")
        return order_service_pb2.CancelOrderResponse(outcome=order_service_pb2.CANCEL_OUTCOME_REQUESTED)


@asynccontextmanager
async def account_service(book: Book, listen: str = "127.0.0.1:0") -> AsyncIterator[GrpcServer]:
    """account_svc, healthy."""
    servicer = AccountServicer(book)  # type: ignore[abstract] # only what sell_svc calls is there
    services = [
        Registration(
            service="opitios.account.v1.AccountService",
            add=partial(add_AccountServiceServicer_to_server, servicer),
        ),
        Registration(
            service="opitios.account.v1.MarketDataService",
            add=partial(add_MarketDataServiceServicer_to_server, servicer),
        ),
    ]
    async with _serving(services, listen) as server:
        yield server


@asynccontextmanager
async def order_service(book: Book, listen: str = "127.0.0.1:0") -> AsyncIterator[GrpcServer]:
    """order_svc, healthy."""
    servicer = OrderServicer(book)  # type: ignore[abstract] # only what sell_svc calls is there
    add = partial(add_OrderServiceServicer_to_server, servicer)
    async with _serving([Registration(service="opitios.order.v1.OrderService", add=add)], listen) as server:
        yield server


@asynccontextmanager
async def _serving(services: list[Registration], listen: str) -> AsyncIterator[GrpcServer]:
    async with GrpcServer(listen=listen, listen_key="test", services=services) as server:
        await server.set_serving()
        yield server
