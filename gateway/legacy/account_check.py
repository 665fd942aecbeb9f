"""Checks one account by reading it; no order is placed."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC
from typing import Final, TypeVar

from gateway.legacy.clients import READ_SECONDS, Services, answer_of
from gateway.legacy.errors import error_text
from gateway.legacy.health_score import ERROR, SKIP, SUCCESS, overall_status
from gateway.legacy.market_views import stock_quote_view
from gateway.legacy.numbers import number, number_or_none
from gateway.legacy.order_words import side_word, status_word
from gateway.legacy.time_formats import server_wall_clock
from opitios.account.v1 import account_service_pb2 as accounts
from opitios.account.v1 import market_data_service_pb2 as market
from opitios.account.v1.account_pb2 import Account, AccountSnapshot, Position
from opitios.account.v1.market_data_pb2 import Quote
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from opitios.order.v1 import order_service_pb2 as order_service
from opitios.order.v1.order_pb2 import Order
from runtime.clock import Clock
from runtime.errors import NotFound, ServiceError, Unavailable

SHOWN: Final = 5
TEST_SYMBOL: Final = "AAPL"
NOT_STREAMED: Final = "prices are read on request; this version has no market-data stream"

Answer = TypeVar("Answer")


class AccountCheck:
    """Reads an account's figures, positions, orders and a price, all at once."""

    def __init__(self, services: Services, clock: Clock) -> None:
        self._services = services
        self._clock = clock

    async def run(self, account: Account) -> legacy.AccountHealth:
        """What was found, with every failure as a check's own; safe to repeat."""
        now = server_wall_clock(self._clock.now())
        if not account.enabled:
            return legacy.AccountHealth(
                account_id=account.account_id, timestamp=now, status="disabled", error=account.reason
            )
        snapshot, positions, orders, quote = await asyncio.gather(
            _outcome(self._snapshot(account.account_id)),
            _outcome(self._positions(account.account_id)),
            _outcome(self._orders(account.account_id)),
            _outcome(self._quote(account.account_id)),
        )
        checks = legacy.HealthChecks(
            account_info=_account_info(snapshot),
            positions=_positions(positions),
            order_history=_order_history(orders),
            buy_permission=_permission(account, snapshot),
            sell_permission=_sell_permission(account, snapshot, positions),
            cancel_permission=_permission(account, snapshot),
            market_data=_market_data(quote),
            websocket_config=legacy.HealthCheck(status=SKIP, message=NOT_STREAMED),
        )
        statuses = [getattr(checks, field.name).status for field, _ in checks.ListFields()]
        return legacy.AccountHealth(
            account_id=account.account_id,
            timestamp=now,
            checks=checks,
            overall_status=overall_status(statuses),
        )

    async def _snapshot(self, account_id: str) -> AccountSnapshot:
        asked = accounts.GetAccountRequest(account_id=account_id)
        return (await answer_of(self._services.accounts.GetAccount(asked, timeout=READ_SECONDS))).snapshot

    async def _positions(self, account_id: str) -> list[Position]:
        asked = accounts.ListPositionsRequest(account_id=account_id)
        answer = await answer_of(self._services.accounts.ListPositions(asked, timeout=READ_SECONDS))
        problem = next((one.error for one in answer.accounts if one.error), None)
        if problem is not None:
            raise Unavailable(problem)
        return [position for one in answer.accounts for position in one.positions]

    async def _orders(self, account_id: str) -> list[Order]:
        asked = order_service.ListOrdersRequest(
            account_id=account_id, scope=order_service.ORDER_SCOPE_ALL, limit=SHOWN
        )
        return [*(await answer_of(self._services.orders.ListOrders(asked, timeout=READ_SECONDS))).orders]

    async def _quote(self, account_id: str) -> Quote:
        asked = market.GetStockQuotesRequest(symbols=[TEST_SYMBOL], account_id=account_id)
        answer = await answer_of(self._services.market_data.GetStockQuotes(asked, timeout=READ_SECONDS))
        if not answer.quotes:
            raise NotFound(f"no quote of {TEST_SYMBOL}")
        return answer.quotes[0]


async def _outcome(work: Awaitable[Answer]) -> Answer | ServiceError:
    try:
        return await work
    except ServiceError as error:
        return error


def _failed(error: ServiceError) -> legacy.HealthCheck:
    return legacy.HealthCheck(status=ERROR, error=error_text(error))


def _account_info(snapshot: AccountSnapshot | ServiceError) -> legacy.HealthCheck:
    if isinstance(snapshot, ServiceError):
        return _failed(snapshot)
    found = legacy.AccountInfoData(
        account_number=snapshot.account.account_number,
        status=snapshot.status,
        buying_power=number(snapshot.buying_power),
        cash=number(snapshot.cash),
        portfolio_value=number(snapshot.portfolio_value),
        pattern_day_trader=snapshot.pattern_day_trader,
    )
    return legacy.HealthCheck(
        status=SUCCESS, account_info_data=found, message="The account was read", warnings=_blocks(snapshot)
    )


def _positions(positions: list[Position] | ServiceError) -> legacy.HealthCheck:
    if isinstance(positions, ServiceError):
        return _failed(positions)
    found = legacy.PositionsData(
        total_positions=len(positions), positions=[_position(one) for one in positions[:SHOWN]]
    )
    return legacy.HealthCheck(status=SUCCESS, positions_data=found, message="The positions were read")


def _position(position: Position) -> legacy.PositionSummary:
    return legacy.PositionSummary(
        symbol=position.symbol,
        qty=number(position.qty),
        side=position.side,
        market_value=number_or_none(position.market_value),
        unrealized_pl=number_or_none(position.unrealized_pl),
    )


def _order_history(orders: list[Order] | ServiceError) -> legacy.HealthCheck:
    if isinstance(orders, ServiceError):
        return _failed(orders)
    found = legacy.OrderHistoryData(
        recent_orders_count=len(orders), orders=[_order(one) for one in orders[:SHOWN]]
    )
    return legacy.HealthCheck(status=SUCCESS, order_history_data=found, message="The orders were read")


def _order(order: Order) -> legacy.OrderSummary:
    submitted = order.submitted_at.ToDatetime(tzinfo=UTC) if order.HasField("submitted_at") else None
    return legacy.OrderSummary(
        id=order.order_id,
        symbol=order.symbol,
        side=side_word(order.side),
        qty=number_or_none(order.qty),
        status=status_word(order),
        created_at=None if submitted is None else submitted.isoformat(timespec="microseconds"),
    )


def _permission(account: Account, snapshot: AccountSnapshot | ServiceError) -> legacy.HealthCheck:
    if isinstance(snapshot, ServiceError):
        return _failed(snapshot)
    problems = _blocks(snapshot)
    if not snapshot.account.tradable:
        problems.append(snapshot.account.reason or account.reason or "the account may not trade")
    if problems:
        return legacy.HealthCheck(
            status=ERROR, permission_data=legacy.PermissionData(), error="; ".join(problems)
        )
    return legacy.HealthCheck(
        status=SUCCESS,
        permission_data=legacy.PermissionData(),
        message="Nothing blocks it; no order was placed",
    )


def _sell_permission(
    account: Account, snapshot: AccountSnapshot | ServiceError, positions: list[Position] | ServiceError
) -> legacy.HealthCheck:
    if not isinstance(positions, ServiceError) and not positions:
        return legacy.HealthCheck(status=SKIP, message="There is no position to sell")
    return _permission(account, snapshot)


def _blocks(snapshot: AccountSnapshot) -> list[str]:
    blocks = (
        (snapshot.trading_blocked, "trading is blocked"),
        (snapshot.account_blocked, "the account is blocked"),
        (snapshot.trade_suspended_by_user, "trading is suspended by the user"),
    )
    return [text for is_blocked, text in blocks if is_blocked]


def _market_data(quote: Quote | ServiceError) -> legacy.HealthCheck:
    if isinstance(quote, ServiceError):
        return _failed(quote)
    view = stock_quote_view(quote)
    found = legacy.MarketDataData(
        test_symbol=TEST_SYMBOL,
        bid_price=view.bid_price if view.HasField("bid_price") else None,
        ask_price=view.ask_price if view.HasField("ask_price") else None,
        timestamp=view.timestamp if view.HasField("timestamp") else None,
    )
    return legacy.HealthCheck(status=SUCCESS, market_data_data=found, message="A price was read")
