"""account_svc and order_svc as the ports see them: our values in and out, their statuses as our errors."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from opitios.account.v1.account_service_pb2 import ListAccountsRequest, ListPositionsRequest
from opitios.account.v1.account_service_pb2_grpc import AccountServiceStub
from opitios.account.v1.market_data_service_pb2 import GetMarketClockRequest, GetOptionQuotesRequest
from opitios.account.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from opitios.order.v1.order_pb2 import (
    ORDER_TYPE_LIMIT,
    ORDER_TYPE_MARKET,
    POSITION_INTENT_SELL_TO_CLOSE,
    SIDE_SELL,
    TIME_IN_FORCE_DAY,
)
from opitios.order.v1.order_service_pb2 import (
    ORDER_SCOPE_OPEN,
    CancelOrderRequest,
    GetOrderRequest,
    ListOrdersRequest,
    ListTrackedLotsRequest,
    PlaceOrderRequest,
)
from opitios.order.v1.order_service_pb2_grpc import OrderServiceStub
from runtime.channel import RetryPolicy, retry_policy
from runtime.clock import Clock
from runtime.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ServiceError,
    Unavailable,
)
from runtime.status import from_rpc_error
from sell_svc import wire
from sell_svc.known import Known
from sell_svc.observation import (
    AccountId,
    ClientOrderId,
    Holdings,
    Lot,
    Market,
    OpenOrder,
    OpenOrders,
    Quote,
)
from sell_svc.ports import CancelReport, ExitOrder, ExitReport, PlaceOutcome, Refused, Unanswered

READ_SECONDS: Final = 2.0
PLACE_SECONDS: Final = 10.0
CANCEL_SECONDS: Final = 5.0
"""reliability.md, section 6."""

MAX_SYMBOLS: Final = 1_000
"""Of one GetOptionQuotes."""

ACCOUNT_RETRIES: Final[tuple[RetryPolicy, ...]] = (
    retry_policy("opitios.account.v1.AccountService", ("ListAccounts", "ListPositions")),
    retry_policy("opitios.account.v1.MarketDataService", ("GetOptionQuotes", "GetMarketClock")),
)
ORDER_RETRIES: Final[tuple[RetryPolicy, ...]] = (
    retry_policy("opitios.order.v1.OrderService", ("ListOrders", "ListTrackedLots", "GetOrder")),
    retry_policy(
        "opitios.order.v1.OrderService",
        ("CancelOrder",),
        codes=(grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED),
    ),
)
"""Never PlaceOrder: the next tick asks for the exit by its id first."""

_GUARD: Final = "INSUFFICIENT_BALANCE"
_BROKER: Final = "ORDER_REJECTED"
_NO_ORDER: Final = "ORDER_NOT_FOUND"
_REFUSALS: Final = (FailedPrecondition, InvalidArgument, AlreadyExists, PermissionDenied, NotFound)


class AccountClient:
    """The port `Accounts` over account_svc."""

    def __init__(self, channel: grpc.aio.Channel, clock: Clock) -> None:
        self._accounts = AccountServiceStub(channel)
        self._market_data = MarketDataServiceStub(channel)
        self._clock = clock

    async def list_accounts(self) -> tuple[AccountId, ...]:
        """Every enabled account. Raises ServiceError."""
        with _our_errors():
            answer = await self._accounts.ListAccounts(ListAccountsRequest(), timeout=READ_SECONDS)
        return tuple(AccountId(one.account_id) for one in answer.accounts if one.enabled)

    async def read_holdings(self, account_id: AccountId) -> Known[Holdings]:
        """The option positions of one account. Raises ServiceError, also where only this account failed."""
        asked = self._clock.now()
        with _our_errors():
            answer = await self._accounts.ListPositions(
                ListPositionsRequest(account_id=account_id), timeout=READ_SECONDS
            )
        for one in answer.accounts:
            if one.account_id == account_id:
                if one.error:
                    raise Unavailable(one.error)
                return Known(value=wire.holdings(one), at=_start(one.read_at, asked))
        raise Unavailable(f"account_svc said nothing about account {account_id}")

    async def read_market(self) -> Known[Market]:
        """The broker's clock. Raises ServiceError."""
        asked = self._clock.now()
        with _our_errors():
            answer = await self._market_data.GetMarketClock(GetMarketClockRequest(), timeout=READ_SECONDS)
        return Known(value=wire.market(answer), at=asked)

    async def read_quotes(self, account_id: AccountId, symbols: Sequence[str]) -> Known[Mapping[str, Quote]]:
        """Quotes and last trades by symbol. Raises ServiceError."""
        asked = self._clock.now()
        batches = (symbols[at : at + MAX_SYMBOLS] for at in range(0, len(symbols), MAX_SYMBOLS))
        read = await asyncio.gather(*(self._read_quotes(account_id, one) for one in batches))
        return Known(value={symbol: one for quotes in read for symbol, one in quotes.items()}, at=asked)

    async def _read_quotes(self, account_id: AccountId, symbols: Sequence[str]) -> dict[str, Quote]:
        request = GetOptionQuotesRequest(symbols=symbols, account_id=account_id, include_last_trade=True)
        with _our_errors():
            answer = await self._market_data.GetOptionQuotes(request, timeout=READ_SECONDS)
        return {one.symbol: wire.quote(one) for one in answer.quotes}


class OrderClient:
    """The port `Orders` over order_svc."""

    def __init__(self, channel: grpc.aio.Channel, clock: Clock) -> None:
        self._orders = OrderServiceStub(channel)
        self._clock = clock

    async def list_open(self, account_id: AccountId) -> Known[OpenOrders]:
        """Every order that can still trade. Raises ServiceError."""
        asked = self._clock.now()
        request = ListOrdersRequest(account_id=account_id, scope=ORDER_SCOPE_OPEN)
        with _our_errors():
            answer = await self._orders.ListOrders(request, timeout=READ_SECONDS)
        return Known(value=wire.open_orders(answer), at=_start(answer.read_at, asked))

    async def list_lots(self, account_id: AccountId) -> Known[tuple[Lot, ...]]:
        """What was bought through this system and is not yet sold. Raises ServiceError."""
        asked = self._clock.now()
        request = ListTrackedLotsRequest(account_id=account_id)
        with _our_errors():
            answer = await self._orders.ListTrackedLots(request, timeout=READ_SECONDS)
        return Known(value=wire.lots(answer), at=asked)

    async def find_exit(self, account_id: AccountId, client_order_id: ClientOrderId) -> ExitReport | None:
        """The exit with this id, `None` when order_svc says there is none. Raises ServiceError otherwise."""
        request = GetOrderRequest(account_id=account_id, client_order_id=client_order_id)
        try:
            with _our_errors():
                answer = await self._orders.GetOrder(request, timeout=READ_SECONDS)
        except NotFound as error:
            # That an account is not found says nothing about its exits.
            if error.reason != _NO_ORDER:
                raise
            return None
        return wire.exit_report(answer.order)

    async def place_exit(self, order: ExitOrder) -> PlaceOutcome:
        """Sends it, or returns the first outcome of the same id; a failure is an outcome too."""
        request = PlaceOrderRequest(
            account_id=order.account_id,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=SIDE_SELL,
            order_type=ORDER_TYPE_MARKET if order.limit_price is None else ORDER_TYPE_LIMIT,
            time_in_force=TIME_IN_FORCE_DAY,
            qty=f"{order.qty:f}",
            limit_price="" if order.limit_price is None else f"{order.limit_price:f}",
            position_intent=POSITION_INTENT_SELL_TO_CLOSE,
            # It takes from the lots that the monitor may sell, not from the owner's own.
            auto_sell_enabled=True,
        )
        try:
            with _our_errors():
                answer = await self._orders.PlaceOrder(request, timeout=PLACE_SECONDS)
            return wire.exit_report(answer.order)
        except _REFUSALS as error:
            return Refused(
                reason=error.reason,
                message=error.message,
                by_us=error.reason != _BROKER,
                by_guard=error.reason == _GUARD,
            )
        except ServiceError as error:
            return Unanswered(reason=error.reason, message=error.message)

    async def cancel(self, account_id: AccountId, order: OpenOrder, reason: str) -> CancelReport:
        """Asks the broker to cancel. Raises ServiceError where it was not asked. Safe to repeat."""
        request = CancelOrderRequest(account_id=account_id, reason=reason)
        if order.order_id is not None:
            request.order_id = order.order_id
        else:
            request.client_order_id = order.client_order_id
        with _our_errors():
            answer = await self._orders.CancelOrder(request, timeout=CANCEL_SECONDS)
        return wire.cancel_report(answer)


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error


def _start(read_at: Timestamp, asked: datetime) -> datetime:
    return wire.moment(read_at) or asked
