"""Reads from the market what an order's worst cost depends on."""

import asyncio
from decimal import Decimal
from typing import Final

from loguru import logger

from account_svc.order_terms import OrderTerms
from account_svc.ports import AccountReads
from account_svc.worst_cost import worst_cost
from broker.option_symbol import parse
from broker.rate_budget import Priority
from broker.reports import Latest, Quote, Trade
from runtime.errors import ServiceError

MAX_KNOWN_MULTIPLIERS: Final = 20_000


class OrderCosts:
    """Says what orders can cost at most; remembers the multipliers of contracts, which never change."""

    def __init__(self) -> None:
        self._multipliers: dict[str, Decimal] = {}

    async def read(
        self, order: OrderTerms, reads: AccountReads, *, seconds: float, priority: Priority
    ) -> Decimal | None:
        """The order's worst cost in USD; `None` when the market does not tell, or not within `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                multiplier = await self._read_multiplier(order, reads, seconds, priority)
                reference_price = await _read_reference_price(order, reads, seconds, priority)
        except (ServiceError, TimeoutError) as error:
            problem = error.message if isinstance(error, ServiceError) else "no answer in time"
            logger.bind(symbol=order.symbol).warning(f"The cost of an order is not known: {problem}")
            return None
        return worst_cost(order, reference_price=reference_price, multiplier=multiplier)

    async def _read_multiplier(
        self, order: OrderTerms, reads: AccountReads, seconds: float, priority: Priority
    ) -> Decimal | None:
        if not order.needs_multiplier:
            return None
        symbol = str(parse(order.symbol))
        known = self._multipliers.get(symbol)
        if known is not None:
            return known
        contract = await reads.find_option_contract(symbol, timeout=seconds, priority=priority)
        if contract is None:
            return None
        if len(self._multipliers) >= MAX_KNOWN_MULTIPLIERS:
            self._multipliers.clear()
        self._multipliers[symbol] = contract.multiplier
        return contract.multiplier


async def _read_reference_price(
    order: OrderTerms, reads: AccountReads, seconds: float, priority: Priority
) -> Decimal | None:
    """The ask, else the last trade."""
    if not order.needs_reference_price:
        return None
    symbol = str(parse(order.symbol)) if order.is_option else order.symbol
    quotes: Latest[Quote] = await (
        reads.latest_option_quotes if order.is_option else reads.latest_stock_quotes
    )([symbol], timeout=seconds, priority=priority)
    quote = quotes.found.get(symbol)
    # An ask of 0 says that nobody offers, not that the shares are free.
    if quote is not None and quote.ask > 0:
        return quote.ask
    trades: Latest[Trade] = await (
        reads.latest_option_trades if order.is_option else reads.latest_stock_trades
    )([symbol], timeout=seconds, priority=priority)
    trade = trades.found.get(symbol)
    return trade.price if trade is not None and trade.price > 0 else None
