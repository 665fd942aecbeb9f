"""A dashboard's parts as the former service showed them; pure."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date
from decimal import Decimal
from typing import Final

from broker.option_symbol import OptionRight, is_option_symbol, parse
from gateway.legacy.numbers import number, number_or_none
from gateway.legacy.trade_history import WEEK, Fill, History
from opitios.account.v1.account_pb2 import AccountSnapshot, Position
from opitios.legacy.v1 import legacy_api_pb2 as legacy
from opitios.order.v1 import order_pb2 as orders

PAPER_PREFIX: Final = "PA"
CONTRACT_UNITS: Final = Decimal(100)
_RIGHT_WORDS: Final = {OptionRight.CALL: "CALL", OptionRight.PUT: "PUT"}


def account_view(account_name: str, snapshot: AccountSnapshot) -> legacy.DashboardAccount:
    """The account under the name that the path has."""
    return legacy.DashboardAccount(
        account_name=account_name,
        permission_group="user",
        paper_trading=int(snapshot.account.account_number.startswith(PAPER_PREFIX)),
        currency="USD",
        cash=number(snapshot.cash),
        net_liquidation=number(snapshot.portfolio_value),
    )


def holding_view(position: Position) -> legacy.Holding:
    """A position; null for what the exchange does not know."""
    return legacy.Holding(
        quantity=number(position.qty),
        average_cost=number_or_none(position.avg_entry_price),
        market_value=number_or_none(position.market_value),
        market_price=number_or_none(position.current_price),
        unrealized_pnl=number_or_none(position.unrealized_pl),
        realized_pnl=0.0,
        contract=_contract_view(position.symbol),
    )


def history_view(history: History) -> legacy.TradingHistory:
    """The trades and what they earned."""
    return legacy.TradingHistory(
        overall_profit=float(history.profit),
        overall_commission=0.0,
        daily_summary=[
            legacy.DailySummary(
                date=day.day.isoformat(),
                net_profit=float(day.profit),
                sold_qty=int(day.sold_qty),
                commission=0.0,
                avg_sold_price=float(day.avg_sold_price),
            )
            for day in history.days
        ],
        has_data=bool(history.days),
    )


def report_view(history: History, today: date) -> legacy.ProfitReport:
    """What was earned today, in the last seven days, and in all."""
    return legacy.ProfitReport(
        daily=_profit(history.since(today)),
        weekly=_profit(history.since(today - WEEK)),
        total_for_chart=history_view(history),
    )


def fills_of(found: Iterable[orders.Order]) -> Iterator[Fill]:
    """The orders that were filled as a whole; others have no moment at which they traded."""
    for order in found:
        if order.state != orders.ORDER_STATE_FILLED or not order.HasField("filled_at"):
            continue
        if not order.filled_qty or not order.filled_avg_price:
            continue
        yield Fill(
            symbol=order.symbol,
            is_buy=order.side == orders.SIDE_BUY,
            qty=Decimal(order.filled_qty),
            price=Decimal(order.filled_avg_price),
            multiplier=CONTRACT_UNITS if is_option_symbol(order.symbol) else Decimal(1),
            filled_at=order.filled_at.ToDatetime(tzinfo=UTC),
        )


def _profit(history: History) -> legacy.Profit:
    return legacy.Profit(profit=float(history.profit), commission=0.0, has_data=bool(history.days))


def _contract_view(symbol: str) -> legacy.HoldingContract:
    if not is_option_symbol(symbol):
        return legacy.HoldingContract(symbol=symbol, currency="USD", sec_type="STK", identifier=symbol)
    contract = parse(symbol)
    return legacy.HoldingContract(
        symbol=contract.root,
        currency="USD",
        sec_type="OPT",
        expiry=contract.expiration_date.isoformat(),
        strike=str(float(contract.strike_price)),
        right=_RIGHT_WORDS[contract.right],
        identifier=symbol,
    )
